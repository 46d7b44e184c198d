import pytest

from edgewright.errors import SpaceError
from edgewright.spaces import find_space, list_spaces


def test_every_listed_space_is_found_under_its_own_name():
    for name in list_spaces():
        assert find_space(name).name == name


def test_a_restricted_space_keeps_its_resolutions_and_its_name_reads_back():
    space = find_space("mobilenetv3-small-image@32+16")
    assert space.resolutions == (16, 32)
    assert space.name == "mobilenetv3-small-image@16+32"
    assert find_space(space.name) == space


def test_restricting_to_all_resolutions_is_no_restriction():
    full = find_space("mobilenetv3-small-image")
    assert find_space("mobilenetv3-small-image@" + "+".join(map(str, full.resolutions))).name == full.name


def test_operators_of_a_restricted_space_are_among_those_of_the_whole():
    part, whole = find_space("mobilenetv3-w1.0@128+160"), find_space("mobilenetv3-w1.0")
    assert set(part.all_operators()) < set(whole.all_operators())


def test_classes_change_the_head_alone():
    few, many = find_space("mobilenetv3-small-image", n_classes=3), find_space("mobilenetv3-small-image")
    differing = set(few.all_operators()) ^ set(many.all_operators())
    assert {op.kind for op in differing} == {"head"}
    assert few.digest != many.digest


def test_classes_stand_behind_a_colon_and_an_argument_wins_over_them():
    assert find_space("mobilenetv3-small-image@16:7").n_classes == 7
    assert find_space("mobilenetv3-small-image:7") == find_space("mobilenetv3-small-image", n_classes=7)
    assert find_space("mobilenetv3-small-image:7", n_classes=5).n_classes == 5


def test_digests_tell_spaces_apart():
    specs = [*list_spaces(), "mobilenetv3-small-image@16+24", "mobilenetv3-w1.0@128"]
    assert len({find_space(spec).digest for spec in specs}) == len(specs)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ("resnet", "known spaces: mobilenetv3-w1.0, mobilenetv3-w1.2, mobilenetv3-small-image"),
        ("", "known spaces"),
        ("mobilenetv3-small-image@17", "no resolution .17.; its resolutions are .16, 24"),
        ("mobilenetv3-small-image@", "write it as mobilenetv3-small-image@16.24:10"),
        ("mobilenetv3-small-image@16,24", "write it as"),
        ("mobilenetv3-small-image@big", "write it as"),
        ("mobilenetv3-small-image:many", "write it as"),
        ("mobilenetv3-small-image@16:1", "two classes"),
    ],
)
def test_a_name_that_means_no_space_is_refused_with_the_mend(spec, named):
    with pytest.raises(SpaceError, match=named):
        find_space(spec)


@pytest.mark.parametrize("n_classes", [1, 0, -3])
def test_fewer_than_two_classes_are_refused(n_classes):
    with pytest.raises(SpaceError, match="two classes"):
        find_space("mobilenetv3-small-image", n_classes=n_classes)

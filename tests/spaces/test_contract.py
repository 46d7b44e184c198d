"""Every space of edgewright holds the contract, and a space that breaks a rule is found out."""

import re
from dataclasses import fields
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from doubles.fake_spaces import small_space
from doubles.search_problems import ListSpace
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import SpaceError, UsageError
from edgewright.search.problems import ofa_space
from edgewright.spaces import (
    CellSpace,
    ChoiceSpace,
    MobileSpace,
    check_space,
    find_space,
    find_violations,
    list_spaces,
)
from edgewright.spaces.contract import RULES

CHOICES = {"depth": (1, 2, 3), "width": (8, 16), "third width": (8, 16), "act": ("relu", "tanh")}


def unused(values):
    return {"third width": values["depth"] < 3}


class Good(ChoiceSpace):
    def __init__(self, **changes):
        super().__init__("mine", **{"choices": CHOICES, "unused": unused, **changes})


SPACES = [
    *(find_space(name) for name in list_spaces()),
    find_space("mobilenetv3-w1.0@160"),
    find_space("mobilenetv3-small-image@16+24:100"),
    ofa_space(),
    small_space(),
    small_space(resolutions=(8,), depths=(1,), kernel_sizes=(3,), expands=(3,)),
    CellSpace(),
    CellSpace(distinct=False),
    Good(),
    Good(unused=None),
    ListSpace(5),
    ListSpace(1),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{space.name}-{space.digest[:6]}")
@pytest.mark.parametrize("seed", [0, 1])
def test_every_space_holds_the_contract(space, seed):
    assert find_violations(space, seed=seed) == ()
    check_space(space, seed=seed)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.lists(
            st.integers(0, 99) | st.text(max_size=2) | st.booleans(), min_size=1, max_size=4, unique=True
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=25, deadline=None)
def test_any_choices_make_a_space_that_holds_the_contract(choices):
    assert find_violations(ChoiceSpace("any", choices), n=16) == ()


def space_with(**overrides):
    """Return a good space some of whose members are others."""
    # Its own digest tries what it repairs.
    return type("Broken", (Good,), {"digest": "broken", **overrides})()


def ignored(space, value):
    """Take no other value."""


def with_fields(**fields):
    """Return a good space whose properties are what they may not be."""
    return space_with(**{name: property(value, ignored) for name, value in fields.items()})


def off_by_one(space, X):
    return np.where(np.arange(4) == 1, np.minimum(Good.repair(space, X) + 1, 1), X)


def in_place(space, X):
    X[X[:, 0] < 2, 2] = 0
    return X


def by_the_batch(space, X):
    return Good.repair(space, X) if len(X) > 1 else np.array(X)


def moving(space, X):
    """Canonical only after another call: the width goes down by one each time."""
    X = Good.repair(space, X)
    X[:, 1] = np.maximum(X[:, 1] - 1, 0)
    X[:, 0] = np.maximum(X[:, 0] - 1, 0)
    return Good.repair(space, X)


def unseeded(space, rng, n):
    return Good.sample(space, np.random.default_rng(), n)


def always_the_same(space, rng, n):
    return Good.sample(space, np.random.default_rng(7), n)


def raw_samples(space, rng, n):
    return rng.integers(0, space.n_choices, size=(n, 4))


def one_too_many(space, rng, n):
    return Good.sample(space, rng, n + 1)


def swapped(space, arch):
    x = Good.encode(space, arch)
    x[[1, 3]] = x[[3, 1]]
    return x


def as_given(space, arch):
    """Encode without saying that the third width does not matter."""
    given = arch.to_json()
    return np.array([choices.index(given[name]) for name, choices in space.choices.items()])


def with_its_third_width(space, x):
    network = Good.decode(space, x)
    values = (*network.values[:2], CHOICES["third width"][int(x[2])], network.values[3])
    return type(network)(network.names, values)


def without_its_act(space, x):
    return Good.decode(space, np.array([*np.asarray(x)[:3], 0]) if len(x) == 4 else x)


def plain_dictionary(space, x):
    return Good.decode(space, x).to_json()


class NoJson(str):
    def to_json(self):
        return {"itself": object()}


def without_json(space, x):
    return NoJson(Good.decode(space, x))


def wrapping(space, x):
    return Good.decode(space, np.asarray(x) % space.n_choices)


def foreign_error(space, x):
    [(1, 2, 3)[i] for i in x]
    return Good.decode(space, x)


def with_itself(space, x):
    return np.concatenate([Good.neighbours(space, x), x[None]])


def twice(space, x):
    return np.repeat(Good.neighbours(space, x), 2, axis=0)


def not_all(space, x):
    return Good.neighbours(space, x)[1:]


def not_repaired(space, x):
    near = np.tile(x, (4, 1))
    near[np.arange(4), np.arange(4)] = (x + 1) % space.n_choices
    return near


def moves_its_argument(space, x):
    near = Good.neighbours(space, x)
    x[1] = 1 - x[1]
    return near


def mobile_with(**overrides):
    """Return a small mobile space some of whose members are others."""
    space = small_space()
    return type("Broken", (MobileSpace,), overrides)(
        **{f.name: getattr(space, f.name) for f in fields(space)}
    )


def doubled(space, cost):
    return MobileSpace.tabulate(space, lambda op: 2 * cost(op))


COUNTER = count()
MEMBERS = np.unique(Good().sample(np.random.default_rng(0), 2000), axis=0)

BROKEN = {
    "members": [
        (SimpleNamespace(name="nothing"), "there is no version, slug, digest, n_choices, encode"),
        (space_with(neighbours=3), r"there is no neighbours\(\)"),
        (with_fields(name=lambda s: ""), "name is '', expected a text"),
        (with_fields(digest=lambda s: b"abc"), "digest is b'abc', expected a text"),
        (with_fields(slug=lambda s: "a/b"), "slug is 'a/b', expected a file's name"),
        (with_fields(slug=lambda s: ".."), "slug is '..', expected a file's name"),
        (with_fields(digest=lambda s: str(next(COUNTER))), "the second time, expected the same"),
        (Good(version="1"), "version is '1', expected a whole number"),
    ],
    "n_choices": [
        (with_fields(n_choices=lambda s: [3, 2, 2, 2]), "it is list, expected an array"),
        (with_fields(n_choices=lambda s: np.array([3.0])), r"it is float64 \(1,\), expected"),
        (with_fields(n_choices=lambda s: np.array([[3]])), r"it is int64 \(1, 1\), expected"),
        (with_fields(n_choices=lambda s: np.array([3, 0])), r"it is \[3, 0\], expected a variable or more"),
        (with_fields(n_choices=lambda s: np.zeros(0, int)), r"it is \[\], expected a variable or more"),
    ],
    "repair": [
        (space_with(repair=moving), r"of .* it makes .*, and of that .*; expected no change"),
        (space_with(repair=in_place), "it changed its argument"),
        (space_with(repair=by_the_batch), r"it makes .* alone and .* among others"),
        (space_with(repair=lambda s, X: Good.repair(s, X) + 1), "has . for variable ., expected"),
        (space_with(repair=lambda s, X: Good.repair(s, X).astype(float)), r"is float64 .* expected integers"),
        (space_with(repair=lambda s, X: Good.repair(s, X)[:1]), r"is int64 \(1, 4\), expected integers"),
        (space_with(repair=lambda s, X: Good.repair(s, X).tolist()), "is list, expected an array"),
        (space_with(repair=lambda s, X: 1 / 0), "it raised ZeroDivisionError: division by zero"),
        (
            space_with(repair=lambda s, X: Good.repair(s, X) if len(X) else X[0]),
            "it raised IndexError",
        ),
    ],
    "sample": [
        (space_with(sample=unseeded), "seed 0 gives other networks the second time"),
        (space_with(sample=always_the_same), "seeds 0 and 1 give the same 64 networks"),
        (space_with(sample=raw_samples), "expected it as repair has it"),
        (space_with(sample=one_too_many), r"is int64 \(65, 4\), expected integers \(64, 4\)"),
        (space_with(sample=lambda s, n: None), "it raised TypeError"),
    ],
    "encode": [
        (space_with(encode=swapped), r"encode\(decode\(.*\)\) is .*, expected"),
        (space_with(encode=as_given, decode=with_its_third_width), r"encode\(decode\(.*\)\) is .*, expected"),
        (space_with(encode=lambda s, a: Good.encode(s, a)[:3]), r"is int64 \(1, 3\), expected"),
    ],
    "decode": [
        (space_with(decode=without_its_act), "are the same network, expected two"),
        (space_with(decode=plain_dictionary), "it raised TypeError: unhashable"),
        (space_with(decode=lambda s, x: object()), "is another network the second time"),
        (space_with(decode=without_json, encode=lambda s, a: None), "it raised TypeError: Object of type"),
    ],
    "outside": [
        (space_with(decode=wrapping), r"decode\(.*\) returned a network, expected ArchitectureError"),
        (
            space_with(decode=foreign_error),
            "raised IndexError, expected ArchitectureError",
        ),
    ],
    "neighbours": [
        (space_with(neighbours=with_itself), "has that network itself"),
        (space_with(neighbours=twice), "rows twice, expected each once"),
        (space_with(neighbours=not_all), r"lacks \[.*\], expected all that one changed choice makes"),
        (space_with(neighbours=not_repaired), "expected it as repair has it"),
        (space_with(neighbours=moves_its_argument), "it changed its argument"),
        (space_with(neighbours=lambda s, x: x), r"is int64 \(4,\), expected integers \(m, 4\)"),
    ],
    "ends": [
        (space_with(largest=Good.smallest), r"smallest\(\) and largest\(\) are both \[0, 0, 0, 0\]"),
        (space_with(smallest=lambda s: {"depth": 7}), "it raised ArchitectureError: a network of mine has"),
    ],
    "listed": [
        (space_with(members=MEMBERS[1:]), r"members lacks \[0, 0, 0, 0\]"),
        (space_with(members=np.repeat(MEMBERS, 2, axis=0)), "rows twice"),
        (space_with(members=np.array([[0, 0, 1, 0]])), "expected it as repair has it"),
        (space_with(members=MEMBERS.tolist()), "members is list"),
    ],
    "operators": [
        (
            mobile_with(all_operators=lambda s: MobileSpace.all_operators(s)[1:]),
            "has Operator.*, expected operators",
        ),
        (mobile_with(tabulate=doubled), r"tabulate adds up .* for .*, expected .* of its operators"),
    ],
}


@pytest.mark.parametrize(
    ("rule", "space", "named"),
    [
        pytest.param(rule, space, named, id=f"{rule}-{i}")
        for rule, cases in BROKEN.items()
        for i, (space, named) in enumerate(cases)
    ],
)
def test_a_space_that_breaks_a_rule_is_told_which(rule, space, named):
    (violation,) = (one for one in find_violations(space) if one.rule == rule)
    assert re.search(named, violation.text), violation.text
    with pytest.raises(SpaceError, match=rf"is no search space: .*{rule}: "):
        check_space(space)


def test_every_rule_has_a_space_that_breaks_it_and_says_what_it_demands():
    assert set(BROKEN) == set(RULES)
    assert all(RULES.values())


def test_a_broken_member_is_blamed_alone():
    only = {rule: [find_violations(space) for space, _ in cases] for rule, cases in BROKEN.items()}
    for rule in ("members", "n_choices", "repair", "sample", "outside", "neighbours", "ends", "listed"):
        assert all([one.rule for one in found] == [rule] for found in only[rule]), rule


def test_all_that_is_broken_is_named_at_once():
    space = space_with(sample=always_the_same, neighbours=twice, largest=Good.smallest)
    assert [one.rule for one in find_violations(space)] == ["sample", "neighbours", "ends"]
    with pytest.raises(
        SpaceError, match=r"^mine is no search space: sample: .*; neighbours: .*; ends: .*SearchSpace$"
    ):
        check_space(space)


def test_the_check_is_the_same_for_a_seed():
    space = space_with(neighbours=not_all)
    assert find_violations(space, seed=3) == find_violations(space, seed=3)


def test_a_check_of_no_network_is_refused():
    with pytest.raises(UsageError, match="at least one network, got n=0"):
        check_space(Good(), n=0)

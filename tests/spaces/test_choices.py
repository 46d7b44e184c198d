import json

import numpy as np
import pytest

from edgewright.errors import ArchitectureError, SpaceError
from edgewright.spaces import Choices, ChoiceSpace

LAYERS = {"layers": (1, 2), "width": (16, 32, 64), "second width": (8, 16), "act": ("relu", "tanh")}


def perceptrons(**changes):
    fields = {"choices": LAYERS, "unused": lambda v: {"second width": v["layers"] < 2}}
    return ChoiceSpace("perceptrons", **{**fields, **changes})


def test_an_encoding_is_the_index_of_each_choice():
    space = perceptrons()
    x = space.encode({"layers": 2, "width": 64, "second width": 8, "act": "tanh"})
    assert x.tolist() == [1, 2, 0, 1]
    network = space.decode(x)
    assert (network["width"], network["act"]) == (64, "tanh")
    assert network.to_json() == {"layers": 2, "width": 64, "second width": 8, "act": "tanh"}
    assert space.encode(network).tolist() == x.tolist()
    assert space.n_choices.tolist() == [2, 3, 2, 2]


def test_networks_that_differ_in_what_does_not_matter_are_one():
    space = perceptrons()
    one = {"layers": 1, "width": 16, "act": "relu"}
    assert np.array_equal(*(space.encode({**one, "second width": width}) for width in (8, 16)))
    assert len(space.neighbours(np.zeros(4, np.int64))) == 4  # not the second width
    X = np.unique(space.sample(np.random.default_rng(0), 1000), axis=0)
    assert len(X) == 6 + 12


def test_columns_are_values_of_their_own_kind():
    space = ChoiceSpace(
        "kinds", {"n": (1, 2), "share": (0.5, 1.0), "mixed": (2, "all"), "flag": (False, True)}
    )
    columns = space.columns(np.array([[0, 1, 0, 1], [1, 0, 1, 0]]))
    assert (columns["n"] * columns["share"]).tolist() == [1.0, 1.0]
    assert columns["mixed"].tolist() == [2, "all"]
    assert columns["flag"].tolist() == [True, False]


def test_the_ends_have_the_first_and_the_last_of_everything():
    space = perceptrons()
    assert space.smallest() == Choices(tuple(LAYERS), (1, 16, 8, "relu"))
    assert space.largest() == Choices(tuple(LAYERS), (2, 64, 16, "tanh"))


def test_the_digest_tells_which_networks_exist():
    others = (
        perceptrons(),
        perceptrons(version=2),
        perceptrons(unused=None),
        perceptrons(unused=lambda v: {"second width": v["layers"] > 1}),
        perceptrons(choices={**LAYERS, "act": ("relu", "gelu")}),
    )
    assert len({space.digest for space in others}) == len(others)
    assert perceptrons().digest == perceptrons().digest


def test_a_slug_is_a_files_name():
    assert ChoiceSpace("my nets: v2/a", {"n": (1, 2)}).slug == "my-nets-v2-a"
    assert ChoiceSpace("…", {"n": (1, 2)}).slug == "space"


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({}, "it has no variable"),
        ({"n": ()}, "'n' has no choice"),
        ({"n": (1, 1)}, r"'n' has a choice twice among \[1, 1\]"),
        ({"n": (1, float("nan"))}, "'n' has the choice nan, expected a number"),
        ({"n": ((1, 2), (3, 4))}, r"'n' has the choice \(1, 2\), expected a number, a text"),
        ({"n": (), "m": (None,)}, "'n' has no choice; 'm' has the choice None"),
        ({"n": 4}, r"'n' has 4, expected its choices as a list, the least first"),
        ({"n": "relu"}, r"'n' has 'relu', expected its choices as a list"),
        ({"n": {"relu", "tanh"}}, r"'n' has {.*}, expected its choices as a list, the least first"),
        ({1: (1, 2)}, "a variable is named by a text, got 1"),
        ([("n", (1, 2))], r"choices are given by the variable's name, as a dictionary, got \[\('n', "),
    ],
)
def test_choices_that_make_no_space_are_refused(choices, named):
    with pytest.raises(SpaceError, match=named):
        ChoiceSpace("mine", choices)


@pytest.mark.parametrize("name", [None, 3])
def test_a_space_is_named_by_a_text(name):
    with pytest.raises(SpaceError, match=f"it is named {name!r}, expected a text"):
        ChoiceSpace(name, {"n": (1, 2)})


def test_choices_may_be_numpys_and_are_those_of_plain_numbers():
    plain = ChoiceSpace("mine", {"n": (0, 1, 2), "rate": (0.5, 1.0), "norm": (False, True)})
    rates, norm = np.array([0.5, 1.0]), (np.False_, np.True_)
    given = ChoiceSpace("mine", {"n": np.arange(3), "rate": rates, "norm": norm})
    assert given.digest == plain.digest
    assert given.largest() == plain.largest()
    json.dumps(given.largest().to_json())


@pytest.mark.parametrize(
    ("network", "named"),
    [
        ({"layers": 1}, "a network of perceptrons has layers, width, second width, act, got layers"),
        ({}, "got nothing"),
        ({"layers": 3, "width": 16, "second width": 8, "act": "relu"}, r"'layers' .* one of \[1, 2\], got 3"),
    ],
)
def test_networks_of_other_spaces_are_refused(network, named):
    with pytest.raises(ArchitectureError, match=named):
        perceptrons().encode(network)


@pytest.mark.parametrize(
    ("x", "named"),
    [
        ([0, 0, 0], r"is 4 integers, got int64 \(3,\)"),
        ([0.0, 0.0, 0.0, 0.0], "got float64"),
        ([0, 3, 0, 0], r"variable 1 \(width\) of perceptrons lies in \[0, 3\), got 3"),
        ([0, 0, 0, -1], r"variable 3 \(act\)"),
    ],
)
def test_what_is_no_encoding_is_refused(x, named):
    with pytest.raises(ArchitectureError, match=named):
        perceptrons().decode(x)


@pytest.mark.parametrize(
    "unused",
    [
        lambda v: {"depth": v["layers"] < 2},
        lambda v: {"second width": True},
        lambda v: {"second width": v["layers"]},
    ],
)
def test_what_says_nothing_of_each_network_is_refused(unused):
    with pytest.raises(
        SpaceError, match=r"unused of perceptrons says of .* expected booleans \(1,\) of one of"
    ):
        perceptrons(unused=unused).repair(np.zeros((1, 4), np.int64))

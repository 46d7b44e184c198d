import json
from dataclasses import replace

import pytest
from doubles.fake_spaces import small_space

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck
from edgewright.errors import TableError
from edgewright.latency.cross_check import NetworkCrossCheck

TOLD = CrossCheck(tool="the tool 1.0", median_ms=2.2, n=100, resolution_ms=1e-3, shares={"Conv": 0.7})
FOUND = NetworkCrossCheck(found=TOLD, network=small_space().largest(), measured_ms=2.0)
NONE = NetworkCrossCheck(found=NoCrossCheck("the tool is not installed"))


@pytest.mark.parametrize("found", [FOUND, NONE, replace(FOUND, found=replace(TOLD, same_runs_ms=2.4))])
def test_it_is_read_back_as_it_was_written(found):
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert NetworkCrossCheck.from_json(told) == found
    assert told["ratio"] == found.ratio


def test_both_figures_stand_side_by_side():
    assert FOUND.ratio == pytest.approx(1.1)
    text = FOUND.text()
    assert "the tool 1.0: median 2.2 ms over 100 runs, edgewright 2 ms, ratio 1.100" in text
    assert text.endswith(", on a network of 12 px and 4 blocks")
    assert "\n" not in text


def test_a_tool_that_slows_what_it_watches_is_compared_around_the_same_runs():
    found = replace(FOUND, found=replace(TOLD, same_runs_ms=2.4))
    assert found.ratio == pytest.approx(2.2 / 2.4)
    assert "edgewright 2.4 ms around the same runs" in found.text()
    assert "2 ms without the tool" in found.text()


def test_without_figures_there_is_a_reason():
    assert NONE.ratio is None
    assert NONE.text() == "no figure: the tool is not installed"


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "", "vendor": None},
        {"measured_ms": 0},
        {"measured_ms": True},
        {"measured_ms": "2 ms"},
        {"network": None},
        {"network": {}},
        {"network": FOUND.network.to_json() | {"depths": ["two"]}},
        {"vendor": {}},
        {"vendor": TOLD.to_json() | {"median_ms": -1.0}},
        {"vendor": TOLD.to_json() | {"median_ms": None}},
        {"vendor": TOLD.to_json() | {"same_runs_ms": 0}},
        {"vendor": TOLD.to_json() | {"n": 0}},
        {"vendor": TOLD.to_json() | {"n": 1.5}},
        {"vendor": TOLD.to_json() | {"tool": None}},
        {"vendor": TOLD.to_json() | {"shares": [1]}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(change):
    with pytest.raises(TableError):
        NetworkCrossCheck.from_json(FOUND.to_json() | change)

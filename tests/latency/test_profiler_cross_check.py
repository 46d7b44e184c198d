"""The vendor's own tool beside a profile."""

import json
from dataclasses import replace

import pytest
from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space
from doubles.quick_profile import CONFIG, visits

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck
from edgewright.errors import StorageError
from edgewright.latency.profiler import profile_space

TOLD = CrossCheck(tool="the tool", median_ms=0.01, n=100, resolution_ms=1e-3)


@pytest.fixture
def space():
    return small_space()


def tool(*answers):
    """Return a vendor's tool that answers so, or raises, in this order; it keeps what it was asked."""
    left, asked = list(answers), []

    def measure(path):
        asked.append(json.loads(path.read_text()))
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    measure.asked = asked
    return measure


def run_beside(space, path, vendor):
    device = FakeDevice()
    target = replace(device.target(space), vendor=vendor)
    return profile_space(space, target, journal=path / "j", config=CONFIG), device


def test_the_vendors_tool_measures_the_network_of_middle_latency_once(space, tmp_path):
    vendor = tool(TOLD)
    table, _ = run_beside(space, tmp_path, vendor)
    medians = {record.architecture: record.measurement.median_ms for record in table.networks}
    found = table.cross_check
    assert found.found == TOLD
    assert medians[found.network] == sorted(medians.values())[len(medians) // 2]
    assert found.measured_ms == pytest.approx(medians[found.network], abs=1e-4)
    assert found.ratio == pytest.approx(0.01 / found.measured_ms)
    assert [asked["ms"] for asked in vendor.asked] == [pytest.approx(medians[found.network], abs=1e-4)]
    again, device = run_beside(space, tmp_path, tool())
    assert again.cross_check == found
    assert device.runs == 0


@pytest.mark.parametrize(
    ("vendor", "reason"),
    [
        (NoCrossCheck("it is elsewhere"), "it is elsewhere"),
        (tool(NoCrossCheck("it is not installed")), "it is not installed"),
        (tool(ZeroDivisionError("oops")), "the vendor's tool failed: oops"),
        (tool(StorageError("no space left")), "the vendor's tool failed: no space left"),
        (
            tool(replace(TOLD, median_ms=float("nan"))),
            "the vendor's tool failed: the cross-check by the vendor's tool cannot be read: "
            "a cross-check's figures are milliseconds and shares, got [nan, 0.001]",
        ),
    ],
)
def test_a_table_without_the_vendors_figure_says_why(space, tmp_path, vendor, reason):
    table, _ = run_beside(space, tmp_path, vendor)
    assert table.cross_check.found == NoCrossCheck(reason)
    assert table.validation.n == CONFIG.n_validate


def test_without_whole_networks_the_tool_has_nothing_to_measure(space, tmp_path):
    target = replace(FakeDevice().target(space), vendor=tool())
    config = replace(CONFIG, n_fit=0, n_validate=0)
    table = profile_space(space, target, journal=tmp_path / "j", config=config)
    assert table.cross_check.found == NoCrossCheck("no whole network was measured")


def test_a_profile_that_ends_while_the_tool_runs_asks_it_again_and_measures_nothing_again(space, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_beside(space, tmp_path, tool(KeyboardInterrupt()))
    before = visits(tmp_path / "j")
    table, _ = run_beside(space, tmp_path, tool(TOLD))
    assert table.cross_check.found == TOLD
    assert visits(tmp_path / "j") == before


def test_a_tool_that_takes_the_process_down_again_and_again_is_given_up(space, tmp_path):
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_beside(space, tmp_path, tool(KeyboardInterrupt()))
    table, _ = run_beside(space, tmp_path, tool())
    assert table.cross_check.found == NoCrossCheck("the vendor's tool took the process down 3 times")
    assert not table.failures

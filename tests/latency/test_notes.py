import json

import numpy as np
import pytest

from edgewright.devices.throttle import Snapshot
from edgewright.latency.notes import Dropped, Moment, Weather, mark_of
from edgewright.latency.stopwatch import Sample


@pytest.mark.parametrize(
    ("sample", "mark"),
    [
        (Sample(1.0, None, False, False), "."),
        (Sample(1.0, None, False, True), "s"),
        (Sample(1.0, None, True, True, 2), "2"),
        (Sample(1.0, None, True, False, 40), "9"),
        (Sample(-1.0, None, True, False), "c"),
        (Sample(0.0, None, True, True, 3), "c"),
    ],
)
def test_a_mark_says_what_disturbed_a_sample(sample, mark):
    assert mark_of(sample) == mark


def test_times_of_dropped_samples_are_kept_to_half_a_percent_over_all_lengths():
    wanted = np.geomspace(1e-4, 9e6, 500)
    dropped = Dropped.of(("s", float(ms)) for ms in wanted)
    assert dropped.times_ms()["s"] == pytest.approx(wanted, rel=4e-3)
    assert len(json.dumps(dropped.to_json())) < 2 * 500 + 20
    assert Dropped.from_json(json.loads(json.dumps(dropped.to_json()))) == dropped


def test_times_beyond_the_scale_are_its_ends():
    assert Dropped.of([("c", -3.0), ("c", 1e-9), ("c", 1e12)]).times_ms()["c"] == (0.0, 1e-4, 1e7)


def test_merging_keeps_each_kind_in_order_of_time():
    first, second = Dropped.of([("s", 1.0), ("1", 5.0)]), Dropped.of([("1", 6.0), ("s", 2.0)])
    merged = Dropped.merge([first, second])
    assert merged.n == 4
    assert merged.times_ms() == {
        "1": pytest.approx((5.0, 6.0), rel=4e-3),
        "s": pytest.approx((1.0, 2.0), rel=4e-3),
    }


@pytest.mark.parametrize(
    ("moment", "n_values"),
    [
        (Moment(12), 1),
        (Moment(12, n_preemptions=0), 2),
        (Moment(3, Snapshot(clock_mhz=1500, temperature_c=None)), 3),
        (Moment(3, Snapshot(clock_mhz=1500, temperature_c=60.1, throttled=("hot",))), 7),
        (Moment(3, after=Snapshot(clock_mhz=None, temperature_c=60.1, throttled=("hot", "low"))), 8),
    ],
)
def test_a_moment_is_a_row_as_short_as_the_machine_tells(moment, n_values):
    row = json.loads(json.dumps(moment.to_json()))
    assert len(row) == n_values
    assert Moment.from_json(row) == moment


def test_a_moment_stores_no_nonsense_that_it_could_not_read_back():
    broken = Snapshot(clock_mhz=0.2, temperature_c=float("nan"), events=(("oc1", 3),))
    moment = Moment.of(3, broken, Snapshot(clock_mhz=1500.4, temperature_c=60.123))
    assert moment == Moment(3, after=Snapshot(clock_mhz=1500, temperature_c=60.1))
    assert Moment.from_json(moment.to_json()) == moment


def test_the_weather_is_the_range_over_all_moments():
    cool, hot = Snapshot(clock_mhz=1800, temperature_c=45.0), Snapshot(clock_mhz=1500, temperature_c=71.4)
    capped = Snapshot(clock_mhz=None, temperature_c=None, throttled=("frequency capped",))
    found = Weather.of([Moment(3, cool, hot), Moment(3, hot, capped)], 60, 20)
    assert found.clock_mhz == (1500, 1800)
    assert found.temperature_c == (45.0, 71.4)
    assert found.text() == "clock 1500 to 1800 MHz, 45 to 71 °C, slowed down by frequency capped"
    assert json.loads(json.dumps(found.to_json()))["n_dropped"] == 20


def test_a_machine_that_tells_nothing_is_said_so():
    assert Weather.of([], 5, 0).text() == "clock and temperature were not noted"
    assert Weather.of([Moment(3)], 5, 0).text() == "clock not told, temperature not told, never throttled"

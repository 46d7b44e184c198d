import pytest

from edgewright.devices.throttle import Snapshot
from edgewright.errors import TableError
from edgewright.latency.measurement import Measurement
from edgewright.latency.notes import Dropped, Moment

HOT = Moment(2, Snapshot(clock_mhz=1500, temperature_c=60.5), Snapshot(clock_mhz=600, temperature_c=81.0), 4)


def test_a_measurement_survives_json():
    found = Measurement((1.0, 1.2, 1.1), 10, 2, 1, 0)
    assert Measurement.from_json(found.to_json()) == found


def test_merge_keeps_every_sample_and_count():
    merged = Measurement.merge([Measurement((1.0,), 5, 1, 1, 0), Measurement((2.0, 3.0), 6, 2, 0, 2)])
    assert merged == Measurement((1.0, 2.0, 3.0), 11, 3, 1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples_ms": []}, "needs samples"),
        ({"samples_ms": [0]}, "positive"),
        ({"samples_ms": [-1.0]}, "positive"),
        ({"samples_ms": [float("nan")]}, "positive"),
        ({"samples_ms": [1e9]}, "below"),
        ({"samples_ms": ["1"]}, "number"),
        ({"samples_ms": [True]}, "number"),
        ({"n_dropped": -1}, "counts"),
        ({"extra": 1}, "keys"),
        ({"marks": ".."}, "1 samples need as many marks"),
        ({"marks": "x"}, "1 samples need as many marks"),
        ({"marks": 3}, "1 samples need as many marks"),
        ({"dropped": {"s": "AAAA"}}, "2 samples are told as dropped where 0 were"),
        ({"dropped": {"s": "A"}, "n_dropped": 5}, "packed times"),
        ({"dropped": {"s": "A "}, "n_dropped": 5}, "packed times"),
        ({"dropped": {"slow": "AA"}, "n_dropped": 5}, "packed times"),
        ({"dropped": [1.0], "n_dropped": 5}, "packed times"),
        ({"moments": 5}, "moments must be a list"),
        ({"moments": [[2]]}, r"moments of \[2\] samples do not add up to 1"),
        ({"moments": [[]]}, "row of one to eight"),
        ({"moments": [[1, 0, -5]]}, "clock of -5 MHz"),
        ({"moments": [[1, 0, None, None, 5e6]]}, "5000000.0 °C"),
        ({"moments": [[1, -1]]}, "-1 preemptions"),
        ({"moments": [[1, None, None, None, None, None, ["hot", 3]]]}, "as reasons"),
        ({"moments": [[True]]}, "True samples"),
    ],
)
def test_absurd_measurements_are_refused(change, message):
    data = Measurement((1.0,)).to_json() | change
    with pytest.raises(TableError, match=message):
        Measurement.from_json(data)


def test_a_wide_interval_is_noisy():
    assert Measurement((1.0, 2.0, 1.5, 0.7)).verdict == "noisy"
    assert Measurement((1.0,) * 20).verdict == "ok"


def test_what_is_noted_survives_json():
    dropped = Dropped.of([("1", 5.0), ("s", 1.6)])
    found = Measurement((1.0, 1.2), 10, 2, 1, marks=".s", dropped=dropped, moments=(HOT,))
    assert Measurement.from_json(found.to_json()) == found


def test_an_older_measurement_merges_with_one_that_notes_more():
    old = Measurement((1.0, 1.1, 1.2), 5, 4, 1)
    new = Measurement((2.0, 2.1), 5, 1, marks="s.", dropped=Dropped.of([("s", 3.0)]), moments=(HOT,))
    merged = Measurement.merge([old, new])
    assert merged.marks == "???s."
    assert merged.dropped.n == 1 < merged.n_dropped == 5
    assert merged.moments == (Moment(3), HOT)
    assert Measurement.from_json(merged.to_json()) == merged
    assert Measurement.merge([old, old]).to_json().keys() == old.to_json().keys()

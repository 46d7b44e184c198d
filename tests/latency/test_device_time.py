import pytest

from edgewright.errors import RuntimeFailureError
from edgewright.latency.device_time import MAX_RUNS, MIN_RUNS, DeviceTime, measure_device_time


class Clocked:
    """A session whose device takes 1 ms for its first inference, 2 ms for the next, and so on."""

    def device_times_ms(self, infer, n_runs):
        return tuple(float(infer()) for _ in range(n_runs))


def counting():
    numbers = iter(range(1, 10_000))
    return lambda: next(numbers)


def test_the_median_and_the_95th_percentile_are_of_single_inferences():
    found, reason = measure_device_time(Clocked(), counting(), 1e4, "clocked")
    assert reason == ""
    assert found.samples_ms == tuple(range(1, MIN_RUNS + 1))
    assert found.median_ms == 10.5
    assert found.p95_ms == pytest.approx(19.05)
    assert found.to_json()["samples_ms"] == list(found.samples_ms)
    assert "median 10.5 ms, p95 19.05 ms over 20 inferences, 50% of the wall clock" in found.text(21.0)


@pytest.mark.parametrize(("wall_ms", "n"), [(0.0, MAX_RUNS), (1.0, MAX_RUNS), (20.0, 100), (1e6, MIN_RUNS)])
def test_slow_networks_run_fewer_times(wall_ms, n):
    found, _ = measure_device_time(Clocked(), counting(), wall_ms, "clocked")
    assert len(found.samples_ms) == n


def test_a_clock_that_fails_is_told_and_costs_nothing_else():
    def fail():
        raise RuntimeFailureError("cuEventRecord failed: an illegal memory access (700)")

    assert measure_device_time(Clocked(), fail, 1.0, "clocked") == (
        None,
        "cuEventRecord failed: an illegal memory access (700)",
    )


def test_a_session_without_a_clock_is_no_error():
    found, reason = measure_device_time(object(), counting(), 1.0, "litert")
    assert found is None
    assert reason.startswith("litert has no clock on the device")


def test_one_sample_is_its_own_percentile():
    assert DeviceTime((2.0,)).p95_ms == 2.0

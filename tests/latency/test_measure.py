import gc

import numpy as np
import pytest
from doubles.fake_device import FakeClock

from edgewright.errors import RuntimeFailureError
from edgewright.latency.measure import (
    MAX_WARM_CALLS,
    MeasureConfig,
    measure,
    measure_interleaved,
    warm_up,
)
from edgewright.latency.stopwatch import Stopwatch


class Device:
    """Calls of given lengths on a fake clock, with preemptions on demand."""

    def __init__(self, lengths_ms):
        self.clock = FakeClock()
        self.lengths_ms = lengths_ms
        self.calls = 0
        self.preemptions = 0
        self.preempt = lambda call: False

    def __call__(self):
        length = self.lengths_ms(self.calls) if callable(self.lengths_ms) else self.lengths_ms
        if self.preempt(self.calls):
            self.preemptions += 1
            length += 4.0
        self.calls += 1
        self.clock.advance_ms(length)

    @property
    def watch(self):
        return Stopwatch(self.clock, preemptions=lambda: self.preemptions)


def test_measure_reports_the_length_of_a_call():
    device = Device(2.5)
    found = measure(device, watch=device.watch)
    assert found.median_ms == found.p95_ms == 2.5
    assert found.iqr_ms == found.interval_ms == 0
    assert found.verdict == "ok"
    assert found.n_dropped == 0


def test_measure_leaves_the_warm_up_out():
    device = Device(lambda call: 50.0 if call < 3 else 1.0)
    found = measure(device, watch=device.watch)
    assert set(found.samples_ms) == {1.0}
    assert found.n_warmup >= 10


def test_warm_up_ends_once_the_median_stands_still():
    device = Device(lambda call: 10.0 / (1 + call // 5) if call < 40 else 1.0)
    calls = warm_up(device, lambda: None, device.watch, max_ms=1e6)
    assert 45 <= calls <= 60


def test_warm_up_of_a_device_that_never_settles_ends_at_the_cap():
    rng = np.random.default_rng(0)
    device = Device(lambda call: rng.uniform(1, 10))
    warm_up(device, lambda: None, device.watch, max_ms=100.0)
    assert device.clock.now_ns < 300e6


def test_samples_in_which_the_thread_was_preempted_are_dropped():
    device = Device(1.0)
    device.preempt = lambda call: call % 3 == 0
    found = measure(device, watch=device.watch)
    assert set(found.samples_ms) == {1.0}
    assert found.n_dropped > 5


def test_samples_in_which_the_clock_ran_backwards_are_dropped():
    device = Device(lambda call: -3.0 if call % 7 == 0 else 1.0)
    assert set(measure(device, watch=device.watch).samples_ms) == {1.0}


def test_a_core_that_others_slow_down_is_seen_and_left_out():
    device = Device(lambda call: 1.6 if (call // 50) % 2 else 1.0)

    class Gauge:
        def is_slow(self):
            return bool((device.calls // 50) % 2)

    watch = Stopwatch(device.clock, preemptions=lambda: 0, gauge=Gauge())
    found = measure(device, watch=watch, config=MeasureConfig(min_samples=60, max_samples=100, interval=0))
    assert set(found.samples_ms) == {1.0}
    assert found.n_slowed == 0


def test_samples_of_a_core_that_is_always_slow_are_kept_and_counted():
    device = Device(1.6)

    class Gauge:
        def is_slow(self):
            return True

    watch = Stopwatch(device.clock, preemptions=lambda: 0, gauge=Gauge())
    found = measure(device, watch=watch, config=MeasureConfig(max_time_ms=50))
    assert found.median_ms == 1.6
    assert found.n_slowed == found.n > 5
    assert found.verdict == "noisy"


def test_of_a_slowed_core_the_fastest_samples_are_kept():
    device = Device(lambda call: 1.0 if call % 3 == 0 else 1.6)

    class Gauge:
        def is_slow(self):
            return True

    watch = Stopwatch(device.clock, preemptions=lambda: 0, gauge=Gauge())
    found = measure(device, watch=watch, config=MeasureConfig(max_time_ms=100))
    assert found.median_ms == 1.0
    assert found.n_dropped > found.n


def test_processor_time_stands_in_where_every_call_is_preempted():
    device = Device(1.0)
    device.preempt = lambda call: True
    cpu = FakeClock()

    def run():
        device()
        cpu.advance_ms(1.0)  # the 4 ms on the run queue are not the thread's

    watch = Stopwatch(device.clock, preemptions=lambda: device.preemptions, cpu_clock_ns=cpu)
    found = measure(run, watch=watch, config=MeasureConfig(max_time_ms=100))
    assert found.median_ms == 1.0
    assert found.n_cpu_time == found.n


def test_a_machine_too_busy_to_measure_on_is_said_so():
    device = Device(1.0)
    device.preempt = lambda call: True
    with pytest.raises(RuntimeFailureError, match="too busy"):
        measure(device, watch=device.watch, config=MeasureConfig(max_time_ms=100))


def test_measure_goes_on_until_the_median_is_known_well_enough():
    rng = np.random.default_rng(1)
    noisy = Device(lambda call: 1 + 0.2 * rng.standard_normal())
    steady = Device(1.0)
    config = MeasureConfig(min_samples=10, max_samples=500, max_time_ms=1e6, interval=0.02)
    assert measure(steady, watch=steady.watch, config=config).n == 10
    found = measure(noisy, watch=noisy.watch, config=config)
    assert found.n > 50
    assert found.interval_ms <= 0.02 * found.median_ms


def test_very_short_calls_are_timed_several_at_a_time():
    device = Device(0.001)
    found = measure(device, watch=device.watch, config=MeasureConfig(min_sample_ms=0.02, min_samples=10))
    assert found.median_ms == pytest.approx(0.001)
    assert device.calls > 10 * 15


def test_measure_interleaved_tells_cold_calls_from_warm_ones():
    last = [-1]

    def run_of(index, cold_ms, warm_ms):
        def run():
            clock.advance_ms(warm_ms if last[0] == index else cold_ms)
            last[0] = index

        return run

    clock = FakeClock()
    runs = [run_of(i, 2.0 + i, 1.0 + i) for i in range(5)]
    watch = Stopwatch(clock, preemptions=lambda: 0)
    found = measure_interleaved(runs, rng=np.random.default_rng(0), rounds=8, watch=watch)
    for i, result in enumerate(found):
        assert result.warm.median_ms == 1.0 + i
        assert result.cold.median_ms == 2.0 + i
        assert result.warm.n == 8


def test_measure_interleaved_visits_in_a_new_order_each_round():
    order = []
    clock = FakeClock()

    def run_of(index):
        def run():
            clock.advance_ms(1.0)
            order.append(index)

        return run

    watch = Stopwatch(clock, preemptions=lambda: 0)
    measure_interleaved([run_of(i) for i in range(6)], rng=np.random.default_rng(0), rounds=4, watch=watch)
    visits = [i for n, i in enumerate(order) if n == 0 or order[n - 1] != i][-24:]
    rounds = {tuple(visits[start : start + 6]) for start in range(0, 24, 6)}
    assert len(rounds) > 1


def test_measure_interleaved_fills_warm_samples_of_short_operators_within_a_limit():
    clock, calls = FakeClock(), [0]

    def run():
        calls[0] += 1
        clock.advance_ms(0.001)

    watch = Stopwatch(clock, preemptions=lambda: 0)
    measure_interleaved([run], rng=np.random.default_rng(0), rounds=5, warm_ms=1.0, watch=watch)
    assert calls[0] >= 5 * MAX_WARM_CALLS


def test_garbage_collection_rests_while_measuring_and_goes_on_after():
    seen = []
    device = Device(1.0)

    def run():
        seen.append(gc.isenabled())
        device()

    measure(run, watch=device.watch)
    assert not any(seen)
    assert gc.isenabled()


def test_what_disturbed_each_sample_is_marked_and_the_dropped_ones_keep_their_times():
    device = Device(1.0)
    device.preempt = lambda call: call % 3 == 0
    found = measure(device, watch=device.watch)
    assert found.marks == ""
    assert found.dropped.n == found.n_dropped > 5
    assert found.dropped.times_ms() == {"1": pytest.approx([5.0] * found.n_dropped, rel=4e-3)}


def test_a_sample_in_which_the_clock_ran_backwards_is_told_as_such():
    device = Device(lambda call: -3.0 if call % 7 == 0 else 1.0)
    found = measure(device, watch=device.watch)
    assert found.dropped.times_ms() == {"c": (0.0,) * found.n_dropped}


def test_kept_samples_of_a_slowed_core_are_marked_and_the_slower_ones_are_told():
    device = Device(lambda call: 1.0 if call % 3 == 0 else 1.6)

    class Gauge:
        def is_slow(self):
            return True

    watch = Stopwatch(device.clock, preemptions=lambda: 0, gauge=Gauge())
    found = measure(device, watch=watch, config=MeasureConfig(max_time_ms=100))
    assert found.marks == "s" * found.n
    assert set(found.dropped.times_ms()) == {"s"}
    assert found.dropped.n == found.n_dropped


def test_how_often_a_kept_call_was_preempted_is_marked():
    device, cpu = Device(1.0), FakeClock()
    device.preempt = lambda call: True

    def run():
        device()
        device.preemptions += 2
        cpu.advance_ms(1.0)

    watch = Stopwatch(device.clock, preemptions=lambda: device.preemptions, cpu_clock_ns=cpu)
    found = measure(run, watch=watch, config=MeasureConfig(max_time_ms=100))
    assert found.marks == "3" * found.n

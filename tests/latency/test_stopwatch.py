import threading
import time

import pytest
from doubles.fake_device import FakeClock
from doubles.sysfs import tree

from edgewright.latency.stopwatch import (
    SpeedGauge,
    Stopwatch,
    process_preemptions,
    thread_preemptions,
    told_preemptions,
)


class SteppingClock:
    """A clock on which the gauge's work takes as long as it is told."""

    def __init__(self, work_ns):
        self.work_ns, self.now, self.inside = work_ns, 0, False

    def __call__(self):
        if self.inside:
            self.now += self.work_ns
        self.inside = not self.inside
        return self.now


def gauge_on(clock):
    return SpeedGauge(clock, sleep=lambda seconds: None)


def test_a_steady_core_is_not_slow():
    assert not gauge_on(SteppingClock(900)).is_slow()


def test_a_shared_core_is_slow():
    clock = SteppingClock(900)
    gauge = gauge_on(clock)
    clock.work_ns = 1500
    assert gauge.is_slow()


def test_a_machine_that_is_always_busy_is_its_own_reference():
    clock = SteppingClock(1500)
    assert not gauge_on(clock).is_slow()


def test_a_known_reference_shows_a_machine_that_is_busy_from_the_start():
    gauge = SpeedGauge(SteppingClock(1500), sleep=lambda seconds: None, reference_ns=900.0)
    assert gauge.is_slow()


def test_the_reference_falls_once_a_faster_level_is_held():
    clock = SteppingClock(1500)
    gauge = gauge_on(clock)
    clock.work_ns = 900
    for _ in range(60):
        gauge.read()
    clock.work_ns = 1500
    assert gauge.is_slow()


def test_one_quick_reading_does_not_move_the_reference():
    clock = SteppingClock(900)
    gauge = gauge_on(clock)
    clock.work_ns = 100
    gauge.read()
    clock.work_ns = 900
    for _ in range(60):
        gauge.read()
    assert not gauge.is_slow()


def test_preemption_counters_never_fall():
    for count in (thread_preemptions, process_preemptions):
        before = count()
        worker = threading.Thread(target=lambda: sum(range(200_000)))
        worker.start()
        worker.join()
        assert count() >= before >= 0


def test_a_sample_is_the_mean_of_its_calls():
    clock = FakeClock()
    lengths = iter([1.0, 2.0, 3.0])
    watch = Stopwatch(clock, preemptions=lambda: 0)
    sample = watch.sample(lambda: clock.advance_ms(next(lengths)), lambda: None, 3)
    assert sample.wall_ms == 2.0
    assert sample.is_clean


def test_synchronize_belongs_to_the_sample():
    clock = FakeClock()
    watch = Stopwatch(clock, preemptions=lambda: 0)
    assert watch.sample(lambda: None, lambda: clock.advance_ms(5.0)).wall_ms == 5.0


def test_real_clocks_give_positive_samples():
    for threads in (1, 2):
        watch = Stopwatch.for_threads(threads)
        sample = watch.sample(lambda: time.sleep(0.002), lambda: None)
        assert sample.wall_ms >= 1.9


SCHED = """\
python (13755, #threads: 1)
-------------------------------------------------------------------
se.exec_start                                :      50368948.062262
nr_switches                                  :                  731
nr_voluntary_switches                        :                  702
nr_involuntary_switches                      :                   29
policy                                       :                    0
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (SCHED, 29),
        (SCHED.replace("                   29", "           many"), None),
        (SCHED.replace("nr_involuntary_switches", "nr_others"), None),
        ("", None),
        ("nr_involuntary_switches", None),
        ("nr_involuntary_switches : -3", None),
        ("\xff\xfe", None),
        (None, None),
    ],
)
def test_the_schedulers_own_account_is_read_where_it_makes_sense(tmp_path, text, count):
    if text is not None:
        tree(tmp_path, {"/proc/thread-self/sched": text})
    assert told_preemptions(tmp_path) == count


def test_the_schedulers_own_account_never_falls_here():
    first, second = told_preemptions(), told_preemptions()
    assert (first is None) == (second is None)
    assert first is None or 0 <= first <= second

"""One timed sample, and whether it can be trusted.

Two things disturb a sample on a shared machine. The kernel may take the thread off its core: its
counter of involuntary context switches moves. Or another process works on the same physical core
(hyper-threading, or two virtual CPUs on one core): nothing is counted, yet everything takes up to
1.6 times as long, switching to and fro within milliseconds. A :class:`SpeedGauge`, a fixed piece of
work timed before and after each sample, shows it. The work is done twice before it is timed: a
sample leaves the caches full of its own data, and the first repetition then takes five times as long.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

resource: ModuleType | None
try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

Run = Callable[[], object]

_SCHED_LINE = "nr_involuntary_switches"
_REPETITIONS = 3
_GLANCES = 9


class Sample(NamedTuple):
    """One timed stretch of calls, in milliseconds of a call.

    Attributes:
        wall_ms: by the clock.
        cpu_ms: processor time of the thread; ``None`` where that says nothing.
        preempted: the thread lost its core, or the clock ran backwards.
        slowed: another process slowed the core.
        n_preemptions: how often the thread lost its core.
    """

    wall_ms: float
    cpu_ms: float | None
    preempted: bool
    slowed: bool
    n_preemptions: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing disturbed it."""
        return not (self.preempted or self.slowed)


def thread_preemptions() -> int:
    """Return how often the kernel took the calling thread off its core."""
    return _preemptions("RUSAGE_THREAD")


def process_preemptions() -> int:
    """Return how often the kernel took any thread of this process off its core."""
    return _preemptions("RUSAGE_SELF")


def told_preemptions(root: Path = Path("/")) -> int | None:
    """Return the count for the calling thread that the scheduler itself tells; ``None`` where it does not.

    Reading it takes some ten microseconds, too long beside every sample: it stands beside the counters
    above over a whole visit, and in for them where a system lacks them.
    """
    try:
        lines = (root / "proc/thread-self/sched").read_text("ascii", "replace").splitlines()
    except OSError:  # no Linux, or a kernel without it
        return None
    counts = [line.rpartition(":")[2].strip() for line in lines if line.startswith(_SCHED_LINE)]
    return int(counts[0]) if counts and counts[0].isdigit() else None


def _preemptions(who: str) -> int:
    if resource is None or not hasattr(resource, who):
        return 0  # not told here: nothing is dropped, and the verdict shows the noise
    return int(resource.getrusage(getattr(resource, who)).ru_nivcsw)


class SpeedGauge:
    """Tells whether the core runs at its usual speed, from the time of a fixed piece of work.

    The reference is the fastest level that was ever held for ``window`` readings, so that a machine
    that is busy all the time is its own reference. It is looked for over a tenth of a second when
    the gauge is made, and goes on falling with every reading.

    Args:
        clock_ns: a monotonic clock in nanoseconds.
        limit: a reading above ``limit`` times the reference means a slowed core. A shared core
            takes 1.4 to 1.9 times as long; undisturbed readings scatter by a few percent.
        window: readings of which the median makes a level.
        sleep: waits some seconds between the first readings.
        reference_ns: a level that this machine is known to hold, from a latency table's settings
            (``gauge_ns``): what is measured now is then judged by the speed that the table saw.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        *,
        limit: float = 1.15,
        window: int = 25,
        sleep: Callable[[float], object] = time.sleep,
        reference_ns: float = float("inf"),
    ) -> None:
        self.clock_ns = clock_ns
        self.sleep = sleep
        self.limit = limit
        self.window = window
        self.reference_ns = reference_ns
        self._recent: deque[int] = deque(maxlen=window)
        self._since = 0
        for _ in range(40):
            for _ in range(window):
                self.read()
            sleep(0.0025)

    def read(self) -> int:
        """Do the work until it is in the caches; return the nanoseconds of the last time."""
        for _ in range(_REPETITIONS):
            start = self.clock_ns()
            total = 0
            for i in range(60):
                total += i
            elapsed = self.clock_ns() - start
        self._recent.append(elapsed)
        self._since += 1
        if self._since >= self.window:
            self._since = 0
            self.reference_ns = min(self.reference_ns, float(np.median(self._recent)))
        return elapsed

    def was_slow_lately(self) -> bool:
        """Return whether most of some readings over a few milliseconds are slow."""
        slow = 0
        for _ in range(_GLANCES):
            slow += self.is_slow()
            self.sleep(0.0005)
        return 2 * slow > _GLANCES

    def is_slow(self) -> bool:
        """Return whether the core is slowed now."""
        return self.read() > self.limit * self.reference_ns


class Stopwatch:
    """Times calls; says of each sample whether it was disturbed.

    Args:
        clock_ns: a monotonic clock in nanoseconds.
        preemptions: a counter that grows when the measured threads lose their core.
        cpu_clock_ns: processor time of the measured thread; ``None`` where the work is done by
            several threads or by a device.
        gauge: tells a slowed core; ``None`` to trust them all.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        preemptions: Callable[[], int] = thread_preemptions,
        cpu_clock_ns: Callable[[], int] | None = None,
        gauge: SpeedGauge | None = None,
    ) -> None:
        self.clock_ns = clock_ns
        self.preemptions = preemptions
        self.cpu_clock_ns = cpu_clock_ns
        self.gauge = gauge

    @classmethod
    def for_threads(cls, threads: int, *, reference_ns: float = float("inf")) -> Stopwatch:
        """Return one that watches the calling thread, or all threads where a runtime uses several.

        ``reference_ns`` is that of :class:`SpeedGauge`.
        """
        gauge = SpeedGauge(reference_ns=reference_ns)
        if threads > 1:
            return cls(preemptions=process_preemptions, gauge=gauge)
        return cls(cpu_clock_ns=getattr(time, "thread_time_ns", None), gauge=gauge)

    @property
    def counts(self) -> bool:
        """Whether the counter tells anything on this system."""
        of = {thread_preemptions: "RUSAGE_THREAD", process_preemptions: "RUSAGE_SELF"}
        who = of.get(self.preemptions)
        return who is None or hasattr(resource, who)

    def sample(self, run: Run, synchronize: Run, calls: int = 1) -> Sample:
        """Time ``calls`` calls of ``run`` together; ``synchronize`` returns once the device is idle."""
        clock, cpu, gauge = self.clock_ns, self.cpu_clock_ns, self.gauge
        slowed = gauge.is_slow() if gauge else False
        before = self.preemptions()
        cpu_start = cpu() if cpu else 0
        start = clock()
        for _ in range(calls):
            run()
        synchronize()
        elapsed_ns = clock() - start
        cpu_ns = cpu() - cpu_start if cpu else 0
        n_preemptions = self.preemptions() - before
        preempted = n_preemptions != 0 or elapsed_ns <= 0
        slowed = slowed or (gauge.is_slow() if gauge else False)
        cpu_ms = cpu_ns / calls / 1e6 if cpu_ns > 0 else None
        return Sample(elapsed_ns / calls / 1e6, cpu_ms, preempted, slowed, n_preemptions)

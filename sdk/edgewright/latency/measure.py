"""Timing inferences: warm-up until stable, every sample kept, disturbed samples dropped.

1. Call until the median of a window of calls stops moving (:func:`warm_up`).
2. Time call by call. A sample during which the kernel took the thread off its core, or during
   which the clock ran backwards, is dropped and counted (:class:`Stopwatch`).
3. Stop once the 95 % confidence interval of the median is narrow enough, or at the cap.

:func:`measure` times one inference in a tight loop, as an application that runs one network does.
:func:`measure_interleaved` goes round many in random order, so that slow drifts of the machine
spread over all of them, and tells the first call of a visit (caches hold what the others left)
from the following ones (caches hold the operator's own data).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from edgewright.errors import RuntimeFailureError, TableError

resource: ModuleType | None
try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

NOISY_SHARE = 0.025  # half-width of the median's confidence interval over the median
# Multiplier of IQR / sqrt(n) for the 95 % interval of a median (McGill, Tukey and Larsen 1978,
# "Variations of box plots": 1.57).
_NOTCH = 1.57
_RESOLUTION_MS = 1e-4  # samples are stored to 0.1 µs
MAX_WARM_CALLS = 30

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Samples of one inference, with what was left out.

    Attributes:
        samples_ms: milliseconds of a call, in order of time, ``(n,)``; n >= 1.
        n_warmup: calls before the first sample.
        n_dropped: samples thrown away because the thread was preempted.
        n_cpu_time: samples that are the thread's processor time, since no call of this length
            was left undisturbed; wall-clock time otherwise.
    """

    samples_ms: tuple[float, ...]
    n_warmup: int = 0
    n_dropped: int = 0
    n_cpu_time: int = 0

    @property
    def n(self) -> int:
        """Samples kept."""
        return len(self.samples_ms)

    @property
    def median_ms(self) -> float:
        """Median of the samples."""
        return float(np.median(self.samples_ms))

    @property
    def p95_ms(self) -> float:
        """95th percentile of the samples."""
        return float(np.percentile(self.samples_ms, 95))

    @property
    def iqr_ms(self) -> float:
        """Distance of the quartiles."""
        low, high = np.percentile(self.samples_ms, [25, 75])
        return float(high - low)

    @property
    def interval_ms(self) -> float:
        """Half-width of the median's 95 % confidence interval."""
        return interval_ms(self.samples_ms)

    @property
    def verdict(self) -> str:
        """``ok``, or ``noisy`` where the median is not known to within 2.5 %."""
        return "noisy" if self.interval_ms > NOISY_SHARE * self.median_ms else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "samples_ms": list(self.samples_ms),
            "n_warmup": self.n_warmup,
            "n_dropped": self.n_dropped,
            "n_cpu_time": self.n_cpu_time,
        }

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        keys = {"samples_ms", "n_warmup", "n_dropped", "n_cpu_time"}
        if not isinstance(data, dict) or set(data) != keys:
            raise TableError(f"a measurement needs exactly the keys {sorted(keys)}")
        samples = data["samples_ms"]
        if not isinstance(samples, list) or not samples:
            raise TableError("a measurement needs samples")
        for value in samples:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TableError(f"a sample must be a number of milliseconds, got {value!r}")
            if not 0 < value < 1e7:
                raise TableError(f"a sample must be positive and below 10,000 s, got {value!r} ms")
        counts = tuple(data[name] for name in ("n_warmup", "n_dropped", "n_cpu_time"))
        if any(type(count) is not int or count < 0 for count in counts):
            raise TableError(f"n_warmup, n_dropped and n_cpu_time must be counts, got {counts}")
        return cls(tuple(map(float, samples)), *counts)

    @classmethod
    def merge(cls, parts: Sequence[Measurement]) -> Measurement:
        """Return one measurement with the samples of several, in their order."""
        return cls(
            tuple(sample for part in parts for sample in part.samples_ms),
            sum(part.n_warmup for part in parts),
            sum(part.n_dropped for part in parts),
            sum(part.n_cpu_time for part in parts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """When to stop.

    Attributes:
        min_samples: at least so many are kept.
        max_samples: at most so many.
        max_time_ms: cap of one measurement, warm-up excluded.
        interval: wanted half-width of the median's 95 % confidence interval, over the median.
        min_sample_ms: shorter calls are timed several at a time, so that the clock's own cost
            stays below a percent.
        max_warmup_ms: cap of the warm-up.
    """

    min_samples: int = 30
    max_samples: int = 300
    max_time_ms: float = 2000.0
    interval: float = 0.005
    min_sample_ms: float = 0.02
    max_warmup_ms: float = 500.0


class Interleaved(NamedTuple):
    """What :func:`measure_interleaved` knows of one of its inferences."""

    cold: Measurement
    warm: Measurement


def interval_ms(samples_ms: Sequence[float]) -> float:
    """Return the half-width of the 95 % confidence interval of the median of ``samples_ms``."""
    low, high = np.percentile(samples_ms, [25, 75])
    return float(_NOTCH * (high - low) / np.sqrt(len(samples_ms)))


def thread_preemptions() -> int:
    """Return how often the kernel took the calling thread off its core."""
    return _preemptions("RUSAGE_THREAD")


def process_preemptions() -> int:
    """Return how often the kernel took any thread of this process off its core."""
    return _preemptions("RUSAGE_SELF")


def _preemptions(who: str) -> int:
    if resource is None or not hasattr(resource, who):
        return 0  # not told here: nothing is dropped, and the verdict shows the noise
    return int(resource.getrusage(getattr(resource, who)).ru_nivcsw)


class Sample(NamedTuple):
    """One timed stretch of calls, in milliseconds of a call.

    ``cpu_ms`` is the processor time of the thread, ``None`` where that says nothing.
    """

    wall_ms: float
    cpu_ms: float | None
    disturbed: bool


class Stopwatch:
    """Times calls; says of each sample whether it was disturbed.

    Args:
        clock_ns: a monotonic clock in nanoseconds.
        preemptions: a counter that grows when the measured threads lose their core.
        cpu_clock_ns: processor time of the measured thread; ``None`` where the work is done by
            several threads or by a device.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        preemptions: Callable[[], int] = thread_preemptions,
        cpu_clock_ns: Callable[[], int] | None = None,
    ) -> None:
        self.clock_ns = clock_ns
        self.preemptions = preemptions
        self.cpu_clock_ns = cpu_clock_ns

    @classmethod
    def for_threads(cls, threads: int) -> Stopwatch:
        """Return one that watches the calling thread, or all threads where a runtime uses several."""
        if threads > 1:
            return cls(preemptions=process_preemptions)
        return cls(cpu_clock_ns=getattr(time, "thread_time_ns", None))

    def sample(self, run: Run, synchronize: Run, calls: int = 1) -> Sample:
        """Time ``calls`` calls of ``run`` together; ``synchronize`` returns once the device is idle."""
        clock, cpu = self.clock_ns, self.cpu_clock_ns
        before = self.preemptions()
        cpu_start = cpu() if cpu else 0
        start = clock()
        for _ in range(calls):
            run()
        synchronize()
        elapsed_ns = clock() - start
        cpu_ns = cpu() - cpu_start if cpu else 0
        disturbed = self.preemptions() != before or elapsed_ns <= 0
        return Sample(elapsed_ns / calls / 1e6, cpu_ns / calls / 1e6 if cpu_ns > 0 else None, disturbed)


def warm_up(run: Run, synchronize: Run, watch: Stopwatch, *, window: int = 5, max_ms: float = 500.0) -> int:
    """Call until the median of ``window`` calls moves by less than 1 %; return the calls made.

    Stops after ``max_ms`` too, but never before two windows.
    """
    calls, previous, start = 0, float("inf"), watch.clock_ns()
    while True:
        times = []
        for _ in range(window):
            begin = watch.clock_ns()
            run()
            synchronize()
            times.append(watch.clock_ns() - begin)
        calls += window
        median = float(np.median(times))
        if abs(median - previous) <= 0.01 * previous and calls >= 2 * window:
            return calls
        if calls >= 2 * window and (watch.clock_ns() - start) / 1e6 > max_ms:
            return calls
        previous = median


def measure(
    run: Run,
    *,
    synchronize: Run | None = None,
    config: MeasureConfig | None = None,
    watch: Stopwatch | None = None,
) -> Measurement:
    """Time ``run`` in a tight loop: what an application sees that runs this network alone.

    Args:
        run: one inference on inputs that already lie on the device.
        synchronize: returns once the device is idle.
        config: when to stop.
        watch: clock and preemption counter.

    Raises:
        RuntimeFailureError: the machine is so busy that no sample survived.
    """
    synchronize, config, watch = synchronize or _nothing, config or MeasureConfig(), watch or Stopwatch()
    with no_garbage_collection():
        n_warmup = warm_up(run, synchronize, watch, max_ms=config.max_warmup_ms)
        calls = _calls_per_sample(run, synchronize, watch, config)
        kept, disturbed = list[Sample](), list[Sample]()
        start = watch.clock_ns()
        while len(kept) < config.max_samples:
            sample = watch.sample(run, synchronize, calls)
            (disturbed if sample.disturbed else kept).append(sample)
            enough = len(kept) >= config.min_samples
            if enough and len(kept) % 10 == 0 and _is_tight([s.wall_ms for s in kept], config.interval):
                break
            if (watch.clock_ns() - start) / 1e6 > config.max_time_ms:
                break
    return _measurement(kept, disturbed, n_warmup, min_samples=config.min_samples)


def measure_interleaved(
    runs: Sequence[Run],
    *,
    rng: np.random.Generator,
    rounds: int,
    warm_ms: float = 0.3,
    synchronize: Sequence[Run] | None = None,
    config: MeasureConfig | None = None,
    watch: Stopwatch | None = None,
) -> list[Interleaved]:
    """Time many inferences in turns, each round in a new random order.

    A visit is one call, the cold sample; one call that is not recorded; then as many as fill
    ``warm_ms``, at least two and at most :data:`MAX_WARM_CALLS`, whose mean is the warm sample.

    Args:
        runs: the inferences.
        rng: orders the rounds.
        rounds: visits to each.
        warm_ms: time that the warm calls of a visit should fill. Operators of a few microseconds
            need many calls until caches and branch predictors know them.
        synchronize: of each inference.
        config: only its cap of the warm-up counts here.
        watch: clock and preemption counter.

    Raises:
        RuntimeFailureError: the machine is so busy that no sample of an inference survived.
    """
    synchronize = synchronize or [_nothing] * len(runs)
    config, watch = config or MeasureConfig(), watch or Stopwatch()
    cold: list[list[Sample]] = [[] for _ in runs]
    warm: list[list[Sample]] = [[] for _ in runs]
    with no_garbage_collection():
        n_warmup, calls = list[int](), list[int]()
        for run, sync in zip(runs, synchronize, strict=True):
            n_warmup.append(warm_up(run, sync, watch, window=3, max_ms=config.max_warmup_ms))
            fill = MeasureConfig(min_sample_ms=warm_ms)
            calls.append(min(max(2, _calls_per_sample(run, sync, watch, fill)), MAX_WARM_CALLS))
        for _ in range(rounds):
            for index in rng.permutation(len(runs)):
                run, sync = runs[index], synchronize[index]
                cold[index].append(watch.sample(run, sync))
                watch.sample(run, sync)
                warm[index].append(watch.sample(run, sync, calls[index]))
    return [Interleaved(_split(cold[i], n_warmup[i]), _split(warm[i], n_warmup[i])) for i in range(len(runs))]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's cyclic collector out of the samples."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _calls_per_sample(run: Run, synchronize: Run, watch: Stopwatch, config: MeasureConfig) -> int:
    """Return how many calls fill ``min_sample_ms``."""
    times = [watch.sample(run, synchronize).wall_ms for _ in range(5)]
    return max(1, int(np.ceil(config.min_sample_ms / max(float(np.median(times)), _RESOLUTION_MS))))


def _split(samples: Sequence[Sample], n_warmup: int) -> Measurement:
    kept = [sample for sample in samples if not sample.disturbed]
    disturbed = [sample for sample in samples if sample.disturbed]
    return _measurement(kept, disturbed, n_warmup, min_samples=(len(samples) + 1) // 2)


def _is_tight(samples: Sequence[float], share: float) -> bool:
    return interval_ms(samples) <= share * float(np.median(samples))


def _measurement(
    kept: Sequence[Sample], disturbed: Sequence[Sample], n_warmup: int, *, min_samples: int
) -> Measurement:
    """Return the measurement of the samples that were kept.

    On a machine with more work than cores, calls longer than the scheduler's slice are never left
    alone. Where too few samples survive, the processor time of the disturbed ones stands in: it
    leaves out the time on the run queue, though not the caches that the other process displaced.
    """
    values = [sample.wall_ms for sample in kept]
    stand_ins = list[float]()
    if len(values) < min_samples:
        stand_ins = [s.cpu_ms for s in disturbed if s.cpu_ms is not None][: min_samples - len(values)]
    if not values and not stand_ins:
        raise RuntimeFailureError(
            f"all {len(disturbed)} samples were disturbed: the machine is too busy to measure on; "
            "end what else is running, then run the same command again"
        )
    # Below the resolution a stored sample would read 0, which a table refuses.
    rounded = tuple(max(_RESOLUTION_MS, round(value, 4)) for value in values + stand_ins)
    return Measurement(rounded, n_warmup, len(disturbed) - len(stand_ins), len(stand_ins))


def _nothing() -> None:
    return None

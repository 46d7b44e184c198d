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

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Samples of one inference, with what was left out.

    Attributes:
        samples_ms: milliseconds of a call, in order of time, ``(n,)``; n >= 1.
        n_warmup: calls before the first sample.
        n_dropped: samples thrown away because the thread was preempted.
    """

    samples_ms: tuple[float, ...]
    n_warmup: int = 0
    n_dropped: int = 0

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
        }

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        keys = {"samples_ms", "n_warmup", "n_dropped"}
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
        counts = data["n_warmup"], data["n_dropped"]
        if any(type(count) is not int or count < 0 for count in counts):
            raise TableError(f"n_warmup and n_dropped must be counts, got {counts}")
        return cls(tuple(map(float, samples)), *counts)


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


class Stopwatch:
    """Times calls; says of each sample whether it was disturbed.

    Args:
        clock_ns: a monotonic clock in nanoseconds.
        preemptions: a counter that grows when the measured threads lose their core.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        preemptions: Callable[[], int] = thread_preemptions,
    ) -> None:
        self.clock_ns = clock_ns
        self.preemptions = preemptions

    @classmethod
    def for_threads(cls, threads: int) -> Stopwatch:
        """Return one that watches the calling thread, or all threads where a runtime uses several."""
        return cls(preemptions=thread_preemptions if threads == 1 else process_preemptions)

    def sample_ms(self, run: Run, synchronize: Run, calls: int = 1) -> float | None:
        """Return the milliseconds of a call; ``None`` if the sample was disturbed.

        Args:
            run: one inference.
            synchronize: returns once the device is idle.
            calls: how many are timed together.
        """
        clock, before = self.clock_ns, self.preemptions()
        start = clock()
        for _ in range(calls):
            run()
        synchronize()
        elapsed_ns = clock() - start
        if elapsed_ns <= 0 or self.preemptions() != before:
            return None
        return elapsed_ns / calls / 1e6


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
        samples, n_dropped = list[float](), 0
        start = watch.clock_ns()
        while len(samples) < config.max_samples:
            sample = watch.sample_ms(run, synchronize, calls)
            if sample is None:
                n_dropped += 1
            else:
                samples.append(sample)
            elapsed_ms = (watch.clock_ns() - start) / 1e6
            enough = len(samples) >= config.min_samples
            if enough and len(samples) % 10 == 0 and _is_tight(samples, config.interval):
                break
            if elapsed_ms > config.max_time_ms and (enough or elapsed_ms > 3 * config.max_time_ms):
                break
    return _measurement(samples, n_warmup, n_dropped)


def measure_interleaved(
    runs: Sequence[Run],
    *,
    rng: np.random.Generator,
    rounds: int,
    calls: int = 3,
    synchronize: Sequence[Run] | None = None,
    config: MeasureConfig | None = None,
    watch: Stopwatch | None = None,
) -> list[Interleaved]:
    """Time many inferences in turns, each round in a new random order.

    Args:
        runs: the inferences.
        rng: orders the rounds.
        rounds: visits to each.
        calls: of a visit; the first is a cold sample, the median of the others a warm one. At
            least 2.
        synchronize: of each inference.
        config: only its cap of the warm-up counts here.
        watch: clock and preemption counter.

    Raises:
        RuntimeFailureError: the machine is so busy that no sample of an inference survived.
    """
    synchronize = synchronize or [_nothing] * len(runs)
    config, watch = config or MeasureConfig(), watch or Stopwatch()
    cold: list[list[float | None]] = [[] for _ in runs]
    warm: list[list[float | None]] = [[] for _ in runs]
    with no_garbage_collection():
        n_warmup = [
            warm_up(run, sync, watch, window=3, max_ms=config.max_warmup_ms)
            for run, sync in zip(runs, synchronize, strict=True)
        ]
        for _ in range(rounds):
            for index in rng.permutation(len(runs)):
                first, following = _visit(runs[index], synchronize[index], watch, calls)
                cold[index].append(first)
                warm[index].append(following)
    return [
        Interleaved(_undisturbed(cold[i], n_warmup[i]), _undisturbed(warm[i], n_warmup[i]))
        for i in range(len(runs))
    ]


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


def _visit(run: Run, synchronize: Run, watch: Stopwatch, calls: int) -> tuple[float | None, float | None]:
    """Return the cold sample of a visit and one warm sample; ``None`` where disturbed."""
    first, *following = (watch.sample_ms(run, synchronize) for _ in range(calls))
    warm = [sample for sample in following if sample is not None]
    return first, float(np.median(warm)) if warm else None


def _undisturbed(samples: Sequence[float | None], n_warmup: int) -> Measurement:
    kept = [sample for sample in samples if sample is not None]
    return _measurement(kept, n_warmup, len(samples) - len(kept))


def _calls_per_sample(run: Run, synchronize: Run, watch: Stopwatch, config: MeasureConfig) -> int:
    """Return how many calls fill ``min_sample_ms``."""
    times = [t for _ in range(5) if (t := watch.sample_ms(run, synchronize)) is not None]
    if not times:
        return 1
    return max(1, int(np.ceil(config.min_sample_ms / max(float(np.median(times)), 1e-6))))


def _is_tight(samples: Sequence[float], share: float) -> bool:
    return interval_ms(samples) <= share * float(np.median(samples))


def _measurement(samples: Sequence[float], n_warmup: int, n_dropped: int) -> Measurement:
    if not samples:
        raise RuntimeFailureError(
            f"all {n_dropped} samples were disturbed: the machine is too busy to measure on; "
            "end what else is running, then run the same command again"
        )
    # Below the resolution a stored sample would read 0, which a table refuses.
    rounded = tuple(max(_RESOLUTION_MS, round(sample, 4)) for sample in samples)
    return Measurement(rounded, n_warmup, n_dropped)


def _nothing() -> None:
    return None

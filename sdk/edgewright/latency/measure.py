"""Timing inferences: warm-up until stable, every sample kept, disturbed samples dropped.

1. Call until the median of a window of calls stops moving (:func:`warm_up`).
2. Time call by call. A sample during which the kernel took the thread off its core, during which
   the clock ran backwards, or beside which the core was slowed by others, is dropped and counted
   (:mod:`edgewright.latency.stopwatch`).
3. Stop once the 95 % confidence interval of the median is narrow enough, or at the cap.

:func:`measure` times one inference in a tight loop, as an application that runs one network does.
:func:`measure_interleaved` goes round many in random order, so that slow drifts of the machine
spread over all of them, and tells the first call of a visit (caches hold what the others left)
from the following ones (caches hold the operator's own data).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edgewright.errors import RuntimeFailureError
from edgewright.latency.measurement import RESOLUTION_MS, Interleaved, Measurement, interval_ms, rounded_ms
from edgewright.latency.notes import Dropped, mark_of
from edgewright.latency.stopwatch import Run, Sample, Stopwatch

__all__ = [
    "Interleaved",
    "MeasureConfig",
    "Measurement",
    "Stopwatch",
    "interval_ms",
    "measure",
    "measure_interleaved",
    "no_garbage_collection",
    "warm_up",
]

MAX_WARM_CALLS = 30
# Fewer clean samples than this are eked out with disturbed ones.
_FEW = 3
# How many times longer to go on while there are too few clean samples.
_PATIENCE = 3
_HOPELESS = 0.1  # share of clean samples below which the machine is taken to be always like this


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
        samples, clean = list[Sample](), list[float]()
        start = watch.clock_ns()
        while len(clean) < config.max_samples:
            samples.append(sample := watch.sample(run, synchronize, calls))
            if sample.is_clean:
                clean.append(sample.wall_ms)
            elapsed_ms = (watch.clock_ns() - start) / 1e6
            enough = len(clean) >= config.min_samples
            if enough and len(clean) % 10 == 0 and _is_tight(clean, config.interval):
                break
            patience = 1 if enough or _is_hopeless([samples]) else _PATIENCE
            if elapsed_ms > config.max_time_ms * patience and len(samples) >= config.min_samples:
                break
            if elapsed_ms > config.max_time_ms * _PATIENCE:
                break
    return kept_samples(samples, n_warmup, min_samples=max(_FEW, config.min_samples // 4))


def measure_interleaved(
    runs: Sequence[Run],
    *,
    rng: np.random.Generator,
    rounds: int,
    warm_ms: float = 0.3,
    samples: int = 1,
    settle: int = 1,
    synchronize: Sequence[Run] | None = None,
    config: MeasureConfig | None = None,
    watch: Stopwatch | None = None,
) -> list[Interleaved]:
    """Time many inferences in turns, each round in a new random order.

    A visit is one call, the cold sample; ``settle`` calls that are not recorded; then ``samples`` warm
    samples, each the mean of as many calls as fill ``warm_ms``, at most :data:`MAX_WARM_CALLS`.

    Args:
        runs: the inferences.
        rng: orders the rounds.
        rounds: clean visits to each; up to three times as many are made where others slow the core now
            and then, but not where they do so all the time.
        warm_ms: time that the calls of a warm sample should fill. Operators of a few microseconds
            need many calls until caches and branch predictors know them.
        samples: warm samples of a visit.
        settle: calls until the caches hold the inference's own data; a whole network needs several.
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
            calls.append(min(_calls_per_sample(run, sync, watch, fill), MAX_WARM_CALLS))
        for number in range(rounds * _PATIENCE):
            if number >= rounds and _is_hopeless(warm):
                break
            for index in rng.permutation(len(runs)):
                if sum(sample.is_clean for sample in warm[index]) >= rounds * samples:
                    continue
                run, sync = runs[index], synchronize[index]
                cold[index].append(watch.sample(run, sync))
                for _ in range(settle):
                    watch.sample(run, sync)
                warm[index] += [watch.sample(run, sync, calls[index]) for _ in range(samples)]
    least = max(_FEW, rounds // 4)
    return [
        Interleaved(
            kept_samples(cold[i], n_warmup[i], min_samples=least),
            kept_samples(warm[i], n_warmup[i], min_samples=least),
        )
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


def _calls_per_sample(run: Run, synchronize: Run, watch: Stopwatch, config: MeasureConfig) -> int:
    """Return how many calls fill ``min_sample_ms``."""
    times = [watch.sample(run, synchronize).wall_ms for _ in range(5)]
    return max(1, int(np.ceil(config.min_sample_ms / max(float(np.median(times)), RESOLUTION_MS))))


def _is_tight(samples: Sequence[float], share: float) -> bool:
    return interval_ms(samples) <= share * float(np.median(samples))


def kept_samples(samples: Sequence[Sample], n_warmup: int, *, min_samples: int) -> Measurement:
    """Return the measurement of the samples that may be kept.

    On a machine with more work than cores no call may be left alone for long. Where too few clean
    samples exist, the fastest quarter of those with a slowed core is kept too: others only ever add
    time, in stretches shorter than a sample, so the fastest were disturbed least. Where even these
    are too few, the processor time of preempted calls stands in: it leaves out the time on the run
    queue, though not the caches that another process displaced.
    """
    kept = [(sample.wall_ms, index) for index, sample in enumerate(samples) if sample.is_clean]
    n_slowed = n_cpu_time = 0
    if len(kept) < min_samples:
        slowed = sorted((s.wall_ms, index) for index, s in enumerate(samples) if s.slowed and not s.preempted)
        slowed = slowed[: -(-len(slowed) // 4)]
        kept, n_slowed = kept + slowed, len(slowed)
    if len(kept) < min_samples:
        cpu = sorted((s.cpu_ms, i) for i, s in enumerate(samples) if s.preempted and s.cpu_ms is not None)
        cpu = cpu[: min_samples - len(kept)]
        kept, n_cpu_time = kept + cpu, len(cpu)
    if not kept:
        raise all_disturbed(len(samples))
    indices = {index for _, index in kept}
    return Measurement(
        tuple(rounded_ms(ms) for ms, _ in kept),
        n_warmup,
        len(samples) - len(kept),
        n_slowed,
        n_cpu_time,
        marks="".join(mark_of(samples[index]) for _, index in kept) if n_slowed or n_cpu_time else "",
        dropped=Dropped.of((mark_of(s), s.wall_ms) for i, s in enumerate(samples) if i not in indices),
    )


def all_disturbed(n: int) -> RuntimeFailureError:
    """Return the error of ``n`` samples none of which can be kept."""
    return RuntimeFailureError(
        f"all {n} samples were disturbed: the machine is too busy to measure on; "
        "end what else is running, then run the same command again"
    )


def _is_hopeless(samples: Sequence[Sequence[Sample]]) -> bool:
    """Return whether so few samples are clean that waiting for more is of no use."""
    total = sum(map(len, samples))
    return sum(sample.is_clean for each in samples for sample in each) < _HOPELESS * total


def _nothing() -> None:
    return None

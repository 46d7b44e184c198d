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
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from edgewright.errors import RuntimeFailureError, TableError
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

NOISY_SHARE = 0.025  # half-width of the median's confidence interval over the median
# Multiplier of IQR / sqrt(n) for the 95 % interval of a median (McGill, Tukey and Larsen 1978,
# "Variations of box plots": 1.57).
_NOTCH = 1.57
_RESOLUTION_MS = 1e-4  # samples are stored to 0.1 µs
MAX_WARM_CALLS = 30
# Fewer clean samples than this are eked out with disturbed ones.
_FEW = 3
# How many times longer to go on while there are too few clean samples.
_PATIENCE = 3
_HOPELESS = 0.1  # share of clean samples below which the machine is taken to be always like this


@dataclass(frozen=True, slots=True)
class Measurement:
    """Samples of one inference, with what was left out.

    Attributes:
        samples_ms: milliseconds of a call, in order of time, ``(n,)``; n >= 1.
        n_warmup: calls before the first sample.
        n_dropped: samples thrown away because the thread was preempted or its core slowed.
        n_slowed: samples kept although others slowed the core, since there were too few without.
        n_cpu_time: samples that are the thread's processor time, since no call of this length
            was left undisturbed; wall-clock time otherwise.
        throttled: why the machine held itself back meanwhile (heat, power), as far as it tells.
    """

    samples_ms: tuple[float, ...]
    n_warmup: int = 0
    n_dropped: int = 0
    n_slowed: int = 0
    n_cpu_time: int = 0
    throttled: tuple[str, ...] = ()

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
        """``ok``, ``throttled``, or ``noisy``: not known to within 2.5 %, or of a disturbed machine."""
        if self.throttled:
            return "throttled"
        disturbed = 2 * (self.n_slowed + self.n_cpu_time) > self.n
        return "noisy" if disturbed or self.interval_ms > NOISY_SHARE * self.median_ms else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "samples_ms": list(self.samples_ms),
            "n_warmup": self.n_warmup,
            "n_dropped": self.n_dropped,
            "n_slowed": self.n_slowed,
            "n_cpu_time": self.n_cpu_time,
            "throttled": list(self.throttled),
        }

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        names = ("n_warmup", "n_dropped", "n_slowed", "n_cpu_time")
        keys = {"samples_ms", "throttled", *names}
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
        counts: dict[str, int] = {name: data[name] for name in names}
        if any(type(count) is not int or count < 0 for count in counts.values()):
            raise TableError(f"{', '.join(names)} must be counts, got {counts}")
        throttled = data["throttled"]
        if not isinstance(throttled, list) or not all(isinstance(reason, str) for reason in throttled):
            raise TableError(f"throttled must be a list of reasons, got {throttled!r:.80}")
        return cls(tuple(map(float, samples)), throttled=tuple(throttled), **counts)

    def scaled(self, factor: float) -> Measurement:
        """Return the measurement with every sample multiplied by ``factor``."""
        return replace(self, samples_ms=tuple(rounded_ms(factor * sample) for sample in self.samples_ms))

    @classmethod
    def merge(cls, parts: Sequence[Measurement]) -> Measurement:
        """Return one measurement with the samples of several, in their order."""
        return cls(
            tuple(sample for part in parts for sample in part.samples_ms),
            sum(part.n_warmup for part in parts),
            sum(part.n_dropped for part in parts),
            sum(part.n_slowed for part in parts),
            sum(part.n_cpu_time for part in parts),
            tuple(dict.fromkeys(reason for part in parts for reason in part.throttled)),
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
    """What is known of one of several inferences that were timed in turns.

    Attributes:
        cold: calls that followed those of another inference.
        warm: calls that followed its own.
        beside_ms: what a reference took beside each warm sample
            (:func:`~edgewright.latency.paired.measure_paired`); empty where there was none.
    """

    cold: Measurement
    warm: Measurement
    beside_ms: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        beside = {"beside_ms": list(self.beside_ms)} if self.beside_ms else {}
        return {"cold": self.cold.to_json(), "warm": self.warm.to_json(), **beside}

    @classmethod
    def from_json(cls, data: Any) -> Interleaved:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        cold, warm = Measurement.from_json(data["cold"]), Measurement.from_json(data["warm"])
        beside = tuple(float(ms) for ms in data.get("beside_ms", ()))
        if beside and (len(beside) != warm.n or not all(0 < ms < 1e7 for ms in beside)):
            raise TableError(f"{warm.n} samples need as many positive times beside them, got {len(beside)}")
        return cls(cold, warm, beside)


def interval_ms(samples_ms: Sequence[float]) -> float:
    """Return the half-width of the 95 % confidence interval of the median of ``samples_ms``."""
    low, high = np.percentile(samples_ms, [25, 75])
    return float(_NOTCH * (high - low) / np.sqrt(len(samples_ms)))


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
    return max(1, int(np.ceil(config.min_sample_ms / max(float(np.median(times)), _RESOLUTION_MS))))


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
    values = [sample.wall_ms for sample in samples if sample.is_clean]
    n_slowed = n_cpu_time = 0
    if len(values) < min_samples:
        slowed = sorted(sample.wall_ms for sample in samples if sample.slowed and not sample.preempted)
        slowed = slowed[: -(-len(slowed) // 4)]
        values, n_slowed = values + slowed, len(slowed)
    if len(values) < min_samples:
        cpu = sorted(sample.cpu_ms for sample in samples if sample.preempted and sample.cpu_ms is not None)
        cpu = cpu[: min_samples - len(values)]
        values, n_cpu_time = values + cpu, len(cpu)
    if not values:
        raise all_disturbed(len(samples))
    rounded = tuple(map(rounded_ms, values))
    return Measurement(rounded, n_warmup, len(samples) - len(values), n_slowed, n_cpu_time)


def all_disturbed(n: int) -> RuntimeFailureError:
    """Return the error of ``n`` samples none of which can be kept."""
    return RuntimeFailureError(
        f"all {n} samples were disturbed: the machine is too busy to measure on; "
        "end what else is running, then run the same command again"
    )


def rounded_ms(ms: float) -> float:
    """Return a sample as it is stored: below the resolution it would read 0, which a table refuses."""
    return max(_RESOLUTION_MS, round(ms, 4))


def _is_hopeless(samples: Sequence[Sequence[Sample]]) -> bool:
    """Return whether so few samples are clean that waiting for more is of no use."""
    total = sum(map(len, samples))
    return sum(sample.is_clean for each in samples for sample in each) < _HOPELESS * total


def _nothing() -> None:
    return None

"""Timing whole networks against a reference that takes turns with them.

What slows a shared machine slows all that runs on it, for seconds on end and by up to a half; a
network's own samples cannot tell that from a slow network. A reference network that is timed a few
milliseconds before and after tells it: both slow down by about the same factor. On a virtual
machine of two processors with busy neighbours, medians of eight visits to a network repeated to
8 %, their ratios to the reference to 1 % (``docs/adr/0011-networks-beside-a-reference.md``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgewright.latency.measure import all_disturbed, kept_samples, no_garbage_collection, warm_up
from edgewright.latency.measurement import Interleaved, Measurement, rounded_ms
from edgewright.latency.notes import ALONE, CLEAN, Dropped, mark_of
from edgewright.latency.stopwatch import Run, Sample, Stopwatch

TURNS = 3  # blocks of a network's samples in a visit, with the reference before and after each
_SETTLE_MS = 8.0  # after so long, a network's own data fill the caches
_MAX_SETTLE = 10
_FIRST_SETTLE = 4  # calls at least of the first block of a visit
_BLOCK_MS = 12.0  # of samples in a block, where they are short enough
_MIN_BLOCK, _MAX_BLOCK = 2, 4


def measure_paired(
    runs: Sequence[Run],
    reference: Run,
    *,
    rng: np.random.Generator,
    rounds: int,
    synchronize: Sequence[Run] | None = None,
    max_warmup_ms: float = 50.0,
    watch: Stopwatch | None = None,
) -> list[Interleaved]:
    """Time each inference in blocks that take turns with blocks of a reference.

    A block is a few calls that are not recorded, until the caches hold the inference's own data, and
    two to four samples. Every warm sample comes with the reference's median over the blocks before
    and after it (``beside_ms``). Of a preempted call counts the thread's processor time, since the
    time on the run queue is no part of it.

    Args:
        runs: the inferences.
        reference: what they are timed beside.
        rng: orders each round.
        rounds: visits to each.
        synchronize: of each inference, and of the reference last.
        max_warmup_ms: cap of each warm-up.
        watch: clock and preemption counter.

    Returns:
        What was found of each inference, and of the reference last.

    Raises:
        RuntimeFailureError: the machine is so busy that no sample of an inference survived.
    """
    watch = watch or Stopwatch()
    everyone = [*runs, reference]
    syncs = synchronize or [_nothing] * len(everyone)
    with no_garbage_collection():
        blocks = [_Blocks(run, sync, watch, max_warmup_ms) for run, sync in zip(everyone, syncs, strict=True)]
        beside = blocks[-1]
        beside.settle = 1  # what it lacks in its caches it lacks beside every network alike
        for _ in range(rounds):
            for index in rng.permutation(len(runs)):
                before = beside.take(first=True)
                for turn in range(TURNS):
                    own = blocks[index].take(first=turn == 0)
                    after = beside.take()
                    blocks[index].keep(own, [*before, *after])
                    before = after
    return [block.found() for block in blocks[:-1]] + [beside.found_alone()]


class _Blocks:
    """Takes blocks of samples of one inference, and keeps those that have something beside them."""

    def __init__(self, run: Run, synchronize: Run, watch: Stopwatch, max_warmup_ms: float) -> None:
        self._run, self._synchronize, self._watch = run, synchronize, watch
        self._n_warmup = warm_up(run, synchronize, watch, window=3, max_ms=max_warmup_ms)
        each_ms = max(1e-3, float(np.median([self._sample().wall_ms for _ in range(3)])))
        self.settle = min(_MAX_SETTLE, math.ceil(_SETTLE_MS / each_ms))
        self._n = max(_MIN_BLOCK, min(_MAX_BLOCK, math.ceil(_BLOCK_MS / each_ms)))
        self._warm, self._beside = list[float](), list[float]()
        self._begun, self._taken = list[Sample](), list[Sample]()
        self._kept = list[bool]()  # of each block, whether the reference lay beside it

    def take(self, *, first: bool = False) -> list[float]:
        """Return a block's samples in milliseconds; the ``first`` of a visit begins with the cold call."""
        begin = self._sample()
        if first:
            self._begun.append(begin)
        for _ in range((max(self.settle, _FIRST_SETTLE) if first else self.settle) - 1):
            self._sample()
        samples = [self._sample() for _ in range(self._n)]
        self._taken += samples
        return [ms for ms in map(_usable_ms, samples) if ms is not None]

    def keep(self, samples: Sequence[float], beside: Sequence[float]) -> None:
        """Keep a block's samples, with what the reference took beside them."""
        self._kept.append(bool(beside))
        if beside:
            self._warm += samples
            self._beside += [float(np.median(beside))] * len(samples)

    def found(self) -> Interleaved:
        """Return what was kept. Raises ``RuntimeFailureError`` where nothing was."""
        if not self._warm:
            raise all_disturbed(len(self._taken))
        samples = tuple(map(rounded_ms, self._warm))
        n_dropped = len(self._taken) - len(samples)
        n_cpu_time = max(0, sum(sample.preempted for sample in self._taken) - n_dropped)
        beside = [kept for kept in self._kept for _ in range(self._n)]
        marks, dropped = _noted(self._taken, beside)
        warm = Measurement(
            samples, self._n_warmup, n_dropped, n_cpu_time=n_cpu_time, marks=marks, dropped=dropped
        )
        return Interleaved(self._cold(warm), warm, tuple(map(rounded_ms, self._beside)))

    def found_alone(self) -> Interleaved:
        """Return all samples by the rules of those that have nothing beside them."""
        warm = kept_samples(self._taken, self._n_warmup, min_samples=max(1, len(self._taken) // 10))
        return Interleaved(self._cold(warm), warm)

    def _cold(self, warm: Measurement) -> Measurement:
        """Return the first calls of the visits; a warm sample where none of them can be used."""
        usable = [ms for ms in map(_usable_ms, self._begun) if ms is not None]
        marks, dropped = _noted(self._begun, [True] * len(self._begun))
        return Measurement(
            tuple(map(rounded_ms, usable)) or warm.samples_ms[:1],
            n_dropped=dropped.n,
            marks=marks if usable else "",
            dropped=dropped,
        )

    def _sample(self) -> Sample:
        return self._watch.sample(self._run, self._synchronize)


def _usable_ms(sample: Sample) -> float | None:
    return sample.cpu_ms if sample.preempted else sample.wall_ms


def _noted(samples: Sequence[Sample], beside: Sequence[bool]) -> tuple[str, Dropped]:
    """Return the marks of the samples that were kept, empty where all are clean, and the others."""
    marks, dropped = list[str](), list[tuple[str, float]]()
    for sample, has_reference in zip(samples, beside, strict=True):
        mark, usable = mark_of(sample), _usable_ms(sample) is not None
        if usable and has_reference:
            marks.append(mark)
        else:
            dropped.append((ALONE if usable else mark, sample.wall_ms))
    return ("".join(marks) if set(marks) - {CLEAN} else ""), Dropped.of(dropped)


def _nothing() -> None:
    return None

"""Samples of one inference with all that is known of them: what a journal, a table and an agent pass on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from edgewright.errors import TableError
from edgewright.latency.notes import CLEAN, MARKS, NONE_DROPPED, TAINTED, UNKNOWN, Dropped, Moment

NOISY_SHARE = 0.025  # half-width of the median's confidence interval over the median
RESOLUTION_MS = 1e-4  # samples are stored to 0.1 µs
# Multiplier of IQR / sqrt(n) for the 95 % interval of a median (McGill, Tukey and Larsen 1978,
# "Variations of box plots": 1.57).
_NOTCH = 1.57
_COUNTS = ("n_warmup", "n_dropped", "n_slowed", "n_cpu_time")
_NOTED = ("marks", "dropped", "moments")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Samples of one inference, with what was left out.

    Attributes:
        samples_ms: milliseconds of a call, in order of time, ``(n,)``; n >= 1.
        n_warmup: calls before the first sample.
        n_dropped: samples thrown away because the thread was preempted or its core slowed, or their whole
            visit was tainted.
        n_slowed: samples kept although others slowed the core, since there were too few without.
        n_cpu_time: samples that are the thread's processor time, since no call of this length
            was left undisturbed; wall-clock time otherwise.
        throttled: why the machine held itself back meanwhile (heat, power), as far as it tells.
        marks: a character for each sample, what disturbed it (:mod:`edgewright.latency.notes`); empty
            where nothing disturbed any.
        dropped: the samples that were thrown away, with their marks; fewer than ``n_dropped`` where an
            older edgewright only counted them. Their times are as the clock read them, never scaled.
        moments: consecutive stretches of the samples, and how the machine was around each; empty
            where nobody looked.
    """

    samples_ms: tuple[float, ...]
    n_warmup: int = 0
    n_dropped: int = 0
    n_slowed: int = 0
    n_cpu_time: int = 0
    throttled: tuple[str, ...] = ()
    marks: str = ""
    dropped: Dropped = NONE_DROPPED
    moments: tuple[Moment, ...] = ()

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
        """Return the fields as JSON values; what was not noted has no key."""
        value: dict[str, Any] = {
            "samples_ms": list(self.samples_ms),
            "n_warmup": self.n_warmup,
            "n_dropped": self.n_dropped,
            "n_slowed": self.n_slowed,
            "n_cpu_time": self.n_cpu_time,
            "throttled": list(self.throttled),
        }
        if self.marks:
            value["marks"] = self.marks
        if self.dropped.n:
            value["dropped"] = self.dropped.to_json()
        if self.moments:
            value["moments"] = [moment.to_json() for moment in self.moments]
        return value

    @classmethod
    def from_json(cls, data: Any) -> Measurement:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        keys = {"samples_ms", "throttled", *_COUNTS}
        if not isinstance(data, dict) or not keys <= set(data) <= {*keys, *_NOTED}:
            raise TableError(f"a measurement needs the keys {sorted(keys)}, and may have {sorted(_NOTED)}")
        samples = data["samples_ms"]
        if not isinstance(samples, list) or not samples:
            raise TableError("a measurement needs samples")
        for value in samples:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TableError(f"a sample must be a number of milliseconds, got {value!r}")
            if not 0 < value < 1e7:
                raise TableError(f"a sample must be positive and below 10,000 s, got {value!r} ms")
        counts: dict[str, int] = {name: data[name] for name in _COUNTS}
        if any(type(count) is not int or count < 0 for count in counts.values()):
            raise TableError(f"{', '.join(_COUNTS)} must be counts, got {counts}")
        throttled = data["throttled"]
        if not isinstance(throttled, list) or not all(isinstance(reason, str) for reason in throttled):
            raise TableError(f"throttled must be a list of reasons, got {throttled!r:.80}")
        n_warmup, n_dropped, n_slowed, n_cpu_time = counts.values()
        plain = cls(tuple(map(float, samples)), n_warmup, n_dropped, n_slowed, n_cpu_time, tuple(throttled))
        return plain._noted(data)

    def _noted(self, data: dict[str, Any]) -> Measurement:
        """Return the measurement with what ``data`` notes beside its samples. Raises ``TableError``."""
        marks, moments = data.get("marks", ""), data.get("moments", [])
        if not isinstance(marks, str) or len(marks) not in (0, self.n) or not set(marks) <= set(MARKS):
            raise TableError(f"{self.n} samples need as many marks out of {MARKS!r}, got {marks!r:.80}")
        dropped = Dropped.from_json(data.get("dropped", {}))
        if dropped.n > self.n_dropped:
            raise TableError(f"{dropped.n} samples are told as dropped where {self.n_dropped} were")
        if not isinstance(moments, list):
            raise TableError(f"moments must be a list, got {moments!r:.80}")
        found = tuple(map(Moment.from_json, moments))
        if found and sum(moment.n for moment in found) != self.n:
            counts = [moment.n for moment in found]
            raise TableError(f"moments of {counts!r:.80} samples do not add up to {self.n}")
        return replace(self, marks=marks, dropped=dropped, moments=found)

    def scaled(self, factor: float) -> Measurement:
        """Return the measurement with every sample multiplied by ``factor``."""
        return replace(self, samples_ms=tuple(rounded_ms(factor * sample) for sample in self.samples_ms))

    def beside_tainted(self, parts: Sequence[Measurement]) -> Measurement:
        """Return the measurement with the samples of tainted visits among those that were dropped."""
        tainted = Dropped.of((TAINTED, ms) for part in parts for ms in part.samples_ms)
        return replace(
            self,
            n_dropped=self.n_dropped + sum(part.n_dropped + part.n for part in parts),
            dropped=Dropped.merge([self.dropped, *(part.dropped for part in parts), tainted]),
        )

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
            "".join(map(_marks, parts)) if any(part.marks for part in parts) else "",
            Dropped.merge(part.dropped for part in parts),
            tuple(moment for part in parts for moment in part.moments or (Moment(part.n),))
            if any(part.moments for part in parts)
            else (),
        )


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


def _marks(part: Measurement) -> str:
    """Return a mark for each sample; which of them were disturbed, an older measurement does not say."""
    return part.marks or (UNKNOWN if part.n_slowed or part.n_cpu_time else CLEAN) * part.n


def interval_ms(samples_ms: Sequence[float]) -> float:
    """Return the half-width of the 95 % confidence interval of the median of ``samples_ms``."""
    low, high = np.percentile(samples_ms, [25, 75])
    return float(_NOTCH * (high - low) / np.sqrt(len(samples_ms)))


def rounded_ms(ms: float) -> float:
    """Return a sample as it is stored: below the resolution it would read 0, which a table refuses."""
    return max(RESOLUTION_MS, round(ms, 4))

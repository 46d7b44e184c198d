"""What is noted beside samples: what disturbed each, those that were left out, and how the machine was.

A mark is one character, so that a table of thousands of samples stays about as large as without:

* ``.`` nothing disturbed it;
* ``1`` to ``9`` the thread was preempted so many times, nine or more for ``9``;
* ``s`` others slowed its core;
* ``c`` the clock ran backwards;
* ``r`` nothing of the reference lay beside it (:mod:`edgewright.latency.paired`);
* ``t`` of a visit that was tainted as a whole, by its anchor or a slowed core, and made again;
* ``?`` not known, of measurements that an edgewright before table schema 4 made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgewright.devices.throttle import Snapshot
from edgewright.errors import TableError
from edgewright.latency.stopwatch import Sample

CLEAN, SLOWED, CLOCK, ALONE, TAINTED, UNKNOWN = ".", "s", "c", "r", "t", "?"
MARKS = CLEAN + "123456789" + SLOWED + CLOCK + ALONE + TAINTED + UNKNOWN
NOTHING_KNOWN = Snapshot(clock_mhz=None, temperature_c=None)

# A dropped sample's time is two digits of base 64: levels 0.6 % apart from 0.1 µs to 10,000 s.
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_LEVELS = len(_DIGITS) ** 2
_LEAST_MS, _MOST_MS = 1e-4, 1e7
_CLOCKS_MHZ, _HEAT_C = (0, 1e5), (-100, 1000)  # beyond these a system tells nonsense
_STEP = math.log(_MOST_MS / _LEAST_MS) / (_LEVELS - 2)  # level 0 is a time that is not positive


def mark_of(sample: Sample) -> str:
    """Return the mark of a sample."""
    if sample.wall_ms <= 0:
        return CLOCK
    if sample.preempted:
        return str(min(9, max(1, sample.n_preemptions)))
    return SLOWED if sample.slowed else CLEAN


@dataclass(frozen=True, slots=True)
class Dropped:
    """Samples that were thrown away: why, and how long they took.

    Attributes:
        packed: mark and times of each kind, in the order of :data:`MARKS`; a time is two characters.
    """

    packed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, samples: Iterable[tuple[str, float]]) -> Dropped:
        """Return samples given as mark and milliseconds, which are kept to within 0.4 %."""
        return cls._joined((mark, _packed(ms)) for mark, ms in samples)

    @classmethod
    def merge(cls, parts: Iterable[Dropped]) -> Dropped:
        """Return the samples of several."""
        return cls._joined(item for part in parts for item in part.packed)

    @classmethod
    def _joined(cls, items: Iterable[tuple[str, str]]) -> Dropped:
        kinds: dict[str, list[str]] = {}
        for mark, text in items:
            kinds.setdefault(mark, []).append(text)
        return cls(tuple((mark, "".join(kinds[mark])) for mark in MARKS if mark in kinds))

    @property
    def n(self) -> int:
        """How many there are."""
        return sum(len(text) for _, text in self.packed) // 2

    def times_ms(self) -> dict[str, tuple[float, ...]]:
        """Return the milliseconds of a call of each sample, in order of time, by mark."""
        return {
            mark: tuple(_unpacked(text[at : at + 2]) for at in range(0, len(text), 2))
            for mark, text in self.packed
        }

    def to_json(self) -> dict[str, str]:
        """Return the packed times by mark."""
        return dict(self.packed)

    @classmethod
    def from_json(cls, data: Any) -> Dropped:
        """Return what ``to_json`` described. Raises ``TableError``."""
        right = isinstance(data, Mapping) and all(
            isinstance(mark, str)
            and len(mark) == 1
            and mark in MARKS
            and isinstance(text, str)
            and len(text) % 2 == 0
            and text
            and all(digit in _VALUES for digit in text)
            for mark, text in data.items()
        )
        if not right:
            raise TableError(f"dropped samples need packed times by one of {MARKS!r}, got {data!r:.80}")
        return cls._joined(data.items())


NONE_DROPPED = Dropped()


class Moment(NamedTuple):
    """A stretch of consecutive samples, and how the machine was around it.

    Attributes:
        n: samples that were kept of it.
        before: clock, temperature and what slowed the machine down before the first of them.
        after: the same after the last.
        n_preemptions: how often the kernel took the thread off its core meanwhile, calls between the
            samples included; ``None`` where it does not tell.
    """

    n: int
    before: Snapshot = NOTHING_KNOWN
    after: Snapshot = NOTHING_KNOWN
    n_preemptions: int | None = None

    @classmethod
    def of(cls, n: int, before: Snapshot, after: Snapshot, n_preemptions: int | None = None) -> Moment:
        """Return a moment with the snapshots as they are stored: to 1 MHz and 0.1 °C, without counters."""
        return cls(n, _stored(before), _stored(after), n_preemptions)

    def to_json(self) -> list[Any]:
        """Return the fields as a row, short where the machine tells nothing."""
        before, after = self.before, self.after
        row: list[Any] = [self.n, self.n_preemptions, before.clock_mhz, after.clock_mhz]
        row += [before.temperature_c, after.temperature_c]
        row += [list(before.throttled) or None, list(after.throttled) or None]
        while row[-1] is None:
            row.pop()
        return row

    @classmethod
    def from_json(cls, data: Any) -> Moment:
        """Return what ``to_json`` described. Raises ``TableError``."""
        if not isinstance(data, list) or not 1 <= len(data) <= 8:
            raise TableError(f"a moment is a row of one to eight values, got {data!r:.80}")
        row = (*data, *[None] * (8 - len(data)))
        n, switches, clock0, clock1, heat0, heat1, flags0, flags1 = row
        faults = [] if type(n) is int and n >= 0 else [f"{n!r} samples"]
        faults += [
            f"a clock of {value!r} MHz" for value in (clock0, clock1) if not _within(value, *_CLOCKS_MHZ)
        ]
        faults += [f"{value!r} °C" for value in (heat0, heat1) if not _within(value, *_HEAT_C)]
        if not (switches is None or (type(switches) is int and switches >= 0)):
            faults.append(f"{switches!r} preemptions")
        for flags in (flags0, flags1):
            if not (flags is None or (isinstance(flags, list) and all(isinstance(f, str) for f in flags))):
                faults.append(f"{flags!r:.40} as reasons")
        if faults:
            raise TableError(f"a moment has {', '.join(faults)}")
        before = Snapshot(clock_mhz=clock0, temperature_c=heat0, throttled=tuple(flags0 or ()))
        after = Snapshot(clock_mhz=clock1, temperature_c=heat1, throttled=tuple(flags1 or ()))
        return cls(n, before, after, switches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the machine was over many moments; ``None`` where it never told.

    Attributes:
        clock_mhz: lowest and highest.
        temperature_c: lowest and highest.
        throttled: what slowed the machine down, each once.
        n_moments: stretches of samples around which somebody looked; none in tables before schema 4.
        n_kept: samples.
        n_dropped: samples that were thrown away.
    """

    clock_mhz: tuple[float, float] | None
    temperature_c: tuple[float, float] | None
    throttled: tuple[str, ...]
    n_moments: int
    n_kept: int
    n_dropped: int

    @classmethod
    def of(cls, moments: Sequence[Moment], n_kept: int, n_dropped: int) -> Weather:
        """Return the ranges over ``moments``."""
        ends = [end for moment in moments for end in (moment.before, moment.after)]
        reasons = dict.fromkeys(reason for end in ends for reason in end.throttled)
        return cls(
            clock_mhz=_range([end.clock_mhz for end in ends]),
            temperature_c=_range([end.temperature_c for end in ends]),
            throttled=tuple(reasons),
            n_moments=len(moments),
            n_kept=n_kept,
            n_dropped=n_dropped,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "clock_mhz": None if self.clock_mhz is None else list(self.clock_mhz),
            "temperature_c": None if self.temperature_c is None else list(self.temperature_c),
            "throttled": list(self.throttled),
            "n_moments": self.n_moments,
            "n_kept": self.n_kept,
            "n_dropped": self.n_dropped,
        }

    def text(self) -> str:
        """Return the ranges in a line."""
        if not self.n_moments:
            return "clock and temperature were not noted"
        clock, heat = self.clock_mhz, self.temperature_c
        parts = [
            "clock not told" if clock is None else f"clock {clock[0]:.0f} to {clock[1]:.0f} MHz",
            "temperature not told" if heat is None else f"{heat[0]:.0f} to {heat[1]:.0f} °C",
            f"slowed down by {', '.join(self.throttled)}" if self.throttled else "never throttled",
        ]
        return ", ".join(parts)


def _packed(ms: float) -> str:
    level = 0
    if ms > 0:
        level = 1 + round(math.log(min(max(ms, _LEAST_MS), _MOST_MS) / _LEAST_MS) / _STEP)
    return _DIGITS[level // 64] + _DIGITS[level % 64]


def _unpacked(text: str) -> float:
    level = 64 * _VALUES[text[0]] + _VALUES[text[1]]
    return 0.0 if level == 0 else float(f"{_LEAST_MS * math.exp((level - 1) * _STEP):.4g}")


def _stored(found: Snapshot) -> Snapshot:
    clock, heat = found.clock_mhz, found.temperature_c
    return Snapshot(
        clock_mhz=round(clock) if clock is not None and _within(round(clock), *_CLOCKS_MHZ) else None,
        temperature_c=round(heat, 1) if heat is not None and _within(heat, *_HEAT_C) else None,
        throttled=found.throttled,
    )


def _within(value: Any, low: float, high: float) -> bool:
    if value is None:
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low < value < high


def _range(values: Iterable[float | None]) -> tuple[float, float] | None:
    told = [value for value in values if value is not None]
    return (min(told), max(told)) if told else None

"""What an importer gives, and the checks that all formats share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from edgewright.spaces.operator import Operator

UNITS: dict[str, float] = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}  # ms in one
# Of a whole network, where a format says nothing of what its operators compute.
NETWORK_MS = (0.1, 1e4)


class Fault(NamedTuple):
    """An entry that cannot be used."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One entry of somebody's table.

    Attributes:
        key: as the source writes it.
        mean: in the source's unit.
        count: measurements behind it; ``None`` where the source does not say.
        std: their standard deviation in the source's unit; ``None`` where the source does not say.
        macs: multiply-accumulates that the key stands for; ``None`` where it does not tell.
    """

    key: str
    mean: float
    count: int | None = None
    std: float | None = None
    macs: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file as its importer understands it.

    Attributes:
        entries: those that can be used.
        faults: those that cannot, with the reason.
        network: latency of a typical whole network in the source's unit, where the format tells
            which entries make one.
        space: name of the space whose operators the keys are; empty where they are of none.
        operators: keys whose sum is the cost of an operator of that space.
    """

    entries: tuple[SourceEntry, ...]
    faults: tuple[Fault, ...] = ()
    network: float | None = None
    space: str = ""
    operators: Mapping[Operator, tuple[str, ...]] = field(default_factory=dict)


class Importer(Protocol):
    """Reads one format."""

    @property
    def name(self) -> str:
        """As ``--format`` takes it."""
        ...

    @property
    def title(self) -> str:
        """Whose tables these are, in a line."""
        ...

    @property
    def unit(self) -> str:
        """Of the numbers in a file as its authors write it: a key of :data:`UNITS`."""
        ...

    @property
    def macs_per_s(self) -> tuple[float, float]:
        """Multiply-accumulates a second that are believable for the devices of these tables."""
        ...

    def matches(self, text: str) -> bool:
        """Return whether a file looks like this format."""
        ...

    def read(self, text: str) -> Reading:
        """Return what a file says. Raises ``TableError`` where it cannot be read at all."""
        ...


def number(value: Any) -> float | None:
    """Return a finite number from what a file holds, ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def latency_fault(key: str, value: Any, *, zero_allowed: bool = False) -> Fault | None:
    """Return why ``value`` is no latency; ``None`` where it is one."""
    found = number(value)
    if found is None:
        return Fault(key, f"{_shown(value)} is no finite number")
    if found < 0:
        return Fault(key, f"{_shown(value)} is negative: nothing runs backwards in time")
    if found == 0 and not zero_allowed:
        return Fault(key, "0 is no latency")
    return None


def unit_fault(reading: Reading, importer: Importer, unit: str) -> str | None:
    """Return why the numbers cannot be in ``unit``, with the unit that they look like."""
    to_ms = UNITS[unit]
    rates = [e.macs / (e.mean * to_ms / 1e3) for e in reading.entries if e.macs and e.mean > 0]
    if rates:
        low, high = importer.macs_per_s
        rate = float(np.median(rates))
        text = f"in {unit} they would compute {rate:.2g} multiply-accumulates a second"
        factor = low / rate if rate < low else high / rate if rate > high else 1.0
    elif reading.network:
        low, high = NETWORK_MS
        network_ms = reading.network * to_ms
        text = f"in {unit} a typical network would take {network_ms:.3g} ms"
        factor = network_ms / high if network_ms > high else network_ms / low if network_ms < low else 1.0
    else:
        return None
    if factor == 1.0:
        return None
    steps = list(UNITS)
    at = steps.index(unit) + (-1 if factor > 1 else 1)
    return f"{text}; that looks like {steps[at]}" if 0 <= at < len(steps) else text


def _shown(value: Any) -> str:
    return f"{value!r:.40}"


def typical_network(layers: Sequence[Sequence[float]]) -> float | None:
    """Return the sum over layers of the median of their choices."""
    return float(sum(np.median(layer) for layer in layers)) if layers else None

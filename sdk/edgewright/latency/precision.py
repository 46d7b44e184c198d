"""What a lower precision gains on a device, operator by operator: two tables of one space side by side.

int8 is not faster by nature. A processor without its instructions, a runtime without its kernels, or an
operator so short that converting its input and output costs more than its arithmetic saves, is slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.measurement import Measurement
from edgewright.latency.table import LatencyTable
from edgewright.spaces.operator import Operator


@dataclass(frozen=True, slots=True)
class Speedup:
    """One operator, or one whole network, at two precisions.

    Attributes:
        base_ms: what it adds to a network at the precision that is compared against, or its median.
        other_ms: the same at the other one.
        noise: half-width of the 95 % interval of the ratio of both, relative: from the samples and from
            how far the anchors of both tables drifted.
    """

    base_ms: float
    other_ms: float
    noise: float

    @property
    def factor(self) -> float:
        """How many times faster the other precision is; below 1 it is slower."""
        return self.base_ms / self.other_ms

    @property
    def verdict(self) -> str:
        """``faster``, ``slower``, or ``same`` where the difference is within the noise."""
        if abs(math.log(self.factor)) <= self.noise:
            return "same"
        return "faster" if self.factor > 1 else "slower"


@dataclass(frozen=True, slots=True)
class Group:
    """Operators that have something in common.

    Attributes:
        name: what, such as ``mbconv, h_swish``.
        n: operators.
        median: of their speed-ups.
        slowest: smallest speed-up.
        fastest: largest speed-up.
        n_slower: operators that are slower beyond noise.
    """

    name: str
    n: int
    median: float
    slowest: float
    fastest: float
    n_slower: int

    @classmethod
    def of(cls, name: str, found: Iterable[Speedup]) -> Group:
        """Return the group of some speed-ups, at least one."""
        rows = list(found)
        factors = [row.factor for row in rows]
        n_slower = sum(row.verdict == "slower" for row in rows)
        return cls(name, len(rows), float(np.median(factors)), min(factors), max(factors), n_slower)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionComparison:
    """Two tables of one machine, runtime and number of threads at two precisions.

    Attributes:
        base: precision that is compared against.
        other: the other one.
        operators: those that both tables measured.
        networks: whole networks that both tables measured; none where the tables chose others.
        n_only_one: operators that only one of the tables has.
    """

    base: str
    other: str
    operators: dict[Operator, Speedup]
    networks: tuple[Speedup, ...]
    n_only_one: int

    @property
    def slower(self) -> tuple[tuple[Operator, Speedup], ...]:
        """The operators that are slower beyond noise, the worst first."""
        found = [(op, row) for op, row in self.operators.items() if row.verdict == "slower"]
        return tuple(sorted(found, key=lambda item: item[1].factor))

    def groups(self) -> tuple[Group, ...]:
        """Return the speed-ups by kind of operator, and of the blocks by what tells them apart."""
        ways: tuple[Callable[[Operator], str], ...] = (
            lambda op: op.kind,
            lambda op: f"mbconv, {op.act}{' + se' if op.se else ''}",
            lambda op: f"mbconv, kernel {op.kernel_size}",
            lambda op: f"mbconv, input {op.in_size} px",
            lambda op: f"mbconv, {_size(op)}",
        )
        found = []
        for number, way in enumerate(ways):
            members: dict[str, list[Speedup]] = {}
            for op, row in self.operators.items():
                if number == 0 or op.kind == "mbconv":
                    members.setdefault(way(op), []).append(row)
            # A split into one part tells nothing that the kind did not.
            if number == 0 or len(members) > 1:
                found += [Group.of(name, rows) for name, rows in sorted(members.items(), key=_natural)]
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "base": self.base,
            "other": self.other,
            "n_operators": len(self.operators),
            "n_only_one": self.n_only_one,
            "n_slower": len(self.slower),
            "groups": [
                {name: getattr(group, name) for name in Group.__dataclass_fields__} for group in self.groups()
            ],
            "networks": _network_json(self.networks),
            "operators": [
                {
                    "operator": op.to_json(),
                    "base_ms": row.base_ms,
                    "other_ms": row.other_ms,
                    "factor": row.factor,
                    "noise": row.noise,
                    "verdict": row.verdict,
                }
                for op, row in sorted(self.operators.items())
            ],
        }


def compare_precisions(base: LatencyTable, other: LatencyTable) -> PrecisionComparison:
    """Return what ``other``'s precision gains over ``base``'s.

    Raises:
        ForeignTableError: the tables are of different machines, devices, runtimes or threads.
        TableError: they are of the same precision, or have no operator in common.
    """
    mend = f"measure both on one machine with `edgewright profile {base.device} --precision`"
    differences = list(base.fingerprint.differences(other.fingerprint))
    for name in ("device", "runtime_version", "threads"):
        if getattr(base, name) != getattr(other, name):
            differences.append(f"{name}: {getattr(base, name)} and {getattr(other, name)}")
    if differences:
        raise ForeignTableError(
            f"{base.path} and {other.path} differ in more than their precision ({'; '.join(differences)}); "
            f"{mend}"
        )
    if base.precision == other.precision:
        raise TableError(
            f"{base.path} and {other.path} are both of {base.precision}; give tables of two precisions: "
            f"{mend}"
        )
    ours, theirs = _costs(base), _costs(other)
    common = ours.keys() & theirs.keys()
    if not common:
        raise TableError(
            f"{base.path} is of {base.space_name}, {other.path} of {other.space_name}, and no operator is in "
            f"both; {mend} and the same --space"
        )
    drift = math.hypot(base.anchor.drift_percent, other.anchor.drift_percent) / 200
    theirs_by = {repr(record.architecture): record.measurement for record in other.networks}
    return PrecisionComparison(
        base=base.precision,
        other=other.precision,
        operators={op: _speedup(ours[op], theirs[op], drift) for op in sorted(common)},
        networks=tuple(
            _speedup(_whole(record.measurement), _whole(theirs_by[key]), drift)
            for record in base.networks
            if (key := repr(record.architecture)) in theirs_by
        ),
        n_only_one=len(ours.keys() ^ theirs.keys()),
    )


class _Cost(NamedTuple):
    """A median, and the half-width of its 95 % interval, both in milliseconds."""

    ms: float
    interval_ms: float


def _costs(table: LatencyTable) -> dict[Operator, _Cost]:
    """Return what the operators of networks add to one, warm; what stands before them is taken off."""
    found = {}
    for op, entry in table.entries.items():
        net = table.net_ms(op)
        if op.kind == "lead" or net is None:
            continue
        lead = None if table.is_imported or op.lead is None else table.entries[op.lead]
        before = lead.warm.interval_ms if lead else 0.0
        found[op] = _Cost(net.warm_ms, math.hypot(entry.warm.interval_ms, before))
    return found


def _whole(measurement: Measurement) -> _Cost:
    return _Cost(measurement.median_ms, measurement.interval_ms)


def _speedup(base: _Cost, other: _Cost, drift: float) -> Speedup:
    noise = math.hypot(base.interval_ms / base.ms, other.interval_ms / other.ms, drift)
    return Speedup(base.ms, other.ms, noise)


def _size(op: Operator) -> str:
    """Return a block's arithmetic as a decade: what an operator costs decides what converting it gains."""
    decade = math.floor(math.log10(max(op.macs, 1)))
    return f"{_count(10**decade)} to {_count(10 ** (decade + 1))} MACs"


def _count(value: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value // size}{unit}"
    return str(value)


def _natural(item: tuple[str, list[Speedup]]) -> tuple[float, str]:
    """Sort groups whose names hold numbers by the number, in its unit."""
    units = {"k": 1e3, "M": 1e6, "G": 1e9}
    for word in item[0].split():
        digits = word.rstrip("kMG")
        if digits.isdigit():
            return float(digits) * units.get(word[len(digits) :], 1.0), item[0]
    return 0.0, item[0]


def _network_json(networks: tuple[Speedup, ...]) -> dict[str, Any] | None:
    if not networks:
        return None
    group = Group.of("networks", networks)
    return {name: getattr(group, name) for name in Group.__dataclass_fields__}

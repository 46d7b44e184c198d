"""Compare the latency tables of two precisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgewright.latency.precision import Group, PrecisionComparison, compare_precisions
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.tabulate import columns
from edgewright.spaces import Operator

N_SLOWER = 10  # operators that a terminal is told; JSON has all


def describe_precisions(base: Path, other: Path) -> tuple[dict[str, Any], str]:
    """Return what the precision of one table gains over that of another, as JSON values and as text.

    Raises:
        TableError: a table is faulty, or they cannot be compared.
        ForeignTableError: they differ in more than their precision.
    """
    tables = LatencyTable.load(base), LatencyTable.load(other)
    found = compare_precisions(*tables)
    value = {"tables": [str(base), str(other)], "device": tables[0].device, **found.to_json()}
    head = (
        f"{found.other} against {found.base} on {tables[0].device} ({tables[0].runtime_version}, "
        f"{tables[0].threads} thread): times faster, below 1 slower"
    )
    return value, "\n".join([head, _groups(found), *_slower(found)])


def _groups(found: PrecisionComparison) -> str:
    groups = list(found.groups())
    if found.networks:
        groups.append(Group.of("whole networks", found.networks))
    rows = [
        (g.name, str(g.n), f"{g.median:.2f}", f"{g.slowest:.2f}", f"{g.fastest:.2f}", str(g.n_slower))
        for g in groups
    ]
    return columns(rows, ("operators", "n", "median", "least", "most", "slower"))


def _slower(found: PrecisionComparison) -> list[str]:
    slower = found.slower
    if not slower:
        return [f"no operator is slower in {found.other} beyond noise"]
    rows = [
        (_name(op), f"{row.base_ms * 1e3:.4g} µs", f"{row.other_ms * 1e3:.4g} µs", f"{row.factor:.2f}")
        for op, row in slower[:N_SLOWER]
    ]
    more = f", the worst {N_SLOWER}" if len(slower) > N_SLOWER else ""
    return [
        f"{len(slower)} of {len(found.operators)} operators are slower in {found.other} beyond noise{more}:",
        columns(rows, ("operator", found.base, found.other, "times")),
    ]


def _name(op: Operator) -> str:
    se = " + se" if op.se else ""
    channels = f"{op.in_channels} → {op.mid_channels} → {op.out_channels}"
    return f"{op.kind} {op.in_size} px, {channels}, kernel {op.kernel_size} / {op.stride}, {op.act}{se}"

"""FBNet's block tables (csv): a row a layer, a column an operation, as HW-NAS-Bench publishes them.

Operations are ``k3_e6_g2`` (kernel, expansion, groups; ``g1`` is left out) and ``skip``, which alone
may cost nothing. Latencies are milliseconds. Layers of one shape repeat the same row.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from edgewright.errors import TableError
from edgewright.latency.importers.base import Fault, Reading, SourceEntry, latency_fault, typical_network

_OPERATION = re.compile(r"k\d+_e\d+(_g\d+)?|skip")


@dataclass(frozen=True, slots=True)
class FbnetCsv:
    """Reads FBNet's tables of layers by operations."""

    name: str = "fbnet"
    title: str = "FBNet, layers by operations (csv)"
    unit: str = "ms"
    macs_per_s: tuple[float, float] = (1e8, 2e12)

    def matches(self, text: str) -> bool:
        """Return whether the first line names layers and operations."""
        return re.match(r"\ufeff?layer,k\d", text) is not None

    def read(self, text: str) -> Reading:
        """Return what a file says. Its operators are of none of our spaces."""
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if row]
        if not rows or rows[0][0] != "layer" or len(rows[0]) < 2:
            raise TableError("the first line must be layer and the names of operations, divided by commas")
        names = rows[0][1:]
        if unknown := [name for name in names if not _OPERATION.fullmatch(name)]:
            raise TableError(
                f"unknown operations {', '.join(unknown[:5])}; expected such as k3_e6_g2 or skip"
            )
        if len(set(names)) < len(names):
            raise TableError("an operation has two columns")
        entries, faults, layers = list[SourceEntry](), list[Fault](), list[list[float]]()
        seen: set[str] = set()
        for number, row in enumerate(rows[1:], 2):
            if len(row) != len(rows[0]):
                raise TableError(
                    f"line {number} has {len(row)} fields, the first {len(rows[0])}: it is cut off, or its "
                    "decimals are commas"
                )
            layer = row[0].strip()
            if not layer.isdigit() or layer in seen:
                reason = "stands twice" if layer in seen else "is of no numbered layer"
                faults += [Fault(f"layer {layer} {name}", reason) for name in names]
                continue
            seen.add(layer)
            found, wrong = _row(layer, names, row[1:])
            entries += found
            faults += wrong
            if costs := [entry.mean for entry in found if entry.mean > 0]:
                layers.append(costs)
        return Reading(entries=tuple(entries), faults=tuple(faults), network=typical_network(layers))


def _row(layer: str, names: list[str], values: list[str]) -> tuple[list[SourceEntry], list[Fault]]:
    entries, faults = [], []
    for name, value in zip(names, values, strict=True):
        key = f"layer {layer} {name}"
        if fault := latency_fault(key, value, zero_allowed=name == "skip"):
            faults.append(fault)
        else:
            entries.append(SourceEntry(key, float(value)))
    return entries, faults

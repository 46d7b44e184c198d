"""The CSV that `edgewright table export` writes, and that anybody may write by hand.

Needed are the fields of an operator (``kind in_size … residual``) and ``median_ms``; ``corrected_ms``,
what the operator adds to a network's latency, wins over it where given, so that a table that is
exported and imported again predicts the same. Rows without latency are operators that failed.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import Any

from edgewright.errors import SpaceError, TableError
from edgewright.latency.importers.base import Fault, Reading, SourceEntry, latency_fault
from edgewright.spaces import SPACES, find_space
from edgewright.spaces.operator import Operator

_FIELDS = {field.name: str(field.type) for field in fields(Operator)}


@dataclass(frozen=True, slots=True)
class OwnCsv:
    """Reads operators with their shapes, a row each."""

    name: str = "csv"
    title: str = "edgewright's own export, an operator a row (csv)"
    unit: str = "ms"
    macs_per_s: tuple[float, float] = (1e6, 1e15)

    def matches(self, text: str) -> bool:
        """Return whether the first line has the fields of an operator."""
        first = text.removeprefix("\ufeff").partition("\n")[0]
        return {"kind", "in_size", "out_channels"} <= set(first.strip().split(","))

    def read(self, text: str) -> Reading:
        """Return what a file says; its operators are of the space that has most of them."""
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
        names = reader.fieldnames or []
        if missing := [name for name in (*_FIELDS, "median_ms") if name not in names]:
            raise TableError(f"the first line lacks {', '.join(missing)}")
        if len(set(names)) < len(names):
            raise TableError("a name stands twice in the first line")
        entries, faults = list[SourceEntry](), list[Fault]()
        operators: dict[Operator, tuple[str, ...]] = {}
        for number, row in enumerate(reader, 2):
            if None in row.values() or None in row:
                raise TableError(f"line {number} has another number of fields than the first: it is cut off")
            operator, fault = _operator(row, number)
            latency = row.get("corrected_ms") or row["median_ms"]
            if operator is None:
                faults.append(fault)
            elif row["median_ms"] == "" and row.get("verdict") == "failed":
                continue
            elif wrong := latency_fault(operator.key, latency):
                faults.append(wrong)
            elif operator in operators:
                faults.append(Fault(operator.key, f"stands a second time in line {number}"))
            else:
                entries.append(_entry(operator, float(latency), row))
                operators[operator] = (operator.key,)
        return Reading(
            entries=tuple(entries), faults=tuple(faults), space=_space(operators), operators=operators
        )


def _operator(row: dict[str, Any], number: int) -> tuple[Operator | None, Fault]:
    try:
        values = {name: _typed(row[name], kind) for name, kind in _FIELDS.items()}
        return Operator.from_json(values), Fault("", "")
    except (SpaceError, ValueError) as error:
        return None, Fault(f"line {number}", f"is no operator: {error}")


def _typed(text: str, kind: str) -> str | int | bool:
    if kind == "int":
        return int(text)
    if kind == "bool":
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"expected true or false, got {text!r}")
        return text.lower() in ("true", "1")
    return text


def _entry(operator: Operator, latency: float, row: dict[str, Any]) -> SourceEntry:
    count = str(row.get("n_samples") or "")
    n = int(count) if count.isdigit() and int(count) > 0 else None
    return SourceEntry(operator.key, latency, n, None, float(operator.macs))


def _space(operators: dict[Operator, tuple[str, ...]]) -> str:
    """Return the space that has most of the operators; empty where none has any."""
    stems = [op for op in operators if op.kind == "stem"]
    classes = sorted({op.out_channels for op in operators if op.kind == "head"})
    best, n_best = "", 0
    for base in SPACES:
        sides = sorted({op.in_size for op in stems} & set(SPACES[base].resolutions))
        for n in classes if sides else []:
            space = find_space(f"{base}@{'+'.join(map(str, sides))}:{n}")
            n_found = sum(operator in operators for operator in space.all_operators())
            if n_found > n_best:
                best, n_best = space.name, n_found
    return best

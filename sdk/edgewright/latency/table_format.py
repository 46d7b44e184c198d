"""The format of a latency table's file: its keys, what is wrong in it, how it is laid out.

Its history stands in :mod:`edgewright.latency.table`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgewright.errors import SDKError
from edgewright.files import digest_of
from edgewright.latency.measurement import Measurement
from edgewright.spaces.operator import Operator

SCHEMA = 4
READ = (2, 3, 4)  # schemas that can be read
_SINCE = {"cross_check": 3, "batch": 4, "affinity": 4}  # schema that brought a key, of those added later
_KEYS = (
    "schema",
    "device",
    "runtime",
    "runtime_version",
    "runtime_conditions",
    "precision",
    "threads",
    "batch",
    "affinity",
    "space",
    "space_version",
    "space_digest",
    "fingerprint",
    "conditions_before",
    "conditions_after",
    "created_utc",
    "edgewright_version",
    "seconds",
    "settings",
    "entries",
    "failures",
    "anchor",
    "networks",
    "correction",
    "validation",
    "cross_check",
    "digest",
)


def schema_fault(data: Any) -> str:
    """Return what a file says its schema is where that cannot be read; empty where it can."""
    schema = data.get("schema") if isinstance(data, dict) else type(data).__name__
    known = isinstance(data, dict) and type(schema) is int and schema in READ
    read = f"{', '.join(map(str, READ[:-1]))} and {READ[-1]}"
    return "" if known else f"has schema {schema!r}, this edgewright reads {read}"


def faults_of(data: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a table of a known schema: its keys; where they are right, its content."""
    keys = [key for key in _KEYS if data["schema"] >= _SINCE.get(key, 0)]
    faults = [f"missing key {key!r}" for key in keys if key not in data]
    faults += [f"unknown key {key!r}" for key in data if key not in keys]
    return faults or _content_faults(data)


def _content_faults(data: Mapping[str, Any]) -> list[str]:
    """Return what is wrong inside a table whose keys are right."""
    faults = []
    if _has_constant(data):
        faults.append("it has NaN or infinite numbers")
    elif digest_of({key: value for key, value in data.items() if key != "digest"}) != data["digest"]:
        faults.append("it was edited or damaged after it was written (its digest does not match)")
    for name in ("entries", "failures", "networks"):
        if not isinstance(data[name], list):
            faults.append(f"{name} must be a list")
    if faults and not isinstance(data["entries"], list):
        return faults
    seen: set[str] = set()
    for number, item in enumerate(data["entries"]):
        try:
            operator = Operator.from_json(item["operator"])
            Measurement.from_json(item["warm"])
            Measurement.from_json(item["cold"])
        except (SDKError, TypeError, KeyError) as error:
            faults.append(f"entry {number}: {error}")
            continue
        if operator.key in seen:
            faults.append(f"entry {number} repeats {operator.key}")
        seen.add(operator.key)
    if not data["entries"]:
        faults.append("it has no entries")
    return faults


def _has_constant(value: Any) -> bool:
    """Return whether a JSON value holds NaN or an infinity, which Python's reader lets through."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_constant, value.values()))
    return isinstance(value, list) and any(map(_has_constant, value))


def listed(faults: Sequence[str], limit: int = 5) -> str:
    """Return the first faults, and how many more there are."""
    more = f"; and {len(faults) - limit} more" if len(faults) > limit else ""
    return "; ".join(faults[:limit]) + more


def pretty(value: Mapping[str, Any]) -> str:
    """Return JSON with a line for each key and for each item of a list, so that diffs are readable."""
    lines = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n".join("  " + json.dumps(row, allow_nan=False, separators=(",", ":")) for row in item)
            lines.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(item, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"

"""``key: {count: …, mean: …}`` in YAML, as MIT's lookup tables are written, without running what it says.

Only the syntax tree is read: PyYAML composes it and no constructor is called. A tag asks a loader
to build a Python object, which is how a YAML file runs code; tags are refused, but for numpy's
numbers, which older versions of those tools wrote and whose bytes can be read without building
anything.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any, NamedTuple

from edgewright.errors import TableError
from edgewright.latency.importers.base import Fault, SourceEntry, latency_fault, number

_NUMPY_SCALAR = "tag:yaml.org,2002:python/object/apply:numpy.core.multiarray.scalar"
_NUMPY_SCALARS = (_NUMPY_SCALAR, _NUMPY_SCALAR.replace("numpy.core", "numpy._core"))
_PLAIN = ("str", "int", "float", "null", "bool", "map", "seq", "timestamp", "merge", "value")
_FORMATS = {"f8": "<d", "f4": "<f", "f2": "<e", "i8": "<q", "i4": "<i"}


class Row(NamedTuple):
    """A key, its line in the file, and the fields under it."""

    key: str
    line: int
    fields: dict[str, float | None]


def read_rows(text: str) -> tuple[list[Row], list[Fault]]:
    """Return the rows of a file and what is wrong with others.

    Raises:
        TableError: it is not YAML, not a mapping, or has a tag that asks for a Python object.
    """
    import yaml  # here, so that a device that measures needs it not

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}: " if where is not None else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise TableError(f"truncated or not YAML ({line}{problem})") from error
    if root is None or root.id != "mapping":
        raise TableError(f"expected a mapping of keys to count and mean, got {_kind(root)}")
    rows: list[Row] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for key_node, value_node in root.value:
        _refuse_tag(key_node)
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            faults.append(Fault(key, f"stands a second time in line {line}"))
            continue
        seen.add(key)
        if value_node.id != "mapping":
            _refuse_tag(value_node)
            faults.append(Fault(key, f"line {line} has {_kind(value_node)}, not count and mean"))
            continue
        _refuse_tag(value_node)
        names = [str(name.value) for name, _ in value_node.value]
        if len(set(names)) < len(names):
            faults.append(Fault(key, f"has a field twice below line {line}"))
            continue
        rows.append(Row(key, line, {str(n.value): _value(v) for n, v in value_node.value}))
    return rows, faults


def entry_of(row: Row, macs: float | None, *, spread: str) -> SourceEntry | Fault:
    """Return the entry of a row whose fields are ``count``, ``mean`` and ``std`` or ``var``."""
    wanted = {"count", "mean", spread}
    if set(row.fields) != wanted:
        return Fault(row.key, f"has the fields {sorted(row.fields)}, expected {sorted(wanted)}")
    count, mean, width = row.fields["count"], row.fields["mean"], row.fields[spread]
    if fault := latency_fault(row.key, mean):
        return fault
    if count is None or count < 1 or count != int(count):
        return Fault(row.key, f"count must be a positive integer, got {count}")
    if width is None or width < 0:
        return Fault(row.key, f"{spread} must be a number of at least 0, got {width}")
    assert mean is not None
    std = math.sqrt(width) if spread == "var" else width
    return SourceEntry(row.key, mean, int(count), std, macs)


def _value(node: Any) -> float | None:
    """Return the number that a node stands for; ``None`` for anything that is no finite number."""
    if node.tag in _NUMPY_SCALARS:
        return _numpy_number(node)
    _refuse_tag(node)
    # YAML 1.1 reads 1e-3 as text and 1:30 as ninety: the text itself decides.
    return number(node.value) if node.id == "scalar" else None


def _numpy_number(node: Any) -> float | None:
    """Return the number in numpy's own notation: a type such as ``f8``, then its bytes in base64."""
    if node.id != "sequence" or len(node.value) != 2:
        return None
    kind, data = node.value
    arguments = {str(k.value): v for k, v in kind.value} if kind.id == "mapping" else {}
    listed = arguments["args"].value if "args" in arguments else kind.value if kind.id == "sequence" else []
    name = str(listed[0].value) if listed and listed[0].id == "scalar" else ""
    try:
        raw = base64.b64decode(str(data.value), validate=False)
        return number(struct.unpack(_FORMATS[name], raw)[0])
    except (KeyError, struct.error, binascii.Error, ValueError):
        return None


def _refuse_tag(node: Any) -> None:
    short = str(node.tag).removeprefix("tag:yaml.org,2002:")
    if short not in _PLAIN:
        raise TableError(
            f"line {node.start_mark.line + 1} has the tag !!{short}, which asks the reader to build an "
            "object; only plain numbers are read: write the file again with plain floats"
        )


def _kind(node: Any) -> str:
    return "nothing" if node is None else f"a {node.id}"

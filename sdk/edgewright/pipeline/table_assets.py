"""Latency tables as files that are exchanged: import, export, merge and diff."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import OutputExistsError, ProfileError, UsageError
from edgewright.files import write_text
from edgewright.latency.diff import Shift, TableDiff, diff_tables
from edgewright.latency.imported import UNKNOWN, import_table
from edgewright.latency.merge import merge_tables
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.tabulate import columns
from edgewright.spaces.operator import Operator

N_LISTED = 15  # changes that a terminal shows
CSV_FIGURES = (
    "macs",
    "params",
    "verdict",
    "median_ms",
    "p95_ms",
    "iqr_ms",
    "interval_ms",
    "n_samples",
    "n_dropped",
    "cold_median_ms",
    "corrected_ms",
    "reason",
)


def import_file(
    file: Path,
    device: str,
    *,
    format_name: str | None,
    unit: str | None,
    runtime: str | None,
    precision: str | None,
    threads: int | None,
    source: str,
    drop_faulty: bool,
    tables: Path,
    out: Path | None,
    again: bool,
) -> tuple[dict[str, Any], str]:
    """Import somebody's lookup table; return what came of it as JSON values and text.

    What a device profile of that name says of runtime, precision and threads holds where nothing
    else is given.

    Raises:
        TableError: the file is faulty.
        OutputExistsError: there is a table already.
        UsageError: nothing tells where the table should lie.
    """
    profile = _profile(device)
    table = import_table(
        file,
        profile.name if profile else device,
        format_name=format_name,
        unit=unit,
        runtime=runtime or (profile.runtime if profile else UNKNOWN),
        precision=precision or (profile.precisions[0] if profile else UNKNOWN),
        threads=threads if threads is not None else profile.threads if profile else 0,
        source=source,
        drop_faulty=drop_faulty,
    )
    name = table.space.replace(":", "-classes") or f"{table.format}-{file.stem}"
    path = out or tables / table.device / f"{name}-{table.runtime}-{table.precision}.json"
    _require_free(path, again)
    table = table.save(path)
    value = {"table": str(path), **table.summary(), "dropped": [f._asdict() for f in table.dropped]}
    lines = [f"{path}: {len(table.entries)} entries of {file.name} ({table.format}, {table.unit})"]
    if table.operators:
        lines.append(
            f"{len(table.operators)} operators of {table.space}; search takes them with --allow-foreign: "
            "nobody here saw the device, and the error on whole networks is unknown"
        )
    else:
        lines.append("its keys are operators of no known space: to be looked at, not searched")
    if table.dropped:
        first = table.dropped[0]
        lines.append(f"{len(table.dropped)} faulty entries left out, first {first.key}: {first.reason}")
    return value, "\n".join(lines)


def export_table(path: Path, out: Path, *, again: bool) -> tuple[dict[str, Any], str]:
    """Write a table's operators as CSV, a row each; return what was written.

    Raises:
        TableError: the table is faulty.
        OutputExistsError: the file exists.
        StorageError: it cannot be written.
    """
    table = LatencyTable.load(path)
    _require_free(out, again)
    write_text(out, csv_of(table))
    n_rows = len(table.entries) + len(table.failures)
    value = {
        "csv": str(out),
        "table": str(path),
        "table_id": table.table_id,
        "n_rows": n_rows,
        "columns": [*_operator_columns(), *CSV_FIGURES],
    }
    return value, f"{out}: {n_rows} operators of {table.space_name} on {table.device}"


def csv_of(table: LatencyTable) -> str:
    """Return a table's operators as CSV: key and shape, then the figures; all times in milliseconds.

    ``corrected_ms`` is what an operator adds to a network's latency; the others are of the operator
    behind its lead. Failed operators have their reason and no figures.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_operator_columns(), *CSV_FIGURES])
    for op in sorted({*table.entries, *table.failures}):
        shape = [op.key, *(getattr(op, field.name) for field in fields(Operator)), op.macs, op.params]
        if op in table.failures:
            writer.writerow([*shape, "failed", *[""] * 8, table.failures[op].reason])
            continue
        entry = table.entries[op]
        warm, cold = entry.warm, entry.cold
        known = not table.is_imported  # one mean says nothing of a spread
        net = None if op.kind == "lead" else table.net_ms(op)
        writer.writerow(
            [
                *shape,
                entry.verdict if known else "imported",
                warm.median_ms,
                *([warm.p95_ms, warm.iqr_ms, warm.interval_ms, warm.n] if known else [""] * 4),
                *([warm.n_dropped, cold.median_ms] if known else [""] * 2),
                "" if net is None else table.correction.cost_ms(net),
                "",
            ]
        )
    return stream.getvalue()


def merge_files(
    paths: Sequence[Path], out: Path, *, prefer: str | None, again: bool
) -> tuple[dict[str, Any], str]:
    """Merge tables of one device into one; return what came of it.

    Raises:
        UsageError: fewer than two tables, one twice, or an unknown rule.
        ForeignTableError: they were not measured alike.
        TableError: they contradict each other.
        OutputExistsError: the file exists.
    """
    if prefer not in (None, "newest"):
        raise UsageError(f"--prefer knows newest, got {prefer!r}")
    _require_free(out, again)
    merged = merge_tables([LatencyTable.load(path) for path in paths], prefer_newest=prefer is not None)
    table = merged.table.save(out)
    value = {
        "table": str(out),
        **table.summary(),
        "merged_from": [str(path) for path in paths],
        "n_pooled": merged.n_pooled,
        "n_newest": merged.n_newest,
        "n_networks_left_out": merged.n_networks_left_out,
    }
    lines = [
        f"{out}: {len(table.entries)} operators of {table.space_name} on {table.device}, "
        f"{merged.n_pooled} pooled from several tables"
    ]
    if merged.n_newest:
        lines.append(f"{merged.n_newest} operators contradicted each other; the newest table won")
    if merged.n_networks_left_out:
        lines.append(
            f"{merged.n_networks_left_out} whole networks of another space left out of the correction"
        )
    if table.validation is not None:
        lines.append(
            f"error on {table.validation.n} networks that it has not seen: "
            f"{table.validation.mape_percent:.1f} % on average"
        )
    return value, "\n".join(lines)


def diff_files(a: Path, b: Path) -> tuple[dict[str, Any], str]:
    """Return what changed between two tables, as JSON values and text. Raises ``TableError``."""
    found = diff_tables(LatencyTable.load(a), LatencyTable.load(b))
    return {"a": str(a), "b": str(b), **found.to_json()}, _diff_text(found)


def _diff_text(found: TableDiff) -> str:
    blocks = []
    if found.provenance:
        facts = [(name, x, y) for name, (x, y) in found.provenance.items()]
        blocks.append(columns(facts, ("differs in", "first", "second")))
    only = [("first", found.only_a), ("second", found.only_b)]
    lines = [f"{len(ops)} operators in the {w} alone, first {ops[0].key}" for w, ops in only if ops]
    lines += [f"failed in the {reason} ({key})" for key, reason in list(found.failed.items())[:N_LISTED]]
    if found.overall is None:
        blocks.append("\n".join([*lines, "no operator is in both tables"]))
        return "\n\n".join(blocks)
    doubt = (
        f"{found.n_beyond_noise} of them beyond noise (5 % of these may be false)"
        if found.tested
        else "whether beyond noise is unknown: an imported table has no samples"
    )
    lines.append(f"{len(found.changes)} operators in both, {doubt}")
    blocks.append("\n".join(lines))
    shifts = [("all operators", found.overall), *found.by_kind.items()]
    shifts += [("networks, measured", found.measured_networks)] if found.measured_networks else []
    shifts += [("networks, predicted", found.predicted_networks)] if found.predicted_networks else []
    blocks.append(columns([_shift_row(name, shift) for name, shift in shifts], _SHIFT_HEADER))
    listed = [c for c in found.changes if c.beyond_noise or not found.tested][:N_LISTED]
    if listed:
        rows = [
            (c.operator.key, f"{c.a_ms:.4f}", f"{c.b_ms:.4f}", _percent(c.ratio), f"{c.p:.1g}")
            for c in listed
        ]
        title = "largest changes beyond noise" if found.tested else "largest differences"
        blocks.append(columns(rows, (title, "first ms", "second ms", "change", "p")))
    return "\n\n".join(blocks)


_SHIFT_HEADER = ("second over first", "n", "median", "95 % interval")


def _shift_row(name: str, shift: Shift) -> tuple[str, str, str, str]:
    known = shift.low is not None and shift.high is not None
    interval = f"{_percent(shift.low)} to {_percent(shift.high)}" if known else "too few"
    return name, str(shift.n), _percent(shift.median_ratio), interval


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{(ratio - 1) * 100:+.1f} %"


def _operator_columns() -> list[str]:
    return ["key", *(field.name for field in fields(Operator))]


def _profile(device: str) -> DeviceProfile | None:
    try:
        return DeviceProfile.find(device)
    except ProfileError:
        if device.endswith(".toml") or "/" in device:
            raise
        return None


def _require_free(path: Path, again: bool) -> None:
    if path.exists() and not again:
        raise OutputExistsError(f"{path} is there already and is kept; give another place, or --again")

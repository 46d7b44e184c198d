"""What a latency table says: its facts, what is doubtful in it, and what a network's parts cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import TableError, UsageError
from edgewright.files import parse_json, read_json
from edgewright.latency.breakdown import OperatorCost, breakdown
from edgewright.latency.imported import ImportedTable, imported_from_json, is_imported
from edgewright.latency.model import kind_of
from edgewright.latency.predictor import NEVER_MS
from edgewright.latency.records import architecture_from_json
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.model_show import describe_model, validate_model
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.table_device import require_its_device
from edgewright.pipeline.tables import emulated_lines
from edgewright.pipeline.tabulate import columns
from edgewright.spaces import Architecture, MobileSpace, Operator, find_space

N_LISTED = 10  # entries of a kind that a terminal shows
BAR_WIDTH = 30  # characters
_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def describe_table(
    path: Path, *, network: str | None = None, pick: str | None = None
) -> tuple[dict[str, Any], str]:
    """Return what a table says of itself, as JSON values and as text.

    Args:
        path: a table, imported ones too.
        network: an encoding or an architecture as JSON, or a file that holds one: its cost is broken
            down by operator.
        pick: ``smallest`` or ``largest`` network of the table's space, likewise.

    Raises:
        TableError: the file is no table, or imported from a format without operators of a space.
        UsageError: the network cannot be read.
    """
    if kind_of(path):
        return describe_model(path, by_operator=network is not None or pick is not None)
    imported = open_imported(path)
    table = LatencyTable.load(path) if imported is None or imported.operators else None
    if imported is not None:
        value = imported.summary()
        if table is not None:
            value["table_id"] = table.table_id
        blocks = [_facts(value, "of this imported table")]
    else:
        assert table is not None
        value = table.summary() | _doubts(table)
        facts = table.summary()
        del facts["cross_check"], facts["weather"]
        error = {k: v for k, v in (facts.pop("validation") or {}).items() if k != "worst"}
        facts["error on unseen networks"] = "never measured" if not error else ""
        facts |= {f"  {name}": figure for name, figure in error.items()}
        facts["vendor's own tool"] = cross_check_text(table)
        blocks = [_facts(facts, "of this table"), *_worst_text(table), *_doubts_text(table)]
    if network is not None or pick is not None:
        # An imported table that has no operators says so itself.
        table = table if table is not None else LatencyTable.load(path)
        space = find_space(table.space_name)
        arch = read_network(space, network, pick)
        costs = breakdown(table, space, arch)
        value["breakdown"] = breakdown_json(arch, costs)
        blocks.append(breakdown_text(costs))
    return value, "\n\n".join(blocks)


def validate_table(
    path: Path,
    space: str | None,
    device: str | DeviceProfile | None = None,
    *,
    progress: Progress = SILENT,
) -> tuple[dict[str, Any], str]:
    """Check a table; return its verdict and its error figures as JSON values and text.

    Args:
        path: a table or a model.
        space: that it must cover; its own where ``None``.
        device: that it must be of: a profile, or its name, alias or path; the one that the table names
            where ``None``. A device behind ssh is asked.
        progress: told what is asked.

    Raises:
        TableError: names every fault.
        ForeignTableError: it was measured on another machine or with another version of its runtime.
        MissingExtraError: its runtime is not installed on the device.
        DeviceUnavailableError: the device is not attached, cannot be reached, or is being measured.
    """
    if kind_of(path):
        return validate_model(path, space, device, progress=progress)
    imported = open_imported(path)
    if imported is not None:
        return _validate_imported(imported, path, space)
    table = LatencyTable.load(path)
    wanted = find_space(space or table.space_name)
    table.require_space(wanted)
    compared = require_its_device(table, device, progress=progress)
    found = table.validation
    error = found.to_json() if found else None
    value = {"table": str(path), "table_id": table.table_id, "valid": True, "space": wanted.name}
    value |= {"device": table.device, "compared_with": compared, "emulated": table.fingerprint.emulated}
    value |= {"imported": False, "validation": error} | _doubts(table)
    lines = [f"{path}: whole, unedited, of {compared}, covers {wanted.name}", *emulated_lines(table)]
    if found is None:
        lines.append("its error on whole networks was never measured")
    else:
        lines.append(
            f"error on {found.n} networks that it has not seen: {found.mape_percent:.1f} % on average, "
            f"{found.p95_percent:.1f} % for 95 % of them, {found.within_10_percent:.0f} % within ±10 %, "
            f"Spearman {found.spearman:.3f}, bias {found.bias_percent:+.1f} %; "
            f"{found.raw_mape_percent:.1f} % before the correction"
        )
    noisy = sum(entry.verdict == "noisy" for entry in table.entries.values())
    lines.append(
        f"{noisy} of {len(table.entries)} operators are noisy, {len(table.failures)} failed; the anchor "
        f"drifted by {table.anchor.drift_percent:.1f} %"
    )
    lines.append(f"over the profile: {weather_text(table)}")
    return value, "\n".join(lines)


def cross_check_text(table: LatencyTable) -> str:
    """Return what the vendor's own tool said of one of a table's networks, in a line."""
    return "not asked" if table.cross_check is None else table.cross_check.text()


def weather_text(table: LatencyTable) -> str:
    """Return clock, temperature and lost samples of a table over the time of its profile, in a line."""
    found = table.weather
    share = found.n_dropped / max(1, found.n_kept + found.n_dropped)
    return f"{found.text()}; {share:.0%} of the samples were disturbed and dropped"


def open_imported(path: Path) -> ImportedTable | None:
    """Return the imported table in ``path``; ``None`` where it is one of our own, or no table."""
    data = read_json(
        path, what="latency table", mend="measure it again with `edgewright profile`", error=TableError
    )
    return imported_from_json(data, path) if is_imported(data) else None


def read_network(space: MobileSpace, network: str | None, pick: str | None) -> Architecture:
    """Return the network that a user means. Raises ``UsageError``."""
    if (network is None) == (pick is None):
        raise UsageError("give either --network or --pick, not both")
    if pick is not None:
        if pick not in ("smallest", "largest"):
            raise UsageError(f"--pick is smallest or largest, got {pick!r}; or give --network")
        return space.smallest() if pick == "smallest" else space.largest()
    assert network is not None
    example = "give an encoding such as '[0, 1, …]', or an architecture, as JSON or in a file"
    try:
        file = Path(network)
        text = file.read_text("utf-8") if not network.lstrip().startswith(("[", "{")) else network
        data = parse_json(text)
        if isinstance(data, list):
            return space.decode([int(value) for value in data])
        arch = architecture_from_json(data)
        return space.decode(space.encode(arch))
    except UsageError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"cannot read the network {network[:60]!r} ({error}); {example}") from error


def breakdown_json(arch: Architecture, costs: tuple[OperatorCost, ...]) -> dict[str, Any]:
    """Return a network's costs as JSON values."""
    return {
        "architecture": arch.to_json(),
        "predicted_ms": sum(cost.cost_ms for cost in costs),
        "operators": [
            {"label": c.label, "key": c.operator.key, "cost_ms": c.cost_ms, "noisy": c.noisy} for c in costs
        ],
    }


def breakdown_text(costs: tuple[OperatorCost, ...]) -> str:
    """Return a network's costs as a bar chart for a terminal."""
    usable = [cost.cost_ms for cost in costs if cost.cost_ms < NEVER_MS]
    total, top = sum(usable), max(usable, default=1.0)
    rows = [
        (
            cost.label,
            describe_operator(cost.operator),
            f"{cost.cost_ms:.4f}" if cost.cost_ms < NEVER_MS else "failed",
            f"{cost.cost_ms / total * 100:.1f} %" if cost.cost_ms < NEVER_MS else "-",
            _bar(min(cost.cost_ms, top) / top) + (" noisy" if cost.noisy else ""),
        )
        for cost in costs
    ]
    sure = "" if len(usable) == len(costs) else ", without the operators that failed on the device"
    return columns(rows, ("operator", "", "ms", "share", "")) + f"\npredicted: {total:.4f} ms{sure}"


def describe_operator(op: Operator) -> str:
    """Return an operator in a few words: kernel, widths, side of its input."""
    if op.kind != "mbconv":
        return f"{op.in_channels} to {op.out_channels}, {op.in_size} px"
    details = f"k{op.kernel_size} s{op.stride}{' SE' if op.se else ''}"
    return f"{details}, {op.in_channels}-{op.mid_channels}-{op.out_channels}, {op.in_size} px"


def _validate_imported(imported: ImportedTable, path: Path, space: str | None) -> tuple[dict[str, Any], str]:
    """Check what can be checked of a table that nobody here measured."""
    covers = None
    if space is not None or imported.operators:
        table = LatencyTable.load(path)
        wanted = find_space(space or table.space_name)
        table.require_space(wanted)
        covers = wanted.name
    value = {"table": str(path), "valid": True, "imported": True, "space": covers, "validation": None}
    use = f"covers {covers}; search takes it with --allow-foreign" if covers else "of no space for search"
    return value, (
        f"{path}: whole, unedited, imported from {imported.source}, {use}\n"
        "nobody here saw its device: there is no fingerprint, and its error on whole networks is unknown"
    )


def _doubts(table: LatencyTable) -> dict[str, Any]:
    noisy = {op: entry for op, entry in table.entries.items() if entry.verdict == "noisy"}
    return {
        "noisy": [
            {
                "key": op.key,
                "median_ms": entry.median_ms,
                "interval_ms": entry.warm.interval_ms,
                "n": entry.warm.n,
            }
            for op, entry in sorted(noisy.items())
        ],
        "failures": [{"key": op.key, "reason": f.reason} for op, f in sorted(table.failures.items())],
        "anchor": {"key": table.anchor.operator.key, "medians_ms": list(table.anchor.medians_ms)},
    }


def _worst_text(table: LatencyTable) -> list[str]:
    """Return the networks that the table gets most wrong, with what they are."""
    worst = table.validation.worst if table.validation else ()
    rows = [
        (
            f"{w.measured_ms:.4g}",
            f"{w.predicted_ms:.4g}",
            f"{w.error_percent:+.1f} %",
            "; ".join(f"{key} {_text(item)}" for key, item in w.architecture.items()),
        )
        for w in worst
    ]
    return [columns(rows, ("measured ms", "predicted ms", "error", "worst networks"))] if rows else []


def _doubts_text(table: LatencyTable) -> list[str]:
    blocks = []
    noisy = [(op, entry) for op, entry in table.entries.items() if entry.verdict == "noisy"]
    if noisy:
        noisy.sort(key=lambda item: -item[1].warm.interval_ms / item[1].median_ms)
        rows = [
            (op.key, f"{e.median_ms:.4f}", f"{e.warm.interval_ms / e.median_ms * 100:.1f} %", f"{e.warm.n}")
            for op, e in noisy[:N_LISTED]
        ]
        header = (f"noisy operators ({len(noisy)})", "ms", "±", "samples")
        blocks.append(columns(rows, header) + _more(len(noisy)))
    if table.failures:
        failed = [(op.key, f.reason) for op, f in sorted(table.failures.items())]
        titles = (f"failed operators ({len(failed)})", "reason")
        blocks.append(columns(failed[:N_LISTED], titles) + _more(len(failed)))
    if medians := table.anchor.medians_ms:
        low, high = min(medians), max(medians)
        blocks.append(
            f"anchor over time, {low:.4f} to {high:.4f} ms, drift {table.anchor.drift_percent:.1f} %\n"
            + "".join(_level(ms, low, high) for ms in medians)
        )
    blocks.append(f"over the profile: {weather_text(table)}")
    return blocks


def _more(n: int) -> str:
    return f"\nand {n - N_LISTED} more" if n > N_LISTED else ""


def _level(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.0
    return _LEVELS[min(len(_LEVELS) - 1, int(share * len(_LEVELS)))]


def _bar(share: float) -> str:
    eighths = round(share * BAR_WIDTH * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _facts(value: dict[str, Any], title: str) -> str:
    return columns([(key, _text(item)) for key, item in value.items()], (title, ""))


def _text(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:.4g}"
    if isinstance(item, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in item.items())
    if isinstance(item, (list, tuple)):
        return ", ".join(map(_text, item))
    return "unknown" if item is None else str(item)

"""What a latency table shows in pictures: for the report, and as PNG files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgewright.errors import ArchitectureError
from edgewright.latency.breakdown import breakdown
from edgewright.latency.predictor import NEVER_MS, LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.table_show import describe_operator, read_network
from edgewright.report import plots
from edgewright.report.data import Breakdown, Drift, OperatorBar, PredictionPoint
from edgewright.spaces import Architecture, MobileSpace, find_space


def plot_table(
    path: Path, out: Path, *, network: str | None = None, pick: str | None = None
) -> tuple[dict[str, Any], str]:
    """Write the plots of a table into a folder; return which, and which could not be drawn.

    Args:
        path: a table.
        out: folder of the PNG files; those of an earlier call are replaced.
        network: whose operators are broken down, as in ``describe_table``.
        pick: ``smallest`` or ``largest`` instead; the largest where neither is given.

    Raises:
        TableError: the file is no table of operators.
        UsageError: the network cannot be read.
        MissingExtraError: matplotlib is not installed.
        StorageError: a file cannot be written.
    """
    table = LatencyTable.load(path)
    space = find_space(table.space_name)
    named = network is not None or pick is not None
    arch = read_network(space, network, pick) if named else space.largest()
    which = pick or ("chosen" if named else "largest")
    points = table_predictions(table, space)
    parts = network_breakdown(table, space, arch, id=which)
    drift = table_drift(table)
    title = f"{table.device}, {table.space_name}, {table.runtime_version}, {table.precision}"
    drawn: dict[str, Callable[[Path], None]] = {
        f"breakdown-{which}.png": lambda file: plots.draw_breakdown(parts, f"{which} network, {title}", file)
    }
    left_out = {}
    if points:
        drawn["predicted.png"] = lambda file: plots.draw_predictions(points, title, file)
        drawn["error.png"] = lambda file: plots.draw_errors(points, title, file)
    else:
        left_out["error.png"] = "no whole network was measured"
    if drift is not None:
        drawn["drift.png"] = lambda file: plots.draw_drift(drift, title, file)
    else:
        left_out["drift.png"] = "no anchor was recorded"
    files = []
    for name, draw in drawn.items():
        draw(out / name)
        files.append(str(out / name))
    value = {"table": str(path), "files": files, "left_out": left_out}
    return value, "\n".join([*files, *(f"no {name}: {why}" for name, why in left_out.items())])


def table_predictions(
    table: LatencyTable, space: MobileSpace, device: str | None = None
) -> tuple[PredictionPoint, ...]:
    """Return the networks of a table that are networks of ``space``, predicted and measured.

    ``device`` is the name to show where a table of another device stands in.
    """
    predictor = LatencyPredictor(table, space)
    points = []
    for number, record in enumerate(table.networks):
        try:
            predicted = predictor.predict_one(record.architecture)
        except ArchitectureError:  # the table is of a wider space
            continue
        points.append(
            PredictionPoint(
                device=device or table.device,
                id=str(number),
                predicted_ms=predicted,
                measured_ms=record.measurement.median_ms,
                role="fit" if record.role == "fit" else "validate",
            )
        )
    return tuple(points)


def network_breakdown(
    table: LatencyTable, space: MobileSpace, arch: Architecture, *, id: str, device: str | None = None
) -> Breakdown:
    """Return what a network's operators cost on the device of a table, or under another name.

    Raises:
        MissingEntryError: the table does not cover the space.
    """
    return Breakdown(
        id=id,
        device=device or table.device,
        bars=tuple(
            OperatorBar(
                label=cost.label,
                detail=describe_operator(cost.operator),
                kernel_size=cost.operator.kernel_size if cost.operator.kind == "mbconv" else 0,
                cost_ms=cost.cost_ms if cost.cost_ms < NEVER_MS else None,
                noisy=cost.noisy,
            )
            for cost in breakdown(table, space, arch)
        ),
    )


def table_drift(table: LatencyTable, device: str | None = None) -> Drift | None:
    """Return how a table's anchor moved; ``None`` where it was measured less than twice."""
    if len(table.anchor.medians_ms) < 2:
        return None
    taint = table.settings.get("taint")
    return Drift(
        device=device or table.device,
        operator=table.anchor.operator.key,
        medians_ms=table.anchor.medians_ms,
        taint=float(taint) if isinstance(taint, (int, float)) else None,
    )

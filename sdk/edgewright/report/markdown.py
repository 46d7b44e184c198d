"""The report's tables as Markdown, for a README, an issue or a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgewright.report.data import ReportData, known
from edgewright.report.headline import headline, is_feasible
from edgewright.report.text import DASH, SPACE, objective_value, percent, plural, quantity, significant


def summary(data: ReportData) -> str:
    """Return headline, finalists, front and tables; parts without rows are left out."""
    outcome = headline(data)
    parts = [f"**{_cell(outcome.sentence)}**", *(_cell(detail) for detail in outcome.details)]
    parts += [finalists(data)] if data.finalists else []
    parts += [front(data)] if any(p.on_front for p in data.points) else []
    parts += [tables(data)] if data.tables else []
    return "\n\n".join(parts) + "\n"


def finalists(data: ReportData) -> str:
    """Return one row an artifact: predicted, measured, budget, accuracy, size … parity, verdict.

    Energy has a column where a sensor told any.
    """
    measures = ["predicted", "measured", "budget", "accuracy", "size", "memory", "load"]
    metered = any(known(f.energy_mj) for f in data.finalists)
    measures += ["energy"] if metered else []
    header = ("network", "device", "precision", *measures, "parity", "verdict")
    return table(
        header,
        [
            (
                f.id,
                f.device,
                f.precision,
                quantity(f.predicted_ms, "ms", fixed=True),
                quantity(f.measured_ms, "ms", fixed=True),
                quantity(f.budget_ms, "ms"),
                percent(f.accuracy_artifact),
                quantity(f.size_bytes, "B"),
                quantity(f.memory_bytes, "B"),
                quantity(f.load_ms, "ms"),
                *([quantity(f.energy_mj, "mJ")] if metered else []),
                f.parity,
                "; ".join((f.verdict, *f.violations)),
            )
            for f in data.finalists
        ],
        right=range(3, 3 + len(measures)),
    )


def front(data: ReportData, *, limit: int | None = None) -> str:
    """Return the feasible networks on the front, best in the first objective first.

    Args:
        data: whose points are listed, then its baselines.
        limit: rows kept, spread evenly over the front; all without one.
    """
    points = [p for p in data.points if p.on_front and is_feasible(p, data.objectives)]
    if data.objectives:
        key = data.objectives[0].key
        points.sort(key=lambda p: _last_if_unknown(p.objectives.get(key)))
    if limit is not None and 1 < limit < len(points):
        points = [points[round(i * (len(points) - 1) / (limit - 1))] for i in range(limit)]
    rows = [
        (
            point.id,
            *(
                quantity(objective_value(o, point.objectives.get(o.key)), o.unit, fixed=True)
                for o in data.objectives
            ),
        )
        for point in (*points, *data.baselines)
    ]
    header = ("network", *(o.label for o in data.objectives))
    return table(header, rows, right=range(1, len(header)))


def tables(data: ReportData) -> str:
    """Return one row a latency table: its size and its error on unseen networks."""
    header = (
        "device",
        "runtime",
        "precision",
        "operators",
        "mean error",
        "within ±10 %",
        "rank correlation",
        "drift",
    )
    rows = [
        (
            f"{t.device}, energy" if t.sensor else t.device,
            t.runtime or DASH,
            t.precision,
            f"{t.n_operators:,}" + (f" ({plural(t.n_failures, 'failure')})" if t.n_failures else ""),
            percent(t.mape),
            percent(t.within_10, digits=0),
            significant(t.spearman) if known(t.spearman) else DASH,
            percent(t.anchor_drift),
        )
        for t in data.tables
    ]
    return table(header, rows, right=(3, 4, 5, 6, 7))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return a Markdown table whose source is aligned too.

    Args:
        header: names of the columns.
        rows: texts, one for each column; what Markdown would read as markup is escaped.
        right: indices of the columns that are aligned right.
    """
    aligned = set(right)
    cells = [[_cell(text) for text in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (
            text.rjust(width) if i in aligned else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = (f"{'-' * (width - 1)}{':' if i in aligned else '-'}" for i, width in enumerate(widths))
    return "\n".join([line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])])


def _cell(text: str) -> str:
    escaped = text.replace(SPACE, " ").replace("\n", " ").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def _last_if_unknown(value: float | None) -> float:
    return value if known(value) else float("inf")

"""The report: one HTML file that needs no network, no server and no other file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgewright.errors import MissingExtraError
from edgewright.files import write_text
from edgewright.report import text
from edgewright.report.data import Finalist, PredictionPoint, ReportData, TableSummary, known
from edgewright.report.headline import best_finalist, headline, is_feasible
from edgewright.report.payload import payload

if TYPE_CHECKING:
    from jinja2 import Environment

# In the order in which the browser must read them; all share one module's scope.
SCRIPTS = (
    *("theme.js", "diagram.js", "time.js", "front.js", "charts.js", "search.js", "parallel.js"),
    *("latency.js", "main.js"),
)


def write(data: ReportData, path: Path) -> None:
    """Write the report of ``data`` to ``path``, atomically.

    Raises:
        MissingExtraError: the ``report`` extra is not installed.
        StorageError: the disk is full or the folder may not be written.
    """
    write_text(path, render(data))


def render(data: ReportData) -> str:
    """Return the report of ``data`` as one self-contained HTML document.

    Raises:
        MissingExtraError: the ``report`` extra is not installed.
    """
    environment = _environment()
    from markupsafe import Markup  # comes with jinja2

    feasible_front = [
        (index, point)
        for index, point in enumerate(data.points)
        if point.on_front and is_feasible(point, data.objectives)
    ]
    if data.objectives:
        first = data.objectives[0].key
        feasible_front.sort(key=lambda item: _last_if_unknown(item[1].objectives.get(first)))
    page = environment.get_template("page.html").render(
        data=data,
        headline=headline(data),
        tiles=_tiles(data, len(feasible_front)),
        front=feasible_front,
        devices=_worst_by_device(data),
        tables=[(table, *table_trust(table)) for table in data.tables],
        payload=payload(data),
        style=Markup(_template("page.css")),
        script=Markup("\n".join(_template(name) for name in SCRIPTS)),
        plotly=Markup(_plotly_js()),
    )
    return page + "\n"


def table_trust(table: TableSummary) -> tuple[str, str]:
    """Return ``(status, words)``: how far the latencies of a table may be relied on.

    5 % is what the profiler aims for, and drift beyond it would hide an error of that size; at
    10 % a budget of 4 ms is missed by the distance between neighbouring networks of a space.
    """
    if table.emulated:
        return "bad", "measured on an emulated device, which says nothing of a real one"
    if table.foreign:
        return "warning", "measured on another machine"
    if not known(table.mape):
        if known(table.leave_one_out):
            return "warning", "its error on unseen networks was not measured"
        return "unknown", "error not measured"
    if known(table.anchor_drift) and table.anchor_drift > 0.05:
        return "warning", "the device drifted while it was measured"
    if table.mape <= 0.05:
        return "good", "predicts within 5 % on average"
    if table.mape <= 0.10:
        return "warning", "predicts within 10 % on average"
    return "bad", "predicts worse than 10 % on average"


def _tiles(data: ReportData, n_front: int) -> list[tuple[str, str, str]]:
    """Return ``(value, label, remark)`` of the page's key figures, known ones only."""
    tiles = []
    if data.finalists:
        n_met = sum(f.verdict == "met" for f in data.finalists)
        tiles.append(
            (f"{n_met} of {len(data.finalists)}", "finalists verified", "compiled and measured again")
        )
    if best := best_finalist(data.finalists):
        tiles.append(
            (text.percent(best.accuracy_artifact), "best compiled accuracy", f"{best.id} on {best.device}")
        )
    if data.points:
        tiles.append((f"{len(data.points):,}", "networks evaluated", f"{n_front:,} on the Pareto front"))
    errors = [t for t in data.tables if known(t.mape) and not t.sensor]
    if errors:
        worst = max(errors, key=lambda t: t.mape or 0.0)
        remark = f"{worst.device}, unseen networks"
        tiles.append((text.percent(worst.mape), "latency prediction error", remark))
    return tiles


def _worst_by_device(data: ReportData) -> list[tuple[str, list[PredictionPoint]]]:
    """Return the devices of the predictions, each with its five worst on unseen networks."""
    # The same devices in the same order as in the payload: the scripts find a plot by its index.
    known_points = [p for p in data.predictions if p.relative_error is not None]
    found: dict[str, list[PredictionPoint]] = {p.device: [] for p in known_points}
    for point in known_points:
        if point.role != "fit":
            found[point.device].append(point)
    return [
        (device, sorted(points, key=lambda p: -abs(p.relative_error or 0.0))[:5])
        for device, points in found.items()
    ]


def _last_if_unknown(value: float | None) -> float:
    return value if known(value) else float("inf")


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise _missing("jinja2") from error
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        quantity=text.quantity, percent=text.percent, code_spans=_code_spans, significant=_significant
    )
    environment.globals.update(objective_value=text.objective_value, plural=text.plural, share=_share)
    return environment


def _template(name: str) -> str:
    return (resources.files("edgewright.report") / "templates" / name).read_text("utf-8")


def _share(finalist: Finalist) -> float | None:
    measured, budget = finalist.measured_ms, finalist.budget_ms
    return measured / budget if known(measured) and known(budget) and budget > 0 else None


def _significant(value: float | None, digits: int = 3) -> str:
    return text.significant(value, digits=digits) if known(value) else text.DASH


def _code_spans(sentence: str) -> Any:
    """Return ``sentence`` with `...` as code elements; everything else is escaped."""
    from markupsafe import Markup, escape

    parts = sentence.split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if i % 2 and i < len(parts) - 1 else escape(part)
        for i, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise _missing("plotly") from error
    source: str = get_plotlyjs()
    return source


def _missing(package: str) -> MissingExtraError:
    return MissingExtraError(
        f"a report needs {package}, which is not installed; run `pip install 'edgewright[report]'`"
    )

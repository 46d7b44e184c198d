"""The latency plots of the report as PNG files, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.errors import MissingExtraError
from edgewright.files import atomic_path
from edgewright.report.data import Breakdown, Drift, PredictionPoint, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
# The report's own colours in light mode.
_INK, _DIM, _GRID, _ACCENT, _SOFT, _WARN = "#15191f", "#aab3bf", "#e6e9ee", "#1f5fd6", "#e6eefc", "#7d5300"
_KERNELS = {3: "#a9c8f5", 5: "#5d93e6", 7: "#1d4fa8"}
_ROLES: dict[str, tuple[str, dict[str, Any]]] = {
    "fit": ("used for the fit", {"facecolors": "none", "edgecolors": _DIM, "s": 26}),
    "validate": ("unseen", {"color": _ACCENT, "s": 26}),
    "finalist": ("finalist", {"color": "#a2480f", "marker": "*", "s": 110}),
}


def draw_predictions(points: Sequence[PredictionPoint], title: str, path: Path) -> None:
    """Draw predicted against measured latency of whole networks, with a band of ±10 %.

    Points whose latencies are unknown are left out.

    Raises:
        MissingExtraError: matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    found = [p for p in points if p.relative_error is not None]
    figure, axes = _axes(title, 5.2, 5.0)
    ends = np.array([p.measured_ms for p in found] + [p.predicted_ms for p in found], dtype=np.float64)
    low, top = float(ends.min()) * 0.88, float(ends.max()) * 1.08
    line = np.array([low, top])
    axes.fill_between(line, 0.9 * line, 1.1 * line, color=_SOFT, linewidth=0, label="±10 %")
    axes.plot(line, line, color=_DIM, linestyle=":", linewidth=1.4)
    _scatter(axes, found, [p.predicted_ms or 0.0 for p in found])
    axes.set(xlabel="measured (ms)", ylabel="predicted (ms)", xlim=(low, top), ylim=(low, top))
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=9)
    _save(figure, path)


def draw_errors(points: Sequence[PredictionPoint], title: str, path: Path) -> None:
    """Draw the relative error of predictions against measured latency. Raises as ``draw_predictions``."""
    found = [p for p in points if p.relative_error is not None]
    errors = [(p.relative_error or 0.0) * 100 for p in found]
    figure, axes = _axes(title, 7.0, 4.2)
    axes.axhspan(-10, 10, color=_SOFT, linewidth=0, label="±10 %")
    axes.axhline(0, color=_DIM, linestyle=":", linewidth=1.4)
    _scatter(axes, found, errors)
    reach = 1.1 * max(12.0, *map(abs, errors))
    axes.set(xlabel="measured (ms)", ylabel="error of the prediction (%)", ylim=(-reach, reach))
    axes.legend(frameon=False, fontsize=9, ncols=4)
    _save(figure, path)


def draw_breakdown(found: Breakdown, title: str, path: Path) -> None:
    """Draw what each operator of a network costs, a bar each. Raises as ``draw_predictions``."""
    bars = found.bars
    figure, axes = _axes(title, 7.4, 0.26 * len(bars) + 1.3)
    costs = [bar.cost_ms if known(bar.cost_ms) else 0.0 for bar in bars]
    places = [float(place) for place in range(len(bars))]
    axes.barh(places, costs, color=[_KERNELS.get(bar.kernel_size, _DIM) for bar in bars], height=0.74)
    for place, bar, cost in zip(places, bars, costs, strict=True):
        share = f"{cost:.3g} ms, {cost / found.total_ms * 100:.1f} %" if found.total_ms else ""
        words = share if known(bar.cost_ms) else "failed on the device"
        axes.text(cost, place, f" {words}{', noisy' if bar.noisy else ''}", va="center", fontsize=7.5)
    axes.set_yticks(places, [f"{bar.label}  ({bar.detail})" if bar.detail else bar.label for bar in bars])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(
        xlabel=f"ms, of {found.total_ms:.4g} ms predicted", xlim=(0, 1.25 * max(costs, default=0.0) or 1.0)
    )
    handles = [axes.barh([0], [0], color=shade, label=f"{k}x{k} kernel") for k, shade in _KERNELS.items()]
    figure.legend(handles=handles, frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    _save(figure, path)


def draw_drift(found: Drift, title: str, path: Path) -> None:
    """Draw the repeated operator's latency over time. Raises as ``draw_predictions``."""
    values = np.asarray(found.medians_ms, dtype=np.float64)
    moved = (values / np.median(values) - 1) * 100
    figure, axes = _axes(title, 7.0, 3.6)
    from matplotlib.ticker import MaxNLocator  # in the report extra, as what drew the axes

    axes.plot(np.arange(1, len(values) + 1), moved, color=_ACCENT, marker="o", markersize=4, linewidth=1.4)
    axes.axhline(0, color=_DIM, linestyle=":", linewidth=1.2)
    if known(found.taint):
        for limit in (-100 * found.taint, 100 * found.taint):
            axes.axhline(limit, color=_WARN, linestyle="--", linewidth=1.1)
    reach = 1.15 * max(3.0, 100 * (found.taint or 0.0), float(np.abs(moved).max()))
    axes.set(xlabel="stretch of measuring", ylabel="from its median (%)", ylim=(-reach, reach))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if found.operator:
        axes.text(0.995, 0.02, found.operator, ha="right", fontsize=7, color=_DIM, transform=axes.transAxes)
    _save(figure, path)


def _scatter(axes: Axes, points: Sequence[PredictionPoint], heights: Sequence[float]) -> None:
    for role, (label, style) in _ROLES.items():
        chosen = [i for i, p in enumerate(points) if p.role == role]
        if chosen:
            across = [points[i].measured_ms or 0.0 for i in chosen]
            axes.scatter(across, [heights[i] for i in chosen], label=label, zorder=3, **style)


def _axes(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty plot; the figure is nobody's but ours, so nothing global is touched."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib, which is not installed; run `pip install 'edgewright[report]'`"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10.5, color=_INK, loc="left")
    axes.grid(visible=True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        # Without a time stamp, so that the same table gives the same file.
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": "edgewright"})

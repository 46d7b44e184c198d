"""Choosing from a front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search.archive import Evaluation
from edgewright.search.budget import format_cost
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray

PREFERENCES = ("knee", "accuracy", "latency")


class FrontPoint(NamedTuple):
    """A network to choose from: its id in the archive and its objectives by name."""

    id: int
    objectives: Mapping[str, float]


def front_points(front: Sequence[Evaluation], names: Sequence[str]) -> tuple[FrontPoint, ...]:
    """Return a front's rows with their objectives named."""
    return tuple(
        FrontPoint(row.id, dict(zip(names, row.objectives, strict=True)))
        for row in front
        if row.objectives is not None
    )


def pick(
    front: Sequence[FrontPoint], *, under: Mapping[str, float] | None = None, prefer: str = "knee"
) -> FrontPoint:
    """Return the point of ``front`` that is preferred among those within the limits.

    Args:
        front: points with the same objectives, ``error`` among them.
        under: upper limits by name, in the objectives' units.
        prefer: ``accuracy`` takes the least error; ``latency`` the least of the first objective
            beside the error; ``knee`` the point farthest below the line (or plane) through the
            extremes, objectives scaled to their range: where a little less of one costs a lot of
            another.

    Raises:
        UsageError: the front is empty, or a name or preference is unknown.
        InfeasibleBudgetError: no point is within the limits; the nearest value is named.
    """
    limits = dict(under or {})
    if not front:
        raise UsageError("the front is empty: run `edgewright search` first")
    names = tuple(front[0].objectives)
    if unknown := sorted(set(limits) - set(names)):
        raise UsageError(f"the front has no objective {', '.join(unknown)}; it has {', '.join(names)}")
    if prefer not in PREFERENCES:
        raise UsageError(f"prefer must be one of {', '.join(PREFERENCES)}, got {prefer!r}")
    within = [p for p in front if all(p.objectives[name] <= limit for name, limit in limits.items())]
    if not within:
        raise InfeasibleBudgetError(_nothing_within(front, limits))
    F = np.array([[p.objectives[name] for name in names] for p in within])
    costs = [i for i, name in enumerate(names) if name != "error"]
    error = names.index("error") if "error" in names else 0
    if prefer == "accuracy" or not costs:
        return within[int(np.lexsort((*F.T[::-1], F[:, error]))[0])]
    if prefer == "latency":
        return within[int(np.lexsort((F[:, error], F[:, costs[0]]))[0])]
    return within[knee(F)]


def knee(F: FloatArray) -> int:
    """Return the row of ``F`` ``(n, n_obj)`` farthest below the plane through the extremes.

    Objectives are scaled to ``[0, 1]`` over ``F``'s front; the distance is then the sum of the
    scaled objectives, least at the knee (Das 1999's maximum bulge for two objectives).
    """
    front = front_indices(F)
    low, high = F[front].min(axis=0), F[front].max(axis=0)
    scaled = (F[front] - low) / np.where(high > low, high - low, 1.0)
    return int(front[int(np.argmin(scaled.sum(axis=1)))])


def _nothing_within(front: Sequence[FrontPoint], limits: Mapping[str, float]) -> str:
    def shown(name: str, value: float) -> str:
        return f"{value:.4g}" if name == "error" else format_cost(name, value)

    def excess(point: FrontPoint) -> float:
        return max(
            point.objectives[name] / limit - 1.0 if limit else np.inf for name, limit in limits.items()
        )

    nearest = min(front, key=excess)
    asked = ", ".join(f"{name} <= {shown(name, limit)}" for name, limit in limits.items())
    values = ", ".join(f"{name} {shown(name, nearest.objectives[name])}" for name in limits)
    return f"no network on the front has {asked}; the nearest, {nearest.id}, has {values}"

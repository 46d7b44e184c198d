"""Choosing from a front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search.budget import ERRORS, format_cost
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray, IntArray

PREFERENCES = ("knee", "accuracy", "latency", "trade-off")
N_TRADE_OFFS = 4  # that NATv2 picks from a front
NEIGHBOURHOOD = 0.125  # of a trade-off, in objectives scaled to the front's range


class FrontPoint(NamedTuple):
    """A network to choose from: its id in the archive and its objectives by name."""

    id: int
    objectives: Mapping[str, float]


def pick(
    front: Sequence[FrontPoint],
    *,
    under: Mapping[str, float] | None = None,
    prefer: str = "knee",
    weighed: Sequence[str] | None = None,
) -> FrontPoint:
    """Return the point of ``front`` that is preferred among those within the limits.

    Args:
        front: points with the same objectives, ``error`` among them.
        under: upper limits by name, in the objectives' units.
        prefer: ``accuracy`` takes the least error; ``latency`` the least of the first objective
            that is no error; ``knee`` the point farthest below the line (or plane) through the
            extremes, objectives scaled to their range: where a little less of one costs a lot of
            another; ``trade-off`` the one whose near neighbours give up most for what they gain.
        weighed: names that ``knee`` and ``trade-off`` look at; all where ``None``.

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
    costs = [i for i, name in enumerate(names) if name not in ERRORS]
    error = names.index("error") if "error" in names else 0
    if prefer == "accuracy" or not costs:
        return within[int(np.lexsort((*F.T[::-1], F[:, error]))[0])]
    if prefer == "latency":
        return within[int(np.lexsort((F[:, error], F[:, costs[0]]))[0])]
    F = F[:, [names.index(name) for name in weighed or names]]
    return within[knee(F) if prefer == "knee" or F.shape[1] < 2 else int(best_trade_offs(F, 1)[0])]


def knee(F: FloatArray) -> int:
    """Return the row of ``F`` ``(n, n_obj)`` farthest below the plane through the extremes.

    Objectives are scaled to ``[0, 1]`` over ``F``'s front; the distance is then the sum of the
    scaled objectives, least at the knee (Das 1999's maximum bulge for two objectives).
    """
    front = front_indices(F)
    low, high = F[front].min(axis=0), F[front].max(axis=0)
    scaled = (F[front] - low) / np.where(high > low, high - low, 1.0)
    return int(front[int(np.argmin(scaled.sum(axis=1)))])


def trade_offs(F: FloatArray, neighbourhood: float = NEIGHBOURHOOD) -> FloatArray:
    """Return the trade-off of each row of ``F`` ``(n, n_obj)``, ``(n,)``: high where none should move.

    Of all near neighbours the least of what one gives up in some objectives for each unit that it
    gains in the others (Rachmawati and Srinivasan 2009), objectives scaled to ``F``'s range. Near are
    those within ``neighbourhood``, and at least ``2 n_obj`` of the nearest. NATv2 picks its networks
    so (arXiv:2307.00960). Infinite where no neighbour gains anything, as where there is none.
    """
    low, high = F.min(axis=0), F.max(axis=0)
    scaled = (F - low) / np.where(high > low, high - low, 1.0)
    found = np.full(len(F), np.inf)
    for i, point in enumerate(scaled):
        distance = np.linalg.norm(scaled - point, axis=1)
        order = np.argsort(distance, kind="stable")
        n_near = max(int((distance <= neighbourhood).sum()), 2 * F.shape[1] + 1)  # itself among them
        moved = scaled[order[:n_near]] - point
        gain, sacrifice = np.maximum(-moved, 0.0).sum(axis=1), np.maximum(moved, 0.0).sum(axis=1)
        better = gain > 0
        if better.any():
            found[i] = float((sacrifice[better] / gain[better]).min())
    return found


def best_trade_offs(F: FloatArray, n: int = N_TRADE_OFFS) -> IntArray:
    """Return up to ``n`` rows of ``F``'s Pareto front, those of highest trade-off first."""
    front = front_indices(F)
    best: IntArray = front[np.argsort(-trade_offs(F[front]), kind="stable")[:n]]
    return best


def _nothing_within(front: Sequence[FrontPoint], limits: Mapping[str, float]) -> str:
    def excess(point: FrontPoint) -> float:
        return max(
            point.objectives[name] / limit - 1.0 if limit else np.inf for name, limit in limits.items()
        )

    nearest = min(front, key=excess)
    asked = ", ".join(f"{name} <= {format_cost(name, limit)}" for name, limit in limits.items())
    values = ", ".join(f"{name} {format_cost(name, nearest.objectives[name])}" for name in limits)
    return f"no network on the front has {asked}; the nearest, {nearest.id}, has {values}"

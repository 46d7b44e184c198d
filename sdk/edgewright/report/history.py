"""How the front came about: since which evaluation a network has been beaten."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgewright.report.data import FrontPoint, Objective, known
from edgewright.report.headline import is_feasible

# Comparisons at a time: 4 million of a few objectives are some 30 MB.
CHUNK = 4_000_000


def beaten_since(points: Sequence[FrontPoint], objectives: Sequence[Objective]) -> list[int | None]:
    """Return for each point the evaluation since which a feasible one dominates it; ``None`` for never.

    After ``n`` evaluations the front is what is feasible, was evaluated by then, and is beaten later or
    never. A point of unknown value or evaluation is never compared.

    Args:
        points: in any order.
        objectives: only those that are minimised count.
    """
    keys = [o.key for o in objectives if o.minimised]
    rated = [
        i
        for i, point in enumerate(points)
        if keys
        and point.evaluation is not None
        and is_feasible(point, tuple(objectives))
        and all(known(point.objectives.get(key)) for key in keys)
    ]
    found: list[int | None] = [None] * len(points)
    if not rated:
        return found
    F = np.array([[points[i].objectives[key] for key in keys] for i in rated], dtype=np.float64)
    order = np.array([points[i].evaluation for i in rated], dtype=np.int64)
    step = max(1, CHUNK // len(rated))
    for start in range(0, len(rated), step):
        ours = F[start : start + step, None]  # (m, 1, n_obj) against (n, n_obj)
        better = np.logical_and(np.all(ours >= F, axis=2), np.any(ours > F, axis=2))  # (m, n)
        since = np.where(better, np.maximum(order[start : start + step, None], order), np.iinfo(np.int64).max)
        for row, (first, beaten) in enumerate(zip(since.min(axis=1), np.any(better, axis=1), strict=True)):
            if beaten:
                found[rated[start + row]] = int(first)
    return found

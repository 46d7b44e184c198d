"""Pareto fronts; every objective is minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgewright.spaces.architecture import FloatArray, IntArray


def non_dominated(F: FloatArray) -> NDArray[np.bool_]:
    """Return which rows of ``F`` ``(n, n_obj)`` no other row dominates, ``(n,)``.

    Equal rows do not dominate each other: all of them are kept.
    """
    import moocore  # compiled; imported here so that reading a front in a report does not load it

    if len(F) == 0:
        return np.zeros(0, dtype=np.bool_)
    mask: NDArray[np.bool_] = moocore.is_nondominated(
        np.ascontiguousarray(F, dtype=np.float64), keep_weakly=True
    )
    return mask


def front_indices(F: FloatArray) -> IntArray:
    """Return the rows of ``F``'s Pareto front, ascending in the first objective, without repeats."""
    candidates = np.flatnonzero(non_dominated(F))
    if len(candidates) == 0:
        return candidates.astype(np.int64)
    _, first = np.unique(F[candidates], axis=0, return_index=True)  # sorted by objectives
    return candidates[first].astype(np.int64)


def ranks(F: FloatArray) -> IntArray:
    """Return the number of the front that each row is on, ``(n,)``: 0 is the Pareto front.

    Rank 1 is the front of what is left without it, and so on (NSGA-II, Deb et al. 2002).
    """
    import moocore

    if len(F) == 0:
        return np.zeros(0, dtype=np.int64)
    rank: IntArray = moocore.pareto_rank(np.ascontiguousarray(F, dtype=np.float64)).astype(np.int64)
    return rank


def crowding_distance(F: FloatArray) -> FloatArray:
    """Return the crowding distance of each row, ``(n,)`` (NSGA-II, Deb et al. 2002, section III-B).

    Extremes are infinite; an objective that is constant adds nothing.
    """
    n, n_obj = F.shape
    distance = np.zeros(n)
    if n <= 2:
        return np.full(n, np.inf)
    for j in range(n_obj):
        order = np.argsort(F[:, j], kind="stable")
        values = F[order, j]
        span = values[-1] - values[0]
        if span <= 0:
            continue
        distance[order[1:-1]] += (values[2:] - values[:-2]) / span
        distance[order[[0, -1]]] = np.inf
    return distance

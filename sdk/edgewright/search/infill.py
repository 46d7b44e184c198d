"""Infill: which of the inner search's networks are evaluated for real."""

from __future__ import annotations

import numpy as np

from edgewright.search.hypervolume import greedy_improvement
from edgewright.search.pareto import crowding_distance, front_indices, non_dominated
from edgewright.spaces.architecture import FloatArray, IntArray

# Candidates that the greedy choice looks at; those of larger crowding distance come first.
MAX_CANDIDATES = 400


def choose_infill(archive_F: FloatArray, candidates_F: FloatArray, k: int) -> IntArray:
    """Return up to ``k`` rows of ``candidates_F`` that add the most hypervolume, best first.

    Gains are on top of the archive's front, with the reference point a tenth beyond the nadir of
    the two fronts together, so that their ends count too. What is left over is filled from the
    following fronts by crowding distance.

    Args:
        archive_F: true objectives, ``(n, n_obj)``.
        candidates_F: predicted objectives of networks that are not evaluated, ``(m, n_obj)``.
        k: how many to choose.
    """
    if len(candidates_F) == 0:
        return np.zeros(0, dtype=np.int64)
    front = archive_F[front_indices(archive_F)]
    first = np.flatnonzero(non_dominated(candidates_F))
    spread = np.argsort(-crowding_distance(candidates_F[first]), kind="stable")[:MAX_CANDIDATES]
    first = first[spread]
    both = np.concatenate([front, candidates_F[first]])
    low = both.min(axis=0)
    high = both[front_indices(both)].max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    chosen = first[
        greedy_improvement(
            (front - low) / span, (candidates_F[first] - low) / span, np.full(len(low), 1.1), k
        )
    ]
    return np.concatenate([chosen, _fill(candidates_F, chosen, k - len(chosen))]).astype(np.int64)


def _fill(F: FloatArray, chosen: IntArray, k: int) -> IntArray:
    """Return ``k`` further rows, front by front, the most isolated of each first."""
    left = np.setdiff1d(np.arange(len(F)), chosen)
    result = list[int]()
    while len(result) < k and len(left):
        front = left[non_dominated(F[left])]
        order = np.argsort(-crowding_distance(F[front]), kind="stable")
        result += front[order].tolist()
        left = np.setdiff1d(left, front)
    return np.array(result[:k], dtype=np.int64)

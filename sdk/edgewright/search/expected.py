"""Expected hypervolume improvement: the infill that knows how little a prediction may be worth.

The error is predicted with a deviation and the cost is exact, so that the expectation over a
Gaussian is a sum over the steps of the front (Emmerich et al. 2006, with one coordinate certain).
Batches are chosen one by one: each is believed to turn out as predicted, and what that would tell
of the others is taken off their deviations (kriging believer, Ginsbourger et al. 2010).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from edgewright.search.outliers import upper_fence
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray, IntArray

# Candidates whose dependence on each other is worked out; those that promise most on their own.
MAX_DEPENDENT = 400
# The scale reaches to where the front would lie if errors were this many deviations below the mean.
OPTIMISM = 1.0

#: Posterior covariance of the errors of the given rows ``(m,)`` of the candidates, ``(m, m)``.
Covariance = Callable[[IntArray], FloatArray]


def expected_batch(
    archive_F: FloatArray, F: FloatArray, std: FloatArray, covariance: Covariance | None, k: int
) -> IntArray:
    """Return up to ``k`` rows of ``F`` in the order in which they are chosen.

    Args:
        archive_F: true error and cost of what was evaluated, ``(n, 2)``.
        F: predicted error and exact cost of what was not, ``(m, 2)``.
        std: deviation of the predicted error, ``(m,)``.
        covariance: how the errors depend on each other; independent where None.
        k: how many to choose.
    """
    front, low, span = _scaled_front(archive_F, F, std)
    scaled, deviation = (F - low) / span, std / span[0]
    gains = expected_improvements(front, scaled, deviation)
    rows = np.argsort(-gains, kind="stable")[: max(k, MAX_DEPENDENT)]
    dependence = np.diag(deviation[rows] ** 2) if covariance is None else covariance(rows) / span[0] ** 2
    scaled, gains = scaled[rows], gains[rows]
    open_ = np.ones(len(rows), dtype=np.bool_)
    chosen = list[int]()
    while True:
        best = int(np.argmax(np.where(open_, gains, -np.inf)))
        chosen.append(best)
        open_[best] = False
        if len(chosen) == min(k, len(rows)):
            break
        front = np.vstack([front, scaled[best]])
        known = dependence[best, best]
        if known > 1e-12:
            dependence = dependence - np.outer(dependence[best], dependence[best]) / known
        deviation = np.sqrt(np.maximum(np.diag(dependence), 0.0))
        gains = expected_improvements(front, scaled, deviation)
    return rows[chosen].astype(np.int64)


def _scaled_front(
    archive_F: FloatArray, F: FloatArray, std: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the archive's front in the scale of what may become the front, its low and its span.

    The scale's ends are those of the archive's front joined with the candidates' at their best;
    networks that learned nothing (:func:`edgewright.search.outliers.upper_fence`) are in neither.
    """
    learned = archive_F[archive_F[:, 0] <= upper_fence(archive_F[:, 0])]
    front = learned[front_indices(learned)]
    hoped = np.column_stack([F[:, 0] - OPTIMISM * std, F[:, 1]])
    hoped = hoped[hoped[:, 0] <= upper_fence(archive_F[:, 0])]
    both = np.concatenate([front, hoped])
    both = both[front_indices(both)]
    ends = np.concatenate([front, both])
    low, high = ends.min(axis=0), ends.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    return (front - low) / span, low, span


def expected_improvements(front: FloatArray, points: FloatArray, std: FloatArray) -> FloatArray:
    """Return the hypervolume that each point is expected to add below ``(1.1, 1.1)``, ``(m,)``.

    Args:
        front: scaled error and cost, ``(n, 2)``.
        points: predicted error and exact cost in the same scale, ``(m, 2)``.
        std: deviation of the errors, ``(m,)``.
    """
    front = front[front_indices(front)][::-1]  # ascending in cost
    # From left to right, the error that is to be beaten at each cost.
    left = np.concatenate([[-np.inf], front[:, 1]])
    right = np.concatenate([np.minimum(front[:, 1], 1.1), [1.1]])
    height = np.minimum(np.concatenate([[1.1], front[:, 0]]), 1.1)
    width = np.clip(right - np.maximum(left, points[:, 1:]), 0.0, None)  # (m, n + 1)
    below = height - points[:, :1]
    deviation = np.maximum(std, 1e-9)[:, None]
    z = below / deviation
    density = np.exp(-0.5 * np.minimum(z**2, 1e3)) / np.sqrt(2.0 * np.pi)
    gain: FloatArray = (width * (below * ndtr(z) + deviation * density)).sum(axis=1)
    return gain

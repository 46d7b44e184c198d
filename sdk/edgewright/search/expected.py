"""Expected hypervolume improvement: the infill that knows how little a prediction may be worth.

The error is predicted with a deviation and the costs are exact, so that the expectation over a
Gaussian is a sum over the steps of the front (Emmerich et al. 2006, with all coordinates but one
certain): between two errors of the front, what a network adds is the part of its costs' box that
the better networks leave. With one cost the steps are intervals, done for all networks at once.
Batches are chosen one by one: each is believed to turn out as predicted, and what that would tell
of the others is taken off their deviations (kriging believer, Ginsbourger et al. 2010).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from edgewright.search.hypervolume import ROUNDING, hypervolume
from edgewright.search.outliers import upper_fence
from edgewright.search.pareto import front_indices
from edgewright.search.survival import rank_and_crowding
from edgewright.spaces.architecture import FloatArray, IntArray

# Candidates whose dependence on each other is worked out; those that promise most on their own.
MAX_DEPENDENT = 400
# Candidates that are looked at beside two costs or more, and steps of the front; each takes a hypervolume.
MAX_LOOKED_AT = 200
MAX_STEPS = 32
# Where the front's scaled objectives end.
REFERENCE = 1.1
# The scale reaches to where the front would lie if errors were this many deviations below the mean.
OPTIMISM = 1.0

#: Posterior covariance of the errors of the given rows ``(m,)`` of the candidates, ``(m, m)``.
Covariance = Callable[[IntArray], FloatArray]


def expected_batch(
    archive_F: FloatArray, F: FloatArray, std: FloatArray, covariance: Covariance | None, k: int
) -> IntArray:
    """Return up to ``k`` rows of ``F`` in the order in which they are chosen.

    Args:
        archive_F: true error and costs of what was evaluated, ``(n, n_obj)``; n_obj >= 2.
        F: predicted error and exact costs of what was not, ``(m, n_obj)``.
        std: deviation of the predicted error, ``(m,)``.
        covariance: how the errors depend on each other; independent where None.
        k: how many to choose.
    """
    front, low, span = _scaled_front(archive_F, F, std)
    scaled, deviation = (F - low) / span, std / span[0]
    if F.shape[1] > 2:
        rows = rank_and_crowding(_hoped(scaled, deviation), max(k, MAX_LOOKED_AT))
        gains = expected_improvements_beside(front, scaled[rows], deviation[rows])
    else:
        gains = expected_improvements(front, scaled, deviation)
        rows = np.argsort(-gains, kind="stable")[: max(k, MAX_DEPENDENT)]
        gains = gains[rows]
    dependence = np.diag(deviation[rows] ** 2) if covariance is None else covariance(rows) / span[0] ** 2
    scaled = scaled[rows]
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
        if F.shape[1] > 2:
            gains = _lessened(gains, open_, front, scaled, deviation)
        else:
            gains = expected_improvements(front, scaled, deviation)
    return rows[chosen].astype(np.int64)


def _hoped(F: FloatArray, std: FloatArray) -> FloatArray:
    """Return the objectives as they would be if errors were :data:`OPTIMISM` deviations lower."""
    return np.column_stack([F[:, 0] - OPTIMISM * std, F[:, 1:]])


def _lessened(
    gains: FloatArray, open_: NDArray[np.bool_], front: FloatArray, points: FloatArray, std: FloatArray
) -> FloatArray:
    """Return ``gains`` with the largest of the open ones as it is now, the others as they were or are.

    A gain only shrinks as the front grows and deviations shrink, so what it was is a bound: only those
    that lead by their bound are worked out again (Minoux 1978).
    """
    gains = np.where(open_, gains, -np.inf)
    fresh = np.zeros(len(gains), dtype=np.bool_)
    while True:
        best = int(np.argmax(gains))
        if fresh[best] or not open_[best]:
            return gains
        gains[best] = expected_improvements_beside(front, points[best : best + 1], std[best : best + 1])[0]
        fresh[best] = True


def _scaled_front(
    archive_F: FloatArray, F: FloatArray, std: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the archive's front in the scale of what may become the front, its low and its span.

    The scale's ends are those of the archive's front joined with the candidates' at their best;
    networks that learned nothing (:func:`edgewright.search.outliers.upper_fence`) are in neither.
    """
    learned = archive_F[archive_F[:, 0] <= upper_fence(archive_F[:, 0])]
    front = learned[front_indices(learned)]
    hoped = _hoped(F, std)
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


def expected_improvements_beside(front: FloatArray, points: FloatArray, std: FloatArray) -> FloatArray:
    """Return the hypervolume that each point is expected to add beside any number of costs, ``(m,)``.

    A front of more than :data:`MAX_STEPS` networks is taken in so many steps of as many networks each.

    Args:
        front: scaled error and costs, ``(n, n_obj)``; n_obj >= 2.
        points: predicted error and exact costs in the same scale, ``(m, n_obj)``.
        std: deviation of the errors, ``(m,)``.
    """
    front = front[front_indices(front)]
    front = front[(front < REFERENCE).all(axis=1)]
    front = front[np.argsort(front[:, 0], kind="stable")]
    # Below the first edge no network of the front is as good; within a step, half of it is taken to be.
    ends = np.unique(np.linspace(0, len(front), min(len(front), MAX_STEPS) + 1).astype(np.int64))
    counts = np.concatenate([ends[:1], (ends[:-1] + ends[1:] + 1) // 2])
    edges = np.concatenate([front[ends[:-1], 0], [REFERENCE]]) if len(front) else np.array([REFERENCE])
    deviation = np.maximum(std, 1e-9)[:, None]
    z = (edges - points[:, :1]) / deviation
    density = np.exp(-0.5 * np.minimum(z**2, 1e3)) / np.sqrt(2.0 * np.pi)
    # What an error below each edge adds a unit of the costs' volume, and each step's share of it.
    shares = np.diff(deviation * (z * ndtr(z) + density), axis=1, prepend=0.0)
    return np.array([_beside(front[:, 1:], counts, p[1:], s) for p, s in zip(points, shares, strict=True)])


def _beside(front: FloatArray, counts: IntArray, costs: FloatArray, shares: FloatArray) -> float:
    """Return the expectation of one network: each step's share of the volume that is left to it."""
    box = float(np.prod(np.clip(REFERENCE - costs, 0.0, None)))
    end = np.full(len(costs), REFERENCE)
    limited = np.maximum(front, costs)
    gain = 0.0
    for count, share in zip(counts, shares, strict=True):
        left = box - hypervolume(limited[:count], end)
        if left <= ROUNDING * box:  # whoever is as bad as this adds nothing
            break
        gain += left * share
    return gain

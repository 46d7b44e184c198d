"""Hypervolume: what a front dominates up to a reference point; every objective is minimised."""

from __future__ import annotations

import numpy as np

from edgewright.search.pareto import non_dominated
from edgewright.spaces.architecture import FloatArray, IntArray

# Share of a box below which a difference of volumes is rounding.
ROUNDING = 1e-12


def hypervolume(F: FloatArray, ref_point: FloatArray) -> float:
    """Return the volume that ``F`` ``(n, n_obj)`` dominates below ``ref_point`` ``(n_obj,)``."""
    import moocore  # compiled; loaded only by searches

    inside = F[(ref_point > F).all(axis=1)] if len(F) else F
    if len(inside) == 0:
        return 0.0
    return float(moocore.hypervolume(np.ascontiguousarray(inside, dtype=np.float64), ref=ref_point))


def reference_point(F: FloatArray) -> FloatArray:
    """Return 1.01 times the largest value of each objective, ``(n_obj,)``.

    As MSuNAS (arXiv:2007.10396) and NATv2 (arXiv:2307.00960) take it from the initial design. All
    objectives of a search are at least 0; one that is 0 throughout gets 1, so that it has extent.
    """
    ref: FloatArray = 1.01 * F.max(axis=0)
    return np.where(ref > 0, ref, 1.0)


def normalised_hypervolume(F: FloatArray, ref_point: FloatArray) -> float:
    """Return the hypervolume as a share of the box from 0 to ``ref_point``, in ``[0, 1]``."""
    return hypervolume(F / ref_point, np.ones_like(ref_point))


def greedy_improvement(front: FloatArray, candidates: FloatArray, ref_point: FloatArray, k: int) -> IntArray:
    """Return up to ``k`` rows of ``candidates``, each adding the most hypervolume to those before it.

    Stops early where no candidate adds any. Greedy choice of a submodular gain: at least 63 % of
    the best subset's.

    Args:
        front: what is dominated already, ``(n, n_obj)``; may be empty.
        candidates: ``(m, n_obj)``.
        ref_point: ``(n_obj,)``.
        k: how many to choose.
    """
    chosen = list[int]()
    current = front[(front < ref_point).all(axis=1)] if len(front) else front.reshape(0, len(ref_point))
    pool = np.flatnonzero((candidates < ref_point).all(axis=1))
    if len(ref_point) > 2:
        return pool[_lazily_greedy(current, candidates[pool], ref_point, k)]
    while len(chosen) < k and len(pool):
        current = current[non_dominated(current)] if len(current) else current
        gains = improvements(current, candidates[pool], ref_point)
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        chosen.append(int(pool[best]))
        current = np.vstack([current, candidates[pool[best]]])
        pool = pool[gains > 0]  # gains only shrink as the front grows
        pool = pool[pool != chosen[-1]]
    return np.array(chosen, dtype=np.int64)


def _lazily_greedy(front: FloatArray, candidates: FloatArray, ref_point: FloatArray, k: int) -> IntArray:
    """Return the greedy choice at a fraction of its hypervolumes (Minoux 1978).

    A gain only shrinks as the front grows, so the last one known is a bound: only candidates that lead
    by their bound are worked out again.
    """
    chosen = list[int]()
    bounds = improvements(front, candidates, ref_point)
    known_at = np.zeros(len(candidates), dtype=np.int64)  # choices made when the bound was worked out
    while len(chosen) < k and len(candidates) and bounds.max() > 0:
        best = int(np.argmax(bounds))
        if known_at[best] < len(chosen):
            bounds[best] = improvements(front, candidates[best : best + 1], ref_point)[0]
            known_at[best] = len(chosen)
            continue
        chosen.append(best)
        front = np.vstack([front, candidates[best]])
        front = front[non_dominated(front)]
        bounds[best] = -np.inf
    return np.array(chosen, dtype=np.int64)


def improvements(front: FloatArray, points: FloatArray, ref_point: FloatArray) -> FloatArray:
    """Return the hypervolume that each of ``points`` ``(m, n_obj)`` adds to ``front``, ``(m,)``.

    ``front`` has only non-dominated rows below ``ref_point``. Two objectives are done for all
    points at once; more need a hypervolume a point.
    """
    if len(ref_point) != 2:
        return np.array([_exclusive(front, point, ref_point) for point in points])
    order = np.argsort(front[:, 0], kind="stable")
    # Steps of the staircase: on [left_i, left_i+1) the front's lowest second objective is height_i.
    left = np.concatenate([[-np.inf], front[order, 0]])
    right = np.concatenate([front[order, 0], [ref_point[0]]])
    height = np.concatenate([[ref_point[1]], np.minimum.accumulate(front[order, 1])])
    width = np.clip(right - np.maximum(left, points[:, :1]), 0.0, None)  # (m, n + 1)
    gain: FloatArray = (width * np.clip(height - points[:, 1:], 0.0, None)).sum(axis=1)
    return gain


def _exclusive(front: FloatArray, point: FloatArray, ref_point: FloatArray) -> float:
    """Return the volume that ``point`` alone dominates: its box, less what the front takes of it.

    The part of the front within the box is far smaller than the front (While et al. 2012, section III).
    """
    box = float(np.prod(np.clip(ref_point - point, 0.0, None)))
    if len(front) == 0 or box == 0:
        return box
    limited = np.maximum(front, point)
    gain = box - hypervolume(limited[non_dominated(limited)], ref_point)
    return gain if gain > ROUNDING * box else 0.0

"""Coverage: how much of earlier fronts a front has overtaken, and over which costs it lies.

Hypervolume is one number for both. Zitzler and Thiele's coverage of two sets ("Multiobjective
evolutionary algorithms: a comparative case study and the strength Pareto approach", 1999) tells whether
the front still moves. Cells along each cost, counted as Deb and Jain count theirs from generation to
generation ("Running performance metrics for evolutionary multi-objective optimization", 2002), tell
whether it has gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgewright.search.archive import Evaluation
from edgewright.search.config import Coverage
from edgewright.search.feasible import FeasibleSet
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray, IntArray

#: Equal parts of the range of a cost.
N_CELLS = 20


class CostRange(NamedTuple):
    """The range of a cost over feasible networks in equal parts: of its logarithm, unless the least is 0.

    Attributes:
        low: the least.
        high: the most.
        reachable: which parts have a network, ``(n_cells,)``; all where the space cannot be listed.
    """

    low: float
    high: float
    reachable: NDArray[np.bool_]

    def cells(self, values: FloatArray) -> IntArray:
        """Return the part that each of ``values`` ``(n,)`` lies in, ``(n,)``; outside ones in the nearest."""
        low, high, values = np.float64(self.low), np.float64(self.high), np.clip(values, self.low, self.high)
        if low > 0:
            low, high, values = np.log(low), np.log(high), np.log(values)
        span = high - low
        if span <= 0:
            return np.zeros(len(values), dtype=np.int64)
        parts = ((values - low) / span * len(self.reachable)).astype(np.int64)
        return np.minimum(parts, len(self.reachable) - 1)

    def share(self, values: FloatArray) -> float:
        """Return the share of the parts with a network that have one of ``values`` ``(n,)``."""
        if self.high <= self.low:
            return float(len(values) > 0)
        return len(np.unique(self.cells(values))) / int(self.reachable.sum())


def covered(front: FloatArray, other: FloatArray) -> float | None:
    """Return the share of ``other`` ``(m, n_obj)`` that ``front`` ``(n, n_obj)`` dominates; None of no row.

    Zitzler and Thiele's C(front, other), but rows of ``other`` that are in ``front`` too do not count: a
    front keeps what it does not dominate, so that with them it would be 1 throughout.
    """
    if len(other) == 0:
        return None
    if len(front) == 0:
        return 0.0
    no_worse = (front[:, None] <= other).all(axis=2)  # (n, m)
    better = (front[:, None] < other).any(axis=2)
    return float((no_worse & better).any(axis=0).mean())


def cost_ranges(feasible: FeasibleSet, n_cells: int = N_CELLS) -> dict[str, CostRange]:
    """Return the range of each minimised cost over feasible networks, by name.

    Exact where the space can be listed; else from the smallest network to the largest, or to the cost's
    own budget where that is less.
    """
    problem, space, members = feasible.problem, feasible.space, feasible.members
    X = (
        np.stack([space.encode(space.smallest()), space.encode(space.largest())])
        if members is None
        else members
    )
    found = dict[str, CostRange]()
    for name, values in zip(problem.objectives, problem.costs(X).T, strict=True):
        low, high = float(values.min()), float(values.max())
        high = max(low, min(high, problem.limits.get(name, high)))
        whole = CostRange(low, high, np.ones(n_cells, dtype=np.bool_))
        reachable = whole.reachable if members is None else np.isin(np.arange(n_cells), whole.cells(values))
        found[name] = whole._replace(reachable=reachable)
    return found


def coverage(rows: Sequence[Evaluation], iteration: int, ranges: Mapping[str, CostRange]) -> Coverage:
    """Return the coverage of the front after ``iteration``.

    Args:
        rows: what was evaluated; the costs of ``ranges`` are the last of their objectives.
        iteration: the newest.
        ranges: of :func:`cost_ranges`.
    """
    front, before, first = (_front(rows, last) for last in (iteration, iteration - 1, 0))
    columns = front[:, front.shape[1] - len(ranges) :].T if len(front) else np.zeros((len(ranges), 0))
    costs = {name: found.share(column) for (name, found), column in zip(ranges.items(), columns, strict=True)}
    return Coverage(covered(front, before), covered(front, first), costs)


def _front(rows: Sequence[Evaluation], last: int) -> FloatArray:
    """Return the objectives of the front up to an iteration, ``(n, n_obj)``."""
    found = [row.objectives for row in rows if row.iteration <= last and row.objectives is not None]
    F = np.array(found, dtype=np.float64)
    return F[front_indices(F)]

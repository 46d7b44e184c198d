"""The inner search for few objectives: an evolution of the predicted front, without pymoo's overhead.

1. Parents are the seeds, filled up with random networks.
2. Each generation mates parents of like cost: the front is a curve, and networks far apart on it share
   little that would do well halfway.
3. Parents and children survive by rank and crowding distance (NSGA-II, Deb et al. 2002).
4. Pareto local search ends it: every neighbour of a spread of the front found so far.

No network is predicted twice, so that tens of thousands fit into a second.
"""

from __future__ import annotations

import numpy as np

from edgewright.search.inner import Excess, Objectives, Pool, neighbours_of_front
from edgewright.search.survival import rank_and_crowding
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

# Mates are at most this share of the population apart in order of cost.
REACH = 0.1
# Expected changes of a child; each child has a rate of its own.
MUTATIONS = (0.5, 1.5, 3.0)


def evolution(
    space: SearchSpace,
    *,
    objectives: Objectives,
    excess: Excess,
    seeds: IntArray,
    population: int,
    generations: int,
    polish: int,
    rng: np.random.Generator,
) -> Pool:
    """Evolve the predicted front; for the arguments see :class:`edgewright.search.inner.InnerSearch`."""
    met = _Met(space, objectives, excess)
    fill = space.sample(rng, max(population // 4, population - len(seeds)))
    parents = met.add(np.concatenate([seeds, fill]))
    for _ in range(generations):
        if len(parents.X) == 0:  # nothing feasible among them: the seeds are, unless there are none
            break
        children = met.add(_children(space, parents, population, rng))
        X, F = np.concatenate([parents.X, children.X]), np.concatenate([parents.F, children.F])
        kept = rank_and_crowding(F, population)
        parents = Pool(X[kept], F[kept])
    for _ in range(polish):
        if len(met.add(neighbours_of_front(space, met.pool())).X) == 0:
            break
    return met.pool()


def _children(space: SearchSpace, parents: Pool, n: int, rng: np.random.Generator) -> IntArray:
    """Return ``n`` canonical children: uniform crossover of parents of like cost, then random resets."""
    m, n_var = parents.X.shape
    order = np.argsort(parents.F[:, -1], kind="stable")
    reach = max(1, int(REACH * m))
    first = rng.integers(m, size=n)
    second = np.clip(first + rng.integers(-reach, reach + 1, size=n), 0, m - 1)
    X = parents.X[order]
    children = np.where(rng.random((n, n_var)) < 0.5, X[first], X[second])
    rate = rng.choice(MUTATIONS, size=n)[:, None] / n_var
    reset = rng.random((n, n_var)) < rate
    return space.repair(np.where(reset, rng.integers(0, space.n_choices, size=(n, n_var)), children))


class _Met:
    """The networks that were met, each once; those within the budgets are predicted."""

    def __init__(self, space: SearchSpace, objectives: Objectives, excess: Excess) -> None:
        self.objectives = objectives
        self.excess = excess
        # Rows are told apart by a random 64-bit sum: sorting whole rows takes longer than predicting.
        self._weights = np.random.default_rng(0).integers(
            -(2**63), 2**63 - 1, size=len(space.n_choices), dtype=np.int64
        )
        self._keys = np.zeros(0, dtype=np.int64)
        self._X = [np.zeros((0, len(space.n_choices)), dtype=np.int64)]
        self._F = list[FloatArray]()

    def add(self, X: IntArray) -> Pool:
        """Return the rows of ``X`` that are new and feasible, predicted."""
        with np.errstate(over="ignore"):
            keys = X @ self._weights
        _, first = np.unique(keys, return_index=True)
        first = np.sort(first[~np.isin(keys[first], self._keys, kind="sort")])
        self._keys = np.concatenate([self._keys, keys[first]])
        X = X[first]
        X = X[(self.excess(X) <= 0).all(axis=1)]
        F = self.objectives(X)
        self._X.append(X)
        self._F.append(F)
        return Pool(X, F)

    def pool(self) -> Pool:
        """Return all feasible networks that were met, in the order of meeting."""
        return Pool(np.concatenate(self._X), np.concatenate(self._F))

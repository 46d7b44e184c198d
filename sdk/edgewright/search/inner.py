"""The inner search: who looks for promising networks among the predicted ones, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from edgewright.search.pareto import crowding_distance, non_dominated
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

#: Predicted objectives of encodings ``(n, n_var)``, ``(n, n_obj)``.
Objectives = Callable[[IntArray], FloatArray]
#: Budgets as constraints of encodings ``(n, n_var)``, ``(n, n_budgets)``; feasible is <= 0.
Excess = Callable[[IntArray], FloatArray]

#: By name; ``auto`` takes the first up to two objectives, the second for three, and the third above.
INNER_SEARCHES = ("evolution", "nsga2", "nsga3")
MAX_CURVE = 2  # objectives up to which a front is a curve, along which likes can be mated
# Networks of the front whose neighbours are tried in a round of local search.
POLISHED = 30
MAX_CROWDED = 3  # objectives up to which crowding distance spreads a front


class Pool(NamedTuple):
    """Feasible networks that the inner search saw, each once."""

    X: IntArray  # (m, n_var)
    F: FloatArray  # (m, n_obj), predicted


class InnerSearch(Protocol):
    """Searches the predicted objectives."""

    def __call__(
        self,
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
        """Return all feasible networks met on the way.

        Args:
            space: what is searched.
            objectives: predicted; all minimised.
            excess: budgets as constraints.
            seeds: first of the initial population, ``(k, n_var)``; random networks fill it.
            population: individuals of a generation.
            generations: after the initial one.
            polish: rounds of local search.
            rng: the randomness of this iteration.
        """
        ...


def neighbours_of_front(space: SearchSpace, pool: Pool) -> IntArray:
    """Return the neighbours of up to :data:`POLISHED` spread networks of a pool's front, ``(m, n_var)``.

    One round of Pareto local search; an empty pool has none, and rows may repeat.
    """
    front = np.flatnonzero(non_dominated(pool.F))
    spread = front[np.argsort(-crowding_distance(pool.F[front]), kind="stable")[:POLISHED]]
    return np.concatenate([pool.X[:0], *(space.neighbours(x) for x in pool.X[spread])])


def find_inner_search(name: str, n_obj: int) -> InnerSearch:
    """Return the inner search of a name: of :data:`INNER_SEARCHES`, or ``auto``."""
    # Imported here: pymoo takes most of a second to load, and reading an archive needs none of it.
    from edgewright.search.evolution import evolution
    from edgewright.search.nsga2 import nsga2, nsga3

    by_name: dict[str, InnerSearch] = {"evolution": evolution, "nsga2": nsga2, "nsga3": nsga3}
    if name != "auto":
        return by_name[name]
    return evolution if n_obj <= MAX_CURVE else nsga2 if n_obj <= MAX_CROWDED else nsga3

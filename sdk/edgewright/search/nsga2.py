"""NSGA-II and NSGA-III over encodings, on the surrogates and the exact costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.repair import Repair
from pymoo.optimize import minimize

from edgewright.search.inner import Excess, Objectives, Pool, neighbours_of_front
from edgewright.search.survival import directions
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace


def nsga2(
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
    """NSGA-II (Deb et al. 2002) with uniform crossover and random resets, then polished.

    Polishing is Pareto local search: every neighbour of a spread of the front found so far.
    For the arguments see :class:`edgewright.search.inner.InnerSearch`.
    """
    return _search(NSGA2, space, objectives, excess, seeds, population, generations, polish, rng)


def nsga3(
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
    """NSGA-III (Deb and Jain 2014) likewise, its survivors spread over reference directions.

    Where there are many objectives nearly every network is on the front, and crowding distance no
    longer tells which to keep.
    """

    def algorithm(**options: Any) -> Any:
        n_obj = objectives(seeds[:1] if len(seeds) else space.sample(rng, 1)).shape[1]
        return NSGA3(directions(n_obj, population), **options)

    return _search(algorithm, space, objectives, excess, seeds, population, generations, polish, rng)


def _search(
    make: Callable[..., Any],
    space: SearchSpace,
    objectives: Objectives,
    excess: Excess,
    seeds: IntArray,
    population: int,
    generations: int,
    polish: int,
    rng: np.random.Generator,
) -> Pool:
    """Run one of pymoo's algorithms and return all feasible networks that it met."""
    fill = space.sample(rng, max(0, population - len(seeds)))
    start = np.unique(np.concatenate([seeds[:population], fill]), axis=0)
    inner = _Inner(space, objectives, excess, n_obj=objectives(start[:1]).shape[1])
    algorithm = make(
        pop_size=population,
        sampling=Population.new("X", start),
        crossover=_UniformCrossover(2, 2, prob=0.9),
        mutation=_ResetMutation(),
        repair=_Canonical(),
        eliminate_duplicates=_Duplicates(),
    )
    seed = int(rng.integers(2**31))
    minimize(inner, algorithm, ("n_gen", generations + 1), seed=seed, copy_algorithm=False)
    pool = inner.pool()
    for _ in range(polish):
        grown = _polished(space, inner, pool)
        if len(grown.X) == len(pool.X):
            break
        pool = grown
    return pool


def _polished(space: SearchSpace, inner: _Inner, pool: Pool) -> Pool:
    """Return ``pool`` with the neighbours of spread networks of its front."""
    near = neighbours_of_front(space, pool)
    if len(near) == 0:
        return pool
    inner.record(np.unique(near, axis=0))
    return inner.pool()


class _Inner(PymooProblem):  # type: ignore[misc]  # pymoo has no types
    """The predicted problem; remembers the feasible networks that it was asked about."""

    def __init__(
        self,
        space: SearchSpace,
        objectives: Objectives,
        excess: Callable[[IntArray], FloatArray],
        n_obj: int,
    ) -> None:
        self.space = space
        self.objectives = objectives
        self.excess = excess
        n_budgets = excess(space.encode(space.smallest())[None]).shape[1]
        super().__init__(
            n_var=len(space.n_choices),
            n_obj=n_obj,
            n_ieq_constr=n_budgets,
            xl=0,
            xu=space.n_choices - 1,
            vtype=int,
        )
        self._seen: list[Pool] = []

    def record(self, X: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return objectives and constraints of ``X``, remembering the feasible rows."""
        F, G = self.objectives(X), self.excess(X)
        inside = (G <= 0).all(axis=1)
        self._seen.append(Pool(X[inside], F[inside]))
        return F, G

    def pool(self) -> Pool:
        """Return every feasible network seen, once, in canonical order."""
        X = np.concatenate([p.X for p in self._seen])
        F = np.concatenate([p.F for p in self._seen])
        X, first = np.unique(X, axis=0, return_index=True)
        self._seen = [Pool(X, F[first])]
        return self._seen[0]

    def _evaluate(self, X: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"], out["G"] = self.record(np.asarray(X, dtype=np.int64))


class _Canonical(Repair):  # type: ignore[misc]
    """Makes offspring canonical, so that equal subnets are equal rows."""

    def _do(self, problem: Any, X: Any, **kwargs: Any) -> IntArray:
        repaired: IntArray = problem.space.repair(np.asarray(X, dtype=np.int64))
        return repaired


class _Duplicates(DuplicateElimination):  # type: ignore[misc]
    """Finds equal rows by hashing; pymoo's own computes all distances."""

    def _do(self, pop: Any, other: Any, is_duplicate: Any) -> Any:
        seen = set() if other is None else {row.tobytes() for row in _codes(other)}
        for i, row in enumerate(_codes(pop)):
            key = row.tobytes()
            is_duplicate[i] |= key in seen
            seen.add(key)
        return is_duplicate


def _codes(pop: Any) -> IntArray:
    return np.ascontiguousarray(pop.get("X"), dtype=np.int64)


class _UniformCrossover(Crossover):  # type: ignore[misc]
    """Each variable of two parents is swapped with probability one half."""

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        _, n_matings, n_var = X.shape
        swap = random_state.random((n_matings, n_var)) < 0.5
        return np.stack([np.where(swap, X[1], X[0]), np.where(swap, X[0], X[1])])


class _ResetMutation(Mutation):  # type: ignore[misc]
    """Each variable takes a random choice with probability ``2 / n_var``."""

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        reset = random_state.random(X.shape) < 2.0 / problem.n_var
        return np.where(reset, random_state.integers(0, problem.space.n_choices, size=X.shape), X)

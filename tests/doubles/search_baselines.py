"""Searches to beat: random and plain NSGA-II, on true objectives, all evaluations counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.pntx import TwoPointCrossover
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from edgewright.spaces import MobileSpace

Objectives = Callable[[np.ndarray], np.ndarray]


def random_search(space: MobileSpace, objectives: Objectives, n: int, seed: int) -> np.ndarray:
    """Return the objectives of ``n`` distinct random networks, ``(n, n_obj)``."""
    X = space.sample(np.random.default_rng(seed), 2 * n)
    return objectives(np.array(list(dict.fromkeys(map(tuple, X)))[:n]))


def nsga2_search(
    space: MobileSpace, objectives: Objectives, n: int, seed: int, population: int = 20
) -> np.ndarray:
    """Return the objectives of the first ``n`` evaluations of pymoo's NSGA-II, ``(n, n_obj)``."""
    seen = list[np.ndarray]()

    class TrueProblem(Problem):
        def __init__(self) -> None:
            n_obj = objectives(space.encode(space.smallest())[None]).shape[1]
            super().__init__(n_var=len(space.n_choices), n_obj=n_obj, xl=0, xu=space.n_choices - 1, vtype=int)

        def _evaluate(self, X, out, *args, **kwargs):
            out["F"] = objectives(space.repair(X))
            seen.append(out["F"])

    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=TwoPointCrossover(prob=0.9),
        mutation=PM(eta=1.0, vtype=float, repair=RoundingRepair()),
    )
    minimize(TrueProblem(), algorithm, ("n_eval", n), seed=seed)
    return np.concatenate(seen)[:n]

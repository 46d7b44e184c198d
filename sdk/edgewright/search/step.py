"""One step of the search: from the archive to the networks that are evaluated next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # of scikit-learn

from edgewright.search.archive import Evaluation
from edgewright.search.config import Problem, SearchConfig
from edgewright.search.feasible import FeasibleSet
from edgewright.search.features import features_of
from edgewright.search.infill import choose_infill
from edgewright.search.pareto import front_indices
from edgewright.search.surrogate import choose
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

# Below this many successful evaluations a surrogate knows nothing; infill is random.
MIN_FITTED = 4
POLISH_ROUNDS = 3


class Proposal(NamedTuple):
    """The networks of an iteration."""

    X: IntArray  # (k, n_var); empty where every feasible network is evaluated
    errors: FloatArray  # (k,), predicted; NaN where no surrogate chose the network
    surrogate: str | None = None
    out_of_fold_tau: float | None = None


def propose(
    space: SearchSpace,
    problem: Problem,
    feasible: FeasibleSet,
    rows: Sequence[Evaluation],
    config: SearchConfig,
    rng: np.random.Generator,
) -> Proposal:
    """Return the next ``config.n_infill`` networks, none of which is in ``rows``.

    Fits the surrogate to what succeeded, searches it, and chooses the infill; random feasible
    networks make up what is missing. A pure function of its arguments.

    Args:
        space: what is searched.
        problem: costs and budgets.
        feasible: the networks within the budgets.
        rows: all evaluations of earlier iterations.
        config: how the search goes.
        rng: the randomness of this iteration.
    """
    seen = {row.x for row in rows}
    done = [row for row in rows if row.objectives is not None]
    # One thread: faster on matrices this small, and the sums are the same whatever else runs.
    with threadpool_limits(1):
        if len(done) >= MIN_FITTED:
            chosen = _by_surrogate(space, problem, feasible, done, seen, config, rng)
        else:
            chosen = Proposal(np.zeros((0, len(space.n_choices)), dtype=np.int64), np.zeros(0))
        missing = config.n_infill - len(chosen.X)
        if missing > 0:
            known = seen | {tuple(x) for x in chosen.X.tolist()}
            extra = feasible.fresh(rng, missing, known)
            X = np.concatenate([chosen.X, extra])
            chosen = chosen._replace(X=X, errors=np.append(chosen.errors, np.full(len(extra), np.nan)))
    return chosen


def _by_surrogate(
    space: SearchSpace,
    problem: Problem,
    feasible: FeasibleSet,
    done: Sequence[Evaluation],
    seen: set[tuple[int, ...]],
    config: SearchConfig,
    rng: np.random.Generator,
) -> Proposal:
    """Return the infill that the surrogate and the inner search find."""
    # Imported here: pymoo takes most of a second to load, and reading an archive needs none of it.
    from edgewright.search.nsga2 import inner_search

    X = np.array([row.x for row in done], dtype=np.int64)
    F = np.array([row.objectives for row in done], dtype=np.float64)
    features = features_of(space, problem)
    surrogate = choose(config.surrogate, features(X), F[:, 0], rng)

    def predicted(candidates: IntArray) -> FloatArray:
        errors = surrogate.model.predict(features(candidates)).mean
        return np.column_stack([errors, problem.costs(candidates)])

    pool = inner_search(
        space,
        objectives=predicted,
        excess=problem.excess,
        seeds=X[front_indices(F)],
        population=config.population,
        generations=config.generations,
        polish=POLISH_ROUNDS,
        rng=rng,
    )
    new = np.array([tuple(x) not in seen for x in pool.X.tolist()], dtype=np.bool_)
    picked = choose_infill(F, pool.F[new], config.n_infill)
    return Proposal(pool.X[new][picked], pool.F[new][picked, 0], surrogate.name, surrogate.out_of_fold_tau)

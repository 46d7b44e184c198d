"""The search by surrogate: from the archive to the networks that are evaluated next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # of scikit-learn

from edgewright.regression.base import Covariant, MeanAlone
from edgewright.search.archive import Evaluation
from edgewright.search.baselines import evolve
from edgewright.search.config import SearchConfig
from edgewright.search.feasible import FeasibleSet
from edgewright.search.features import features_of
from edgewright.search.infill import INFILLS, Candidates
from edgewright.search.inner import Objectives, Pool, find_inner_search
from edgewright.search.pareto import front_indices
from edgewright.search.proposal import Proposal, nothing
from edgewright.search.surrogate import Chosen, Surrogate, choose
from edgewright.search.survival import known_rows
from edgewright.spaces.architecture import FloatArray, IntArray

# Below this many successful evaluations a surrogate knows nothing; infill is random.
MIN_FITTED = 4
# Below this many, how a surrogate ranks them says little of how it ranks others.
MIN_RANKED = 32
POLISH_ROUNDS = 3


def by_surrogate(
    feasible: FeasibleSet, rows: Sequence[Evaluation], config: SearchConfig, rng: np.random.Generator
) -> Proposal:
    """Fit surrogates to the archive, search them, and choose the infill.

    Each objective that the evaluator returns has a surrogate of its own; exact costs are never
    learned. Which rows it starts from, who searches and who chooses are parts that ``config`` names.
    Where, of :data:`MIN_RANKED` networks or more, no surrogate ranks those that it has not seen better
    than chance, NSGA-II breeds the infill of what was evaluated.
    A :class:`edgewright.search.proposal.Method`.
    """
    problem, space = feasible.problem, feasible.space
    known = known_rows(rows, config)
    if len(known) < MIN_FITTED:
        return nothing(feasible)
    X = np.array([row.x for row in known], dtype=np.int64)
    F = np.array([row.objectives for row in known], dtype=np.float64)
    features = features_of(space, problem)
    # One thread: faster on matrices this small, and the sums are the same whatever else runs.
    with threadpool_limits(1):
        Z = features(X)
        chosen = [
            choose(config.surrogate, Z, F[:, j], rng, features.groups) for j in range(len(problem.evaluated))
        ]
        if len(known) >= MIN_RANKED and all(_ranks_nothing(surrogate) for surrogate in chosen):
            return evolve(feasible, rows, config, rng)._replace(out_of_fold_tau=chosen[0].out_of_fold_tau)

        def predicted(candidates: IntArray) -> FloatArray:
            Z = features(candidates)
            learned = [_mean(surrogate.model, Z) for surrogate in chosen]
            return np.column_stack([*learned, problem.costs(candidates)])

        pool = _pool(feasible, predicted, X[front_indices(F)], config, rng)
        seen = {row.x for row in rows}
        new = np.array([tuple(x) not in seen for x in pool.X.tolist()], dtype=np.bool_)
        candidates = _with_deviation(Candidates(pool.X[new], pool.F[new]), chosen, features)
        everything = np.array([row.objectives for row in rows if row.objectives is not None])
        picked = INFILLS[config.infill](everything, candidates, config.n_infill, rng)
    names = dict.fromkeys(surrogate.name for surrogate in chosen)
    return Proposal(
        candidates.X[picked],
        candidates.F[picked, : len(chosen)],
        ", ".join(names),
        chosen[0].out_of_fold_tau,
    )


def _ranks_nothing(surrogate: Chosen) -> bool:
    """Return whether the surrogate ranks what it has not seen no better than chance; not where unknown."""
    return surrogate.out_of_fold_tau is not None and surrogate.out_of_fold_tau <= 0.0


def _mean(model: Surrogate, Z: FloatArray) -> FloatArray:
    """Return the predicted mean, ``(m,)``."""
    return model.predict_mean(Z) if isinstance(model, MeanAlone) else model.predict(Z).mean


def _pool(
    feasible: FeasibleSet,
    predicted: Objectives,
    seeds: IntArray,
    config: SearchConfig,
    rng: np.random.Generator,
) -> Pool:
    """Return every network of an enumerated space, and what the inner search finds of any other."""
    if feasible.members is not None:
        return Pool(feasible.members, predicted(feasible.members))
    return find_inner_search(config.inner, len(feasible.problem.names))(
        feasible.space,
        objectives=predicted,
        excess=feasible.problem.excess,
        seeds=seeds,
        population=config.population,
        generations=config.generations,
        polish=POLISH_ROUNDS,
        rng=rng,
    )


def _with_deviation(
    candidates: Candidates, chosen: Sequence[Chosen], features: Callable[[IntArray], FloatArray]
) -> Candidates:
    """Return the candidates with what their one surrogate says of its own errors, if it does."""
    if len(chosen) > 1 or len(candidates.X) == 0:
        return candidates
    model = chosen[0].model
    Z = features(candidates.X)
    std = model.predict(Z).std
    if std is None:
        return candidates
    dependence = (lambda rows: model.covariance(Z[rows])) if isinstance(model, Covariant) else None
    return candidates._replace(std=std, covariance=dependence)

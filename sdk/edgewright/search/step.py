"""The search by surrogate: from the archive to the networks that are evaluated next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # of scikit-learn

from edgewright.search.archive import Evaluation
from edgewright.search.config import SearchConfig
from edgewright.search.feasible import FeasibleSet
from edgewright.search.features import features_of
from edgewright.search.infill import INFILLS, Candidates
from edgewright.search.inner import find_inner_search
from edgewright.search.pareto import front_indices
from edgewright.search.proposal import Proposal, nothing
from edgewright.search.surrogate import choose
from edgewright.search.survival import known_rows
from edgewright.spaces.architecture import FloatArray, IntArray

# Below this many successful evaluations a surrogate knows nothing; infill is random.
MIN_FITTED = 4
POLISH_ROUNDS = 3


def by_surrogate(
    feasible: FeasibleSet, rows: Sequence[Evaluation], config: SearchConfig, rng: np.random.Generator
) -> Proposal:
    """Fit surrogates to the archive, search them, and choose the infill.

    Each objective that the evaluator returns has a surrogate of its own; exact costs are never
    learned. Which rows it starts from, who searches and who chooses are parts that ``config`` names.
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
        chosen = [choose(config.surrogate, Z, F[:, j], rng) for j in range(len(problem.evaluated))]

        def predicted(candidates: IntArray) -> FloatArray:
            Z = features(candidates)
            learned = [surrogate.model.predict(Z).mean for surrogate in chosen]
            return np.column_stack([*learned, problem.costs(candidates)])

        pool = find_inner_search(config.inner, F.shape[1])(
            space,
            objectives=predicted,
            excess=problem.excess,
            seeds=X[front_indices(F)],
            population=config.population,
            generations=config.generations,
            polish=POLISH_ROUNDS,
            rng=rng,
        )
        seen = {row.x for row in rows}
        new = np.array([tuple(x) not in seen for x in pool.X.tolist()], dtype=np.bool_)
        candidates = Candidates(pool.X[new], pool.F[new])
        everything = np.array([row.objectives for row in rows if row.objectives is not None])
        picked = INFILLS[config.infill](everything, candidates, config.n_infill, rng)
    names = dict.fromkeys(surrogate.name for surrogate in chosen)
    return Proposal(
        candidates.X[picked],
        candidates.F[picked, : len(chosen)],
        ", ".join(names),
        chosen[0].out_of_fold_tau,
    )

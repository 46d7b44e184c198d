"""Which evaluated networks the surrogate learns from and the inner search starts from.

The archive's file keeps every row for good; who survives is worked out from the rows anew in each
iteration, so that nothing else has to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Any, Protocol

import numpy as np

from edgewright.search.archive import Evaluation
from edgewright.search.config import SearchConfig
from edgewright.search.design import N_ENDS
from edgewright.search.pareto import crowding_distance, ranks
from edgewright.spaces.architecture import FloatArray, IntArray

# Das and Dennis' directions of few partitions all lie on the edge of the simplex.
MAX_DAS_DENNIS = 5


class ArchivePolicy(Protocol):
    """Decides which rows an iteration works with."""

    def __call__(self, rows: Sequence[Evaluation], config: SearchConfig) -> Sequence[Evaluation]:
        """Return some of ``rows``, none of which failed, in their order. A pure function."""
        ...


def growing(rows: Sequence[Evaluation], config: SearchConfig) -> Sequence[Evaluation]:
    """Return all rows, as NAT does (arXiv:2005.05859)."""
    return rows


def constant(rows: Sequence[Evaluation], config: SearchConfig) -> Sequence[Evaluation]:
    """Return the best ``config.archive_size`` rows, as NATv2 does (arXiv:2307.00960).

    NATv2 drops a network for good; here each iteration chooses among all that were evaluated, so one
    that a fresh network crowded out may come back when that one's neighbours turn out worse.
    """
    return _best(rows, config.archive_size)


#: By name.
ARCHIVES: dict[str, ArchivePolicy] = {"growing": growing, "constant": constant}


def known_rows(rows: Sequence[Evaluation], config: SearchConfig) -> Sequence[Evaluation]:
    """Return the rows that an iteration works with: pre-screened, then by the archive's policy.

    Pre-screening is NATv2's "pre-processing": of an initial design several times as large only the
    best ``config.n_initial`` are kept, and the smallest and the largest network with them where the design
    begins with these.
    """
    done = [row for row in rows if row.objectives is not None]
    if config.pre_screening > 1:
        first = [row for row in done if row.iteration == 0]
        kept = {row.id for row in _best(first, config.n_initial)}
        if config.design == "balanced" or (config.design == "auto" and config.method == "surrogate"):
            kept |= {row.id for row in first if row.position < N_ENDS}
        done = [row for row in done if row.iteration > 0 or row.id in kept]
    return ARCHIVES[config.archive_policy](done, config)


def _best(rows: Sequence[Evaluation], n: int) -> Sequence[Evaluation]:
    if len(rows) <= n:
        return rows
    F = np.array([row.objectives for row in rows], dtype=np.float64)
    return [rows[i] for i in np.sort(survivors(F, n))]


def survivors(F: FloatArray, n: int) -> IntArray:
    """Return the ``n`` rows of ``F`` ``(m, n_obj)`` that survive, as NATv2 chooses them.

    One objective is sorted; two go by rank and crowding distance, more by reference directions.
    """
    return rank_and_crowding(F, n) if F.shape[1] <= 2 else reference_directions(F, n)


def rank_and_crowding(F: FloatArray, n: int) -> IntArray:
    """Return the ``n`` best rows of ``F``, best first (NSGA-II, Deb et al. 2002, section III).

    The last front that fits in part is cut by its crowding distance, taken once.
    """
    chosen = list[int]()
    rank = ranks(F)
    for level in range(int(rank.max()) + 1 if len(F) else 0):
        front = np.flatnonzero(rank == level)
        chosen += front[np.argsort(-crowding_distance(F[front]), kind="stable")].tolist()
        if len(chosen) >= n:
            break
    return np.array(chosen[:n], dtype=np.int64)


def reference_directions(F: FloatArray, n: int) -> IntArray:
    """Return ``n`` rows of ``F`` that spread over reference directions (NSGA-III, Deb and Jain 2014).

    Ties are broken by a generator of fixed seed, so that the choice is a function of ``F``.
    """
    # Imported here: pymoo takes most of a second to load, and reading an archive needs none of it.
    from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem

    if len(F) <= n:
        return np.arange(len(F))
    survival = ReferenceDirectionSurvival(directions(F.shape[1], n))
    population = Population.new("X", np.arange(len(F))[:, None], "F", F)
    problem: Any = Problem(n_var=1, n_obj=F.shape[1])
    kept = survival.do(problem, population, n_survive=n, random_state=np.random.default_rng(0))
    return np.sort(kept.get("X")[:, 0]).astype(np.int64)


@lru_cache(maxsize=8)
def directions(n_obj: int, n: int) -> FloatArray:
    """Return at most ``n`` well-spread directions, ``(m, n_obj)``, each at least 0 with sum 1.

    Up to five objectives the finest grid of Das and Dennis (1998) that has no more than ``n`` points;
    beyond, points of least Riesz energy (Blank et al. 2021), as NATv2 takes them.
    """
    from pymoo.util.ref_dirs import get_reference_directions

    if n_obj > MAX_DAS_DENNIS:
        found: FloatArray = get_reference_directions("energy", n_obj, max(n, n_obj), seed=1)
        return found
    parts = 1
    while _n_das_dennis(n_obj, parts + 1) <= n:
        parts += 1
    found = get_reference_directions("das-dennis", n_obj, n_partitions=parts)
    return found


def _n_das_dennis(n_obj: int, parts: int) -> int:
    return comb(n_obj + parts - 1, parts)

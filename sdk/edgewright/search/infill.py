"""Infill: which of the inner search's networks are evaluated for real."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from edgewright.search.expected import Covariance, expected_batch
from edgewright.search.hypervolume import greedy_improvement
from edgewright.search.pareto import crowding_distance, front_indices, non_dominated
from edgewright.spaces.architecture import FloatArray, IntArray

# Candidates that are looked at; those of larger crowding distance come first.
MAX_CANDIDATES = 400
MAX_EXPECTED = 2  # objectives up to which the expectation is exact
# Of the subset selection, as MSuNAS sets them.
SUBSET_POPULATION = 100
SUBSET_GENERATIONS = 60
SUBSET_MUTATION = 0.5  # share of children of whom one member is replaced


class Candidates(NamedTuple):
    """Feasible networks that are not evaluated yet."""

    X: IntArray  # (m, n_var)
    F: FloatArray  # (m, n_obj), predicted, or exact where costs are
    std: FloatArray | None = None  # (m,), of the first objective where no other is predicted
    covariance: Covariance | None = None  # likewise


class Infill(Protocol):
    """Chooses the networks of an iteration among those that the inner search found."""

    def __call__(
        self, archive_F: FloatArray, candidates: Candidates, k: int, rng: np.random.Generator
    ) -> IntArray:
        """Return up to ``k`` distinct rows of ``candidates``, best first.

        Args:
            archive_F: true objectives of all that was evaluated, ``(n, n_obj)``.
            candidates: may be none.
            k: how many to choose; fewer only where there are fewer.
            rng: the randomness of this iteration.
        """
        ...


def expected_hypervolume(
    archive_F: FloatArray, candidates: Candidates, k: int, rng: np.random.Generator
) -> IntArray:
    """Return the candidates that are expected to add the most hypervolume (:mod:`.expected`).

    For one predicted objective beside at most one exact cost; where there are others
    (``docs/adr/0010-*.md`` has why), or the surrogate states no deviation, :func:`most_hypervolume` of the
    predictions.
    """
    n_obj = candidates.F.shape[1]
    if candidates.std is None or n_obj > MAX_EXPECTED or len(candidates.F) == 0 or len(archive_F) == 0:
        return most_hypervolume(archive_F, candidates, k, rng)
    if n_obj == 1:  # expected improvement: that of a front at one cost
        archive_F, F = np.pad(archive_F, ((0, 0), (0, 1))), np.pad(candidates.F, ((0, 0), (0, 1)))
    else:
        F = candidates.F
    return expected_batch(archive_F, F, candidates.std, candidates.covariance, k)


def most_hypervolume(
    archive_F: FloatArray, candidates: Candidates, k: int, rng: np.random.Generator
) -> IntArray:
    """Return the candidates that add the most hypervolume, one after the other.

    Gains are on top of the archive's front, with the reference point a tenth beyond the nadir of
    the two fronts together, so that their ends count too. What is left over is filled from the
    following fronts by crowding distance.
    """
    candidates_F = candidates.F
    if len(candidates_F) == 0:
        return np.zeros(0, dtype=np.int64)
    front = archive_F[front_indices(archive_F)]
    first = np.flatnonzero(non_dominated(candidates_F))
    spread = np.argsort(-crowding_distance(candidates_F[first]), kind="stable")[:MAX_CANDIDATES]
    first = first[spread]
    both = np.concatenate([front, candidates_F[first]])
    low = both.min(axis=0)
    high = both[front_indices(both)].max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    chosen = first[
        greedy_improvement(
            (front - low) / span, (candidates_F[first] - low) / span, np.full(len(low), 1.1), k
        )
    ]
    return np.concatenate([chosen, _fill(candidates_F, chosen, k - len(chosen))]).astype(np.int64)


def fill_gaps(archive_F: FloatArray, candidates: Candidates, k: int, rng: np.random.Generator) -> IntArray:
    """Return the candidates that make the archive's front most even: MSuNAS's subset selection.

    A genetic algorithm over subsets of exactly ``k`` (arXiv:2007.10396, section 4.3) minimises, as
    NATv2 does (arXiv:2307.00960), the largest over all objectives but the first of the standard
    deviation of the gaps between neighbours of front and subset together. Where the two have other
    candidates, the least predicted error fills up, ours come from the candidates' Pareto front first.
    Gaps are of objectives scaled to the range of front and candidates.
    """
    F = candidates.F
    front = archive_F[front_indices(archive_F)]
    first = np.flatnonzero(non_dominated(F))
    spread = np.argsort(-crowding_distance(F[first]), kind="stable")[:MAX_CANDIDATES] if len(first) else first
    first = np.sort(first[spread])
    if len(first) > k and F.shape[1] > 1:
        both = np.concatenate([front, F[first]])[:, 1:]
        low, high = both.min(axis=0), both.max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        first = first[_most_even((front[:, 1:] - low) / span, (F[first, 1:] - low) / span, k, rng)]
    chosen = first[np.argsort(F[first, 0], kind="stable")][:k]
    rest = np.setdiff1d(np.arange(len(F)), chosen)
    rest = rest[np.argsort(F[rest, 0], kind="stable")][: k - len(chosen)]
    return np.concatenate([chosen, rest]).astype(np.int64)


#: By name.
INFILLS: dict[str, Infill] = {
    "expected": expected_hypervolume,
    "hypervolume": most_hypervolume,
    "subset": fill_gaps,
}


def _most_even(front: FloatArray, candidates: FloatArray, k: int, rng: np.random.Generator) -> IntArray:
    """Return the ``k`` of ``candidates`` ``(m, n_cheap)`` that leave the most even gaps, by a GA.

    Individuals are sorted sets of ``k`` rows; a child draws from the union of its parents, and may have
    one member replaced.
    """
    m = len(candidates)
    population = np.stack([rng.permutation(m)[:k] for _ in range(SUBSET_POPULATION)])
    worth = _unevenness(front, candidates, population)
    for _ in range(SUBSET_GENERATIONS):
        pairs = rng.integers(SUBSET_POPULATION, size=(2, SUBSET_POPULATION, 2))
        better = np.take_along_axis(pairs, worth[pairs].argmin(axis=2)[..., None], axis=2)[..., 0]
        # Random keys choose k of each child's union; a member of both parents gets two chances.
        keys = np.full((SUBSET_POPULATION, m), np.inf)
        for parent in population[better]:  # (SUBSET_POPULATION, k)
            drawn = rng.random(parent.shape)
            np.put_along_axis(keys, parent, np.minimum(np.take_along_axis(keys, parent, axis=1), drawn), 1)
        mutated = np.flatnonzero(rng.random(SUBSET_POPULATION) < SUBSET_MUTATION)
        keys[mutated, rng.integers(m, size=len(mutated))] = -1.0
        children = np.argpartition(keys, k - 1, axis=1)[:, :k]
        both = np.concatenate([population, children])
        worths = np.concatenate([worth, _unevenness(front, candidates, children)])
        # The best of parents and children, each set once.
        _, once = np.unique(np.sort(both, axis=1), axis=0, return_index=True)
        kept = once[np.argsort(worths[once], kind="stable")][:SUBSET_POPULATION]
        if len(kept) < SUBSET_POPULATION:
            kept = np.resize(kept, SUBSET_POPULATION)
        population, worth = both[kept], worths[kept]
    best: IntArray = population[int(np.argmin(worth))]
    return best


def _unevenness(front: FloatArray, candidates: FloatArray, subsets: IntArray) -> FloatArray:
    """Return the largest standard deviation of gaps along any objective, ``(n_subsets,)``."""
    chosen = candidates[subsets]  # (n_subsets, k, n_cheap)
    known = np.broadcast_to(front, (len(subsets), *front.shape))
    gaps = np.diff(np.sort(np.concatenate([known, chosen], axis=1), axis=1), axis=1)
    found: FloatArray = gaps.std(axis=1).max(axis=1) if gaps.shape[1] else np.zeros(len(subsets))
    return found


def _fill(F: FloatArray, chosen: IntArray, k: int) -> IntArray:
    """Return ``k`` further rows, front by front, the most isolated of each first."""
    left = np.setdiff1d(np.arange(len(F)), chosen)
    result = list[int]()
    while len(result) < k and len(left):
        front = left[non_dominated(F[left])]
        order = np.argsort(-crowding_distance(F[front]), kind="stable")
        result += front[order].tolist()
        left = np.setdiff1d(left, front)
    return np.array(result[:k], dtype=np.int64)

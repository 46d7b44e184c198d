"""Baselines: searches without a surrogate, under the same interface, budgets and archive.

None keeps a state: what a population would be is read from the rows of the archive, so that they are
as resumable as the search itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgewright.search.archive import Evaluation
from edgewright.search.config import SearchConfig
from edgewright.search.feasible import FeasibleSet
from edgewright.search.pareto import front_indices
from edgewright.search.proposal import Proposal, nothing, unpredicted
from edgewright.search.survival import rank_and_crowding
from edgewright.spaces.architecture import FloatArray, IntArray

# Rounds of offspring before chance takes over: near the end of a small space all children are known.
MAX_ROUNDS = 20
CROSSOVER = 0.9


def evolve(
    feasible: FeasibleSet, rows: Sequence[Evaluation], config: SearchConfig, rng: np.random.Generator
) -> Proposal:
    """NSGA-II (Deb et al. 2002): binary tournaments, uniform crossover, random resets.

    The population is the best ``config.n_initial`` of all rows by rank and crowding distance, and
    ``config.n_infill`` are bred of it at a time; plain NSGA-II where the two numbers are equal.
    """
    X, F = _succeeded(rows)
    if len(X) < 2:
        return nothing(feasible)
    kept = rank_and_crowding(F, config.n_initial)
    X, F = X[kept], F[kept]
    order = _order(F)

    def offspring(n: int) -> IntArray:
        parents = rng.integers(len(X), size=(2, n, 2))
        winner = np.where(order[parents[..., 0]] <= order[parents[..., 1]], parents[..., 0], parents[..., 1])
        first, second = X[winner]  # (n, n_var) each
        crossed = rng.random((n, 1)) < CROSSOVER
        child = np.where(crossed & (rng.random(first.shape) < 0.5), second, first)
        reset = rng.random(child.shape) < 1.0 / child.shape[1]
        drawn = rng.integers(0, feasible.space.n_choices, size=child.shape)
        return np.where(reset, drawn, child)

    return _new(feasible, rows, config.n_infill, offspring, rng)


def regularised_evolution(
    feasible: FeasibleSet, rows: Sequence[Evaluation], config: SearchConfig, rng: np.random.Generator
) -> Proposal:
    """Regularised evolution (arXiv:1802.01548, algorithm 1), for several objectives.

    The population is the newest ``config.n_initial`` that succeeded, whatever they are worth. A
    quarter of it is drawn, and one choice of the best of them is changed. Where the paper has one
    objective, the best is of least non-dominated rank here, then of largest crowding distance.
    """
    X, F = _succeeded(rows)
    if len(X) < 2:
        return nothing(feasible)
    X, F = X[-config.n_initial :], F[-config.n_initial :]
    order = _order(F)
    n_drawn = max(2, len(X) // 4)

    def offspring(n: int) -> IntArray:
        drawn = np.stack([rng.permutation(len(X))[:n_drawn] for _ in range(n)])
        winners = drawn[np.arange(n), order[drawn].argmin(axis=1)]
        return _changed(X[winners], feasible.space.n_choices, rng)

    return _new(feasible, rows, config.n_infill, offspring, rng)


def explore_neighbours(
    feasible: FeasibleSet, rows: Sequence[Evaluation], config: SearchConfig, rng: np.random.Generator
) -> Proposal:
    """Pareto local search (Paquete et al. 2004): unknown neighbours of the front, in random order.

    Where all neighbours of the whole front are evaluated, chance restarts it elsewhere.
    """
    X, F = _succeeded(rows)
    if len(X) == 0:
        return nothing(feasible)
    seen = {row.x for row in rows}
    front = X[front_indices(F)]
    found = dict[tuple[int, ...], None]()
    around = [rng.permutation(_near(feasible, x)).tolist() for x in front[rng.permutation(len(front))]]
    while any(around) and len(found) < config.n_infill:  # one of each in turn, so that no part is left out
        for near in around:
            while near and (tuple(near[-1]) in seen or tuple(near[-1]) in found):
                near.pop()
            if near and len(found) < config.n_infill:
                found[tuple(near.pop())] = None
    return unpredicted(np.array(list(found), dtype=np.int64).reshape(-1, X.shape[1]), feasible)


def _order(F: FloatArray) -> IntArray:
    """Return the place of each row of ``F`` by rank and crowding distance, ``(n,)``; 0 wins every time."""
    order = np.empty(len(F), dtype=np.int64)
    order[rank_and_crowding(F, len(F))] = np.arange(len(F))
    return order


def _near(feasible: FeasibleSet, x: IntArray) -> IntArray:
    near = feasible.space.neighbours(x)
    return near[feasible.contains(near)]


def _succeeded(rows: Sequence[Evaluation]) -> tuple[IntArray, FloatArray]:
    """Return encodings ``(n, n_var)`` and objectives ``(n, n_obj)`` of what did not fail."""
    done = [row for row in rows if row.objectives is not None]
    X = np.array([row.x for row in done], dtype=np.int64)
    return X, np.array([row.objectives for row in done], dtype=np.float64)


def _changed(X: IntArray, n_choices: IntArray, rng: np.random.Generator) -> IntArray:
    """Return ``X`` ``(n, n_var)`` with one random variable of each row set to another choice."""
    elastic = np.flatnonzero(n_choices > 1)
    if len(elastic) == 0:
        return X
    variable = elastic[rng.integers(len(elastic), size=len(X))]
    rows = np.arange(len(X))
    step = 1 + rng.integers(0, n_choices[variable] - 1)  # never back to where it was
    changed = X.copy()
    changed[rows, variable] = (X[rows, variable] + step) % n_choices[variable]
    return changed


def _new(
    feasible: FeasibleSet,
    rows: Sequence[Evaluation],
    k: int,
    offspring: Callable[[int], IntArray],
    rng: np.random.Generator,
) -> Proposal:
    """Return up to ``k`` children that are new, those beyond a budget pulled within it."""
    seen = {row.x for row in rows}
    found = dict[tuple[int, ...], None]()
    for _ in range(MAX_ROUNDS):
        if len(found) >= k:
            break
        for child in feasible.pull(offspring(k), rng).tolist():
            if tuple(child) not in seen and len(found) < k:
                found[tuple(child)] = None
    return unpredicted(np.array(list(found), dtype=np.int64).reshape(-1, len(feasible.anchor)), feasible)

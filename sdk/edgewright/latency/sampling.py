"""Which whole networks to measure: spread over the whole range of cost and over the resolutions."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from edgewright.spaces.architecture import Architecture, FloatArray, IntArray, Space

_CANDIDATES_PER_NETWORK = 40


class NetworkSample(NamedTuple):
    """A network to measure, and whether the correction may see it (``fit``) or not (``validate``)."""

    architecture: Architecture
    role: str


def sample_networks(
    space: Space, n_fit: int, n_validate: int, rng: np.random.Generator
) -> tuple[NetworkSample, ...]:
    """Return distinct networks, smallest and largest first, spread over cost and resolution.

    Uniform encodings crowd around the middle of the range; here candidates lean towards the small
    or the large end by a random amount, and one is taken from each stratum of log MACs, of the
    resolution that was taken least. A space with fewer networks gives fewer.
    """
    n = n_fit + n_validate
    X = _candidates(space, n, rng)
    cost = np.log(space.tabulate(lambda operator: float(operator.macs))(X))
    ends = [int(cost.argmin()), int(cost.argmax())]
    chosen = list(dict.fromkeys(ends))[: max(n, 0)]
    taken_of = np.zeros(int(space.n_choices[0]))
    edges = np.linspace(cost.min(), cost.max(), max(n - len(chosen), 1) + 1)
    for low, high in pairwise(edges):
        if len(chosen) >= n:
            break
        free = np.setdiff1d(np.flatnonzero((cost >= low) & (cost <= high)), chosen)
        if not len(free):  # a gap in the range
            free = np.setdiff1d(np.arange(len(X)), chosen)
            free = free[np.argsort(np.abs(cost[free] - (low + high) / 2))[:1]]
        if not len(free):
            break
        scarce = free[taken_of[X[free, 0]] == taken_of[X[free, 0]].min()]
        pick = int(rng.choice(scarce))
        taken_of[X[pick, 0]] += 1
        chosen.append(pick)
    fitted = _spread(chosen, ends, cost, n_fit)
    return tuple(
        NetworkSample(space.decode(X[index]), "fit" if index in fitted else "validate") for index in chosen
    )


def _spread(chosen: list[int], ends: list[int], cost: FloatArray, n_fit: int) -> set[int]:
    """Return ``n_fit`` of ``chosen``: the ends, and others at even steps of the range."""
    fitted = [index for index in chosen if index in ends][:n_fit]
    others = sorted((index for index in chosen if index not in ends), key=lambda index: cost[index])
    n_more = min(n_fit - len(fitted), len(others))
    steps = [int((i + 0.5) * len(others) / n_more) for i in range(n_more)]
    return {*fitted, *(others[step] for step in steps)}


def _candidates(space: Space, n: int, rng: np.random.Generator) -> IntArray:
    """Return distinct encodings ``(m, n_var)``, the smallest and the largest network among them."""
    count = _CANDIDATES_PER_NETWORK * max(n, 1)
    X = space.sample(rng, count)
    lean = rng.random((count, 1))  # share of variables that are pulled to an end
    pulled = rng.random(X.shape) < lean
    to_top = rng.random((count, 1)) < 0.5
    ends = np.where(to_top, space.n_choices - 1, 0)
    keep_resolution = np.arange(X.shape[1]) > 0
    X = np.where(pulled & keep_resolution, ends, X)
    corners = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    return np.unique(space.repair(np.concatenate([corners, X])), axis=0)

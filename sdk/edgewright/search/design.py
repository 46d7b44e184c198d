"""The initial design: the networks that the first surrogate learns from."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgewright.search.feasible import FeasibleSet
from edgewright.spaces.architecture import IntArray

# Networks at the head of the balanced design: the smallest and the largest.
N_ENDS = 2


class Design(Protocol):
    """Chooses the networks of iteration 0."""

    def __call__(self, feasible: FeasibleSet, n: int, rng: np.random.Generator) -> IntArray:
        """Return up to ``n`` distinct feasible encodings; fewer only where fewer are feasible."""
        ...


def balanced(feasible: FeasibleSet, n: int, rng: np.random.Generator) -> IntArray:
    """Return up to ``n`` distinct feasible encodings, the smallest and the largest first.

    Random networks of a space with many blocks are all of about the same size, yet the front spans
    all sizes. So networks are drawn with every choice equally often, depths among them as in NATv2
    (arXiv:2307.00960), and then every other one is mixed with the smallest or the largest, in
    shares that are spread evenly.

    Args:
        feasible: only its members are returned.
        n: how many; fewer come back only where fewer are feasible.
        rng: the randomness of iteration 0.
    """
    space = feasible.space
    low, high = space.encode(space.smallest()), space.encode(space.largest())
    ends = np.stack([low, high])
    if not feasible.contains(ends).all():
        ends = np.stack([_end(feasible, low, rng, largest=False), _end(feasible, high, rng, largest=True)])
    X = _latin(space.n_choices, max(0, n - N_ENDS), rng)
    share = np.linspace(-1.0, 1.0, num=len(X))[rng.permutation(len(X))]  # < 0: towards the smallest
    share[::2] = 0.0
    towards = np.where(share[:, None] < 0, low, high)
    X = np.where(rng.random(X.shape) < np.abs(share[:, None]), towards, X)
    X = feasible.pull(X, rng)
    return _distinct(feasible, np.concatenate([ends, X]), n, rng)


def latin(feasible: FeasibleSet, n: int, rng: np.random.Generator) -> IntArray:
    """Return a Latin hypercube over the choices: each choice of a variable equally often."""
    X = feasible.pull(_latin(feasible.space.n_choices, n, rng), rng)
    return _distinct(feasible, X, n, rng)


def random(feasible: FeasibleSet, n: int, rng: np.random.Generator) -> IntArray:
    """Return random feasible networks."""
    return feasible.fresh(rng, n, frozenset())


#: By name. ``auto`` takes the first for a search by surrogate, and ``random`` for a baseline.
DESIGNS: dict[str, Design] = {"balanced": balanced, "latin": latin, "random": random}


def _distinct(feasible: FeasibleSet, X: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return the distinct rows of ``X``, up to ``n``, and random networks for those that are missing."""
    distinct = list(dict.fromkeys(tuple(row) for row in X.tolist()))[:n]
    missing = n - len(distinct)
    if missing:
        extra = feasible.fresh(rng, missing, frozenset(distinct))
        distinct += [tuple(row) for row in extra.tolist()]
    return np.array(distinct, dtype=np.int64)


def _latin(n_choices: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Return ``n`` rows in which each variable takes its choices equally often (Latin hypercube)."""
    columns = [rng.permutation(np.arange(n) % int(choices)) for choices in n_choices]
    return np.stack(columns, axis=1).astype(np.int64).reshape(n, len(n_choices))


def _end(feasible: FeasibleSet, x: IntArray, rng: np.random.Generator, *, largest: bool) -> IntArray:
    """Return a feasible network near ``x``, of the most or least use of the budgets among some."""
    if feasible.contains(x[None])[0]:
        return x
    pulled = feasible.pull(np.tile(x, (64, 1)), rng)
    used = feasible.problem.violation(pulled)
    chosen: IntArray = pulled[int(np.argmax(used) if largest else np.argmin(used))]
    return chosen

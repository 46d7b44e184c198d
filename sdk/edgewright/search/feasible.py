"""The networks that meet the budgets: whether there are any, and how to get at them."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search.budget import format_cost
from edgewright.search.config import Problem
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace, enumerate_space

# Pairs of variables are tried together while their combinations stay below this many.
MAX_PAIRS = 200_000
# Random networks that the search for a minimum starts from, besides the smallest and largest.
N_RANDOM_STARTS = 6


@dataclass(frozen=True, slots=True)
class FeasibleSet:
    """The networks of a space within all budgets.

    Attributes:
        space: all networks.
        problem: whose budgets hold.
        anchor: a feasible encoding, ``(n_var,)``.
        members: every feasible encoding where the space is small, else None.
    """

    space: SearchSpace
    problem: Problem
    anchor: IntArray
    members: IntArray | None

    def contains(self, X: IntArray) -> NDArray[np.bool_]:
        """Return which rows of ``X`` ``(n, n_var)`` meet every budget, ``(n,)``."""
        return self.problem.violation(X) <= 0

    def pull(self, X: IntArray, rng: np.random.Generator) -> IntArray:
        """Return ``X`` ``(n, n_var)`` with infeasible rows moved towards the anchor until feasible.

        Variables take the anchor's value in random order; bisection keeps as many of the row's own
        as it can. Rows that are feasible already come back as they are.
        """
        X = self.space.repair(X)
        outside = np.flatnonzero(~self.contains(X))
        if len(outside) == 0:
            return X
        n_var = X.shape[1]
        rank = np.argsort(rng.random((len(outside), n_var)), axis=1)
        low = np.zeros(len(outside), dtype=np.int64)  # too few taken over: infeasible
        high = np.full(len(outside), n_var)  # all taken over: the anchor itself
        while bool((high - low > 1).any()):
            middle = (low + high) // 2
            moved = self.space.repair(np.where(rank < middle[:, None], self.anchor, X[outside]))
            inside = self.contains(moved)
            high = np.where(inside, middle, high)
            low = np.where(inside, low, middle)
        X[outside] = self.space.repair(np.where(rank < high[:, None], self.anchor, X[outside]))
        return X

    def fresh(self, rng: np.random.Generator, n: int, seen: Set[tuple[int, ...]]) -> IntArray:
        """Return up to ``n`` distinct random feasible encodings that are not in ``seen``.

        Fewer only where no more are found: for certain in an enumerated space, else after many
        draws and a look at the neighbours of what was seen.
        """
        if self.members is not None:
            left = np.array([x for x in self.members.tolist() if tuple(x) not in seen], dtype=np.int64)
            return left[rng.permutation(len(left))[:n]].reshape(-1, len(self.anchor))
        found = dict[tuple[int, ...], None]()
        for _ in range(10):
            _collect(found, self.pull(self.space.sample(rng, 4 * n + 16), rng), seen, n)
            if len(found) == n:
                break
        else:  # little is feasible: step by step from what is known
            for x in [tuple(self.anchor.tolist()), *sorted(seen)]:
                if len(found) == n:
                    break
                near = self.space.neighbours(np.array(x, dtype=np.int64))
                _collect(found, rng.permutation(near[self.contains(near)]), seen, n)
        return np.array(list(found), dtype=np.int64).reshape(-1, len(self.anchor))


def _collect(found: dict[tuple[int, ...], None], X: IntArray, seen: Set[tuple[int, ...]], n: int) -> None:
    """Add the rows of ``X`` that are new to ``found``, until it has ``n``."""
    for row in X.tolist():
        if len(found) == n:
            return
        if tuple(row) not in seen:
            found[tuple(row)] = None


def minimise(space: SearchSpace, cost: Callable[[IntArray], FloatArray]) -> tuple[IntArray, float]:
    """Return the encoding of least ``cost`` and that cost.

    Descends from several starts by single changes, then by pairs. Exact where the cost is a sum
    of non-negative operators and an operator is decided by two variables or fewer once depth and
    resolution are set, as in :class:`edgewright.spaces.MobileSpace`; close otherwise.
    """
    starts = [space.encode(space.smallest()), space.encode(space.largest())]
    starts += list(space.sample(np.random.default_rng(0), N_RANDOM_STARTS))
    best = min((_descend(space, cost, x) for x in starts), key=lambda pair: pair[1])
    x, value = best
    for _ in range(100):
        pairs = _pair_changes(space, x)
        if len(pairs) == 0:
            break
        costs = cost(pairs)
        if costs.min() >= value:
            break
        x, value = _descend(space, cost, pairs[int(np.argmin(costs))])
    return x, value


def _descend(
    space: SearchSpace, cost: Callable[[IntArray], FloatArray], x: IntArray
) -> tuple[IntArray, float]:
    value = float(cost(x[None])[0])
    while True:
        near = space.neighbours(x)
        if len(near) == 0:
            return x, value
        costs = cost(near)
        if costs.min() >= value:
            return x, value
        x, value = near[int(np.argmin(costs))], float(costs.min())


def _pair_changes(space: SearchSpace, x: IntArray) -> IntArray:
    """Return every encoding that differs from ``x`` in two variables; none if they are too many."""
    n = space.n_choices
    first, second = np.triu_indices(len(n), k=1)
    if int((n[first] * n[second]).sum()) > MAX_PAIRS:
        return np.zeros((0, len(n)), dtype=np.int64)
    rows = list[IntArray]()
    for a, b in zip(first, second, strict=True):
        grid = np.indices((int(n[a]), int(n[b]))).reshape(2, -1).T
        moved = np.tile(x, (len(grid), 1))
        moved[:, [a, b]] = grid
        rows.append(moved)
    return np.unique(space.repair(np.concatenate(rows)), axis=0) if rows else x[None][:0]


def require_feasible(space: SearchSpace, problem: Problem) -> FeasibleSet:
    """Return the feasible set of a search.

    Raises:
        UsageError: the space has no network.
        InfeasibleBudgetError: no network meets the budgets; the message has the least value of
            each budget that cannot be met, and which part of that network costs most.
    """
    empty = [str(i) for i, n in enumerate(space.n_choices) if n < 1]
    if empty or len(space.n_choices) == 0:
        faults = f"variable {', '.join(empty)} has no choice" if empty else "it has no variable"
        raise UsageError(f"the space {space.name} has no network: {faults}; give each at least one choice")
    members = enumerate_space(space)
    anchor = space.encode(space.smallest())
    if members is not None:
        violation = problem.violation(members)
        anchor, least = members[int(np.argmin(violation))], float(violation.min())
        members = members[violation <= 0]
    else:
        least = float(problem.violation(anchor[None])[0])
        if least > 0:
            anchor, least = minimise(space, problem.violation)
        if least > 0 and len(problem.limits) > 1:
            # The worst excess has more dead ends than their sum.
            other, _ = minimise(space, lambda X: np.clip(problem.excess(X), 0.0, None).sum(axis=1))
            found = float(problem.violation(other[None])[0])
            anchor, least = (other, found) if found < least else (anchor, least)
    if least > 0:
        raise InfeasibleBudgetError(_infeasible_message(space, problem, anchor, listed=members is not None))
    return FeasibleSet(space, problem, anchor, members)


def _infeasible_message(space: SearchSpace, problem: Problem, nearest: IntArray, *, listed: bool) -> str:
    """Return which budgets stand in the way, and by how much they must grow."""
    costs = problem.limited
    alone = list[str]()
    for name, limit in problem.limits.items():
        x, least = minimise(space, costs[name])
        if least > limit:
            asked = format_cost(name, limit, problem.units)
            part = _largest_part(problem, name, x)
            alone.append(f"{name} <= {asked}: the least is {_at_least(problem, name, least)}{part}")
    if alone:
        return (
            f"no network of {space.name} meets {'; '.join(alone)}; raise the budget to that, "
            "or take a smaller space or resolution"
        )
    found = {name: float(costs[name](nearest[None])[0]) for name in problem.limits}
    values = ", ".join(
        f"{name} {_at_least(problem, name, found[name])} (budget {format_cost(name, limit, problem.units)})"
        + (_largest_part(problem, name, nearest) if found[name] > limit else "")
        for name, limit in problem.limits.items()
    )
    none = "no network of {} meets" if listed else "none of {} was found that meets"
    return (
        f"each budget can be met alone, but {none.format(space.name)} all of them; "
        f"the nearest has {values}; raise one of them"
    )


def _largest_part(problem: Problem, name: str, x: IntArray) -> str:
    """Return which part of a network stands in the way of a budget; nothing where that is unknown."""
    parts = problem.parts[name](x) if name in problem.parts else ()
    if not parts:
        return ""
    label, value = max(parts, key=lambda part: part[1])
    return f", of which {label} takes {format_cost(name, value, problem.units)}"


def _at_least(problem: Problem, name: str, value: float) -> str:
    """Return a cost rounded up in the fourth digit, so that a budget set to it is feasible."""
    return format_cost(name, value * 1.0005, problem.units)

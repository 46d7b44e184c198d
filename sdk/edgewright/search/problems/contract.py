"""What a problem holds beside its space, checked on one before a search of hours is begun.

::

    from edgewright.search import SearchProblem, check_problem

    check_problem(SearchProblem("mine", space, evaluate, costs), n_evaluated=1)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from edgewright.errors import SDKError, UsageError
from edgewright.search.config import Failure, Problem
from edgewright.search.features import features_of
from edgewright.search.features_mobile import LEFT_OUT
from edgewright.search.outcome import answers
from edgewright.search.problems.base import SearchProblem
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.spaces.contract import Violation, find_violations

# Networks that are asked for alone and among others.
_N_ALONE = 8
# Sums in another order, as of a matrix of another height, differ in their last digits.
_ROUNDING = 1e-9


def check_problem(problem: SearchProblem, *, seed: int = 0, n: int = 64, n_evaluated: int = 0) -> None:
    """Check that a problem's space, costs and evaluator hold what a search builds on.

    Args:
        problem: what is checked.
        seed: of the networks that are looked at.
        n: how many.
        n_evaluated: of them are evaluated, twice each, once among others and once alone.

    Raises:
        UsageError: something does not hold; all that is broken is named.
    """
    if found := find_problem_violations(problem, seed=seed, n=n, n_evaluated=n_evaluated):
        broken = "; ".join(f"{one.rule}: {one.text}" for one in found)
        raise UsageError(f"{problem.name} cannot be searched: {broken}")


def find_problem_violations(
    problem: SearchProblem, *, seed: int = 0, n: int = 64, n_evaluated: int = 0
) -> tuple[Violation, ...]:
    """Return what does not hold of a problem; arguments as of :func:`check_problem`."""
    if found := find_violations(problem.space, seed=seed, n=n):
        return found
    X = np.unique(problem.space.sample(np.random.default_rng(seed), n), axis=0)
    X = np.random.default_rng(seed).permutation(X)
    violations = [
        Violation(f"cost {name}", text)
        for name in problem.costs
        for text in _told(partial(_cost, problem, name, X))
    ]
    if not violations:  # features may be made of costs
        violations += [Violation("features", text) for text in _told(partial(_features, problem, X))]
    if n_evaluated > 0:
        evaluated = partial(_evaluated, problem, X[:n_evaluated])
        violations += [Violation("evaluate", text) for text in _told(evaluated)]
    return tuple(violations)


def _told(rule: Callable[[], Iterator[str]]) -> list[str]:
    """Return the first thing that a rule finds, if any; an exception of the user's own code is one."""
    try:
        return [text for text in rule()][:1]
    except SDKError as error:
        return [str(error)]
    except Exception as error:  # costs, features and evaluators are someone's own code
        text = str(error).splitlines()[0][:200] if str(error) else "without a message"
        return [f"it raised {type(error).__name__}: {text}"]


def _cost(problem: SearchProblem, name: str, X: IntArray) -> Iterator[str]:
    """A cost is finite, at least 0, and that of the network alone."""
    wanted = Problem({name: problem.costs[name]}, {}, {})
    given = X.copy()
    together = wanted.costs(given)[:, 0]
    if (given != X).any():
        yield "it changed its argument, expected a new array"
    for x, value in zip(X[:_N_ALONE], together, strict=False):
        alone = float(wanted.costs(x[None])[0, 0])
        if not np.isclose(alone, value, rtol=_ROUNDING, atol=0.0):
            yield f"of {x.tolist()} it is {alone:g} alone and {value:g} among others, expected one value"


def _features(problem: SearchProblem, X: IntArray) -> Iterator[str]:
    """Features are finite, one row a network, those of equal groups told, and a row's own."""
    features = features_of(problem.space, Problem(problem.costs, {}, {}))
    Z = features(X)
    n_features = len(features.groups)
    if Z.shape != (len(X), n_features):
        yield f"of {len(X)} networks they are {Z.shape}, expected ({len(X)}, {n_features}) as groups say"
        return
    if bad := [group for group in features.groups if not isinstance(group, int) or group < LEFT_OUT]:
        yield f"groups has {bad[0]!r}, expected whole numbers of at least {LEFT_OUT}"
    wrong = np.argwhere(~np.isfinite(Z))
    if len(wrong):
        row, i = wrong[0]
        yield f"feature {i} of {X[row].tolist()} is {Z[row, i]:g}, expected a finite number"
    for x, z in zip(X[:_N_ALONE], Z, strict=False):
        alone: FloatArray = features(x[None])[0]
        if not np.allclose(alone, z, rtol=_ROUNDING, atol=_ROUNDING):
            yield f"of {x.tolist()} they differ alone and among others, expected the same"


def _evaluated(problem: SearchProblem, X: IntArray) -> Iterator[str]:
    """An evaluation succeeds, and gives the same values again."""
    for x, found in zip(X, _outcomes(problem, X), strict=True):
        if isinstance(found, Failure):
            yield f"{x.tolist()} failed: {found.reason}"
            continue
        (again,) = _outcomes(problem, x[None])
        if isinstance(again, Failure):
            yield f"{x.tolist()} succeeded among others and failed alone: {again.reason}"
            continue
        for name, value, other in zip(problem.evaluated, found, again, strict=True):
            if value != other:
                told = f"the {name} of {x.tolist()} is {value!r}, and {other!r} alone"
                yield f"{told}; expected the same: fix its seed"


def _outcomes(problem: SearchProblem, X: IntArray) -> list[tuple[float, ...] | Failure]:
    found = {
        answer.row: outcome
        for answer, outcome in answers(problem.evaluate, X, problem.evaluated, time.perf_counter)
    }
    return [found[row] for row in range(len(X))]

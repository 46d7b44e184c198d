"""A problem that cannot be searched is found out before the search."""

import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.search import Failure, SearchProblem, check_problem
from edgewright.search.features import FEATURES, OwnFeatures
from edgewright.search.problems import find_problem_violations, ofa_space
from edgewright.spaces import CellSpace, ChoiceSpace, SearchSpace, find_space

SPACE = ChoiceSpace("mine", {"depth": (1, 2, 3), "width": (8, 16, 24), "act": ("relu", "tanh")})


def cost(X):
    values = SPACE.columns(X)
    return values["depth"] * values["width"] ** 2.0


def error(X):
    return [1 / (1 + float(value)) for value in cost(X)]


def problem(space: SearchSpace = SPACE, evaluate=error, **costs):
    return SearchProblem("mine", space, evaluate, costs or {"macs": cost})


@pytest.mark.parametrize(
    "space",
    [SPACE, CellSpace(), CellSpace(distinct=False), find_space("mobilenetv3-small-image"), ofa_space()],
    ids=lambda space: space.name,
)
def test_problems_over_every_space_hold(space):
    sound = problem(space, lambda X: X.sum(axis=1), macs=lambda X: 1.0 + X.sum(axis=1))
    check_problem(sound, n_evaluated=4)


def test_nothing_is_evaluated_unless_it_is_asked_for():
    def forbidden(X):
        raise AssertionError

    check_problem(problem(evaluate=forbidden))


def moves(X):
    X[:, 0] = 0
    return cost(X)


CALLS = count()


@pytest.mark.parametrize(
    ("broken", "rule", "named"),
    [
        (problem(macs=lambda X: np.full(len(X), np.nan)), "cost macs", "is nan, expected a finite number"),
        (problem(macs=lambda X: -cost(X)), "cost macs", "expected a finite number of at least 0"),
        (problem(macs=lambda X: 3.0), "cost macs", r"has shape \(\), expected \(1.,\)"),
        (problem(macs=lambda X: cost(X)[:1]), "cost macs", r"has shape \(1,\), expected \(1.,\)"),
        (problem(macs=lambda X: cost(X) / cost(X).max()), "cost macs", "alone and .* among others"),
        (problem(macs=lambda X: cost(X) + next(CALLS)), "cost macs", "alone and .* among others"),
        (problem(macs=moves), "cost macs", "it changed its argument"),
        (problem(macs=lambda X: X["depth"]), "cost macs", "networks raised IndexError"),
        (problem(evaluate=lambda X: [np.nan] * len(X)), "evaluate", "failed: the evaluator returned nan"),
        (problem(evaluate=lambda X: [0.5]), "evaluate", "failed: the evaluator returned too few values"),
        (problem(evaluate=lambda X: [Failure("no data")] * len(X)), "evaluate", "failed: no data"),
        (problem(evaluate=lambda X: [{"top1": 0.5}] * len(X)), "evaluate", "returned top1, expected error"),
        (problem(evaluate=lambda X: [float(next(CALLS)) for _ in X]), "evaluate", "the same: fix its seed"),
    ],
)
def test_what_does_not_hold_is_named(broken, rule, named):
    (violation,) = find_problem_violations(broken, n_evaluated=3)
    assert violation.rule == rule
    assert re.search(named, violation.text), violation.text
    with pytest.raises(UsageError, match=f"^mine cannot be searched: {rule}: "):
        check_problem(broken, n_evaluated=3)


def test_several_evaluated_objectives_are_each_checked():
    def evaluate(X):
        return [{"error": 0.5, "watts": float(next(CALLS))} for _ in X]

    both = replace(problem(evaluate=evaluate), evaluated=("error", "watts"))
    (violation,) = find_problem_violations(both, n_evaluated=2)
    assert re.search(r"the watts of .* alone; expected the same: fix its seed", violation.text)
    fine = replace(both, evaluate=lambda X: [{"error": 0.5, "watts": 2.0}] * len(X))
    check_problem(fine, n_evaluated=2)


def test_an_evaluation_that_fails_alone_is_told():
    evaluate = lambda X: [0.5] * len(X) if len(X) > 1 else [Failure("no data")]  # noqa: E731
    (violation,) = find_problem_violations(problem(evaluate=evaluate), n_evaluated=2)
    assert violation.text.endswith("succeeded among others and failed alone: no data")


def test_a_broken_space_is_told_first():
    class Broken(ChoiceSpace):
        def neighbours(self, x):
            return x[None]

    broken = problem(Broken("broken", {"depth": (1, 2)}), macs=lambda X: np.full(len(X), np.nan))
    with pytest.raises(UsageError, match=r"neighbours: .* has that network itself, expected others$"):
        check_problem(broken)


class Structured(ChoiceSpace):
    """A space with features of its own."""


@pytest.mark.parametrize(
    ("of", "groups", "named"),
    [
        (lambda s, X: X / 2.0, [0, 0, 1], None),
        (lambda s, X: X / 2.0, [0, 1], r"they are \(6, 3\), expected \(6, 2\) as groups say"),
        (lambda s, X: (X / 2.0)[:1], [0, 0, 1], r"they are \(1, 3\), expected \(6, 3\)"),
        (lambda s, X: X / 2.0, [0, 0, "width"], "groups has 'width', expected whole numbers"),
        (lambda s, X: X / np.zeros(3), [0, 0, 1], "feature 0 of .* expected a finite number"),
        (lambda s, X: X - X.mean(axis=0), [0, 0, 1], "they differ alone and among others"),
        (lambda s, X: None.shape, [0, 0, 1], "it raised AttributeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_features_of_ones_own_are_checked(monkeypatch, of, groups, named):
    monkeypatch.setitem(FEATURES, Structured, OwnFeatures(of, lambda space: groups))
    space = Structured("structured", {"depth": (1, 2), "width": (8, 16, 24), "act": ("relu",)})
    found = find_problem_violations(problem(space, macs=lambda X: 1.0 + X.sum(axis=1)))
    if named is None:
        assert found == ()
    else:
        (violation,) = found
        assert violation.rule == "features"
        assert re.search(named, violation.text), violation.text

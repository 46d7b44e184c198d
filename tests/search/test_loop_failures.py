"""Evaluations that fail, and what a search makes of them."""

import numpy as np
import pytest
from doubles.quick_search import PROBLEM, search

from edgewright.errors import DataError, RunError
from edgewright.search import Answer, Archive, Failure


def test_failed_evaluations_are_quarantined_with_their_reason_and_never_scored():
    def evaluate(X):
        for x in X:
            code = int(x.sum()) % 4
            yield [PROBLEM.error(x[None])[0], np.nan, Failure("diverged"), np.inf][code]

    with Archive.open(None) as archive:
        result = search(archive, evaluate=evaluate, config={"max_failures": 24})
        assert result.n_evaluations == 24
        assert result.n_failures == len(archive.failures) > 0
        reasons = {row.failure for row in archive.failures}
        assert "diverged" in reasons
        assert any("nan" in reason for reason in reasons)
        assert np.isfinite(archive.F).all()
        assert all(row.objectives is not None for row in result.front)


def test_an_evaluator_that_raises_loses_one_network_and_the_search_goes_on():
    def evaluate(X):
        for x in X:
            if int(x.sum()) % 5 == 0:
                raise ValueError("no such layer\nand a second line")
            yield PROBLEM.error(x[None])[0]

    with Archive.open(None) as archive:
        search(archive, evaluate=evaluate)
        assert len(archive) == 24
        assert {row.failure for row in archive.failures} == {"ValueError: no such layer"}


def test_errors_of_the_sdk_are_not_swallowed():
    def evaluate(X):
        raise DataError("the validation images are gone")

    with Archive.open(None) as archive, pytest.raises(DataError):
        search(archive, evaluate=evaluate)


def test_a_search_whose_every_evaluation_fails_gives_up_and_says_why():
    with Archive.open(None) as archive:
        with pytest.raises(RunError, match=r"4 evaluations in a row failed.*out of memory"):
            search(
                archive, evaluate=lambda X: [Failure("out of memory")] * len(X), config={"max_failures": 4}
            )
        assert len(archive) == 4


@pytest.mark.parametrize(("value", "named"), [("high", "'high'"), (None, "None")])
def test_a_value_that_is_no_number_is_a_failure(value, named):
    with Archive.open(None) as archive:
        search(archive, evaluate=lambda X: [value] * len(X), config={"max_failures": 99})
        assert named in archive.failures[0].failure


def test_too_few_values_are_failures():
    with Archive.open(None) as archive:
        search(archive, evaluate=lambda X: [], config={"max_failures": 99})
        assert "too few" in archive.failures[0].failure


@pytest.mark.parametrize(
    ("outcome", "named"),
    [
        ({"error": 0.1}, "returned error, expected error, robust"),
        (
            {"error": 0.1, "robust": 0.2, "speed": 1.0},
            "returned error, robust, speed, expected error, robust",
        ),
        ({"error": 0.1, "robust": np.nan}, "returned nan, expected a finite robust"),
        ({"error": "low", "robust": 0.1}, "returned 'low', expected a number"),
        (0.3, "returned 0.3, expected error, robust by name"),
    ],
)
def test_an_outcome_that_lacks_an_objective_is_a_failure(outcome, named):
    with Archive.open(None) as archive:
        search(
            archive,
            evaluate=lambda X: [outcome] * len(X),
            evaluated=("error", "robust"),
            config={"max_failures": 99},
        )
        assert {row.failure for row in archive.failures} == {f"the evaluator {named}"}


def test_failures_end_a_search_only_where_no_network_between_them_is_awaited():
    def evaluate(X):
        for row in range(len(X) - 1, -1, -1):
            failed = row > 0
            yield Answer(row, Failure("out of memory") if failed else 0.5, 0.1)

    with Archive.open(None) as archive:
        with pytest.raises(RunError, match="8 evaluations in a row failed"):
            search(archive, evaluate=evaluate, config={"max_failures": 8})
        assert len(archive) == 12, "the twelfth came last and was the first"

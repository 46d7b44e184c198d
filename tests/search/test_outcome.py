import math
from itertools import count

import numpy as np
import pytest

from edgewright.errors import DataError, UsageError
from edgewright.search import Answer, Failure
from edgewright.search.outcome import answers

X = np.arange(5)[:, None]
NAMES = ("error",)


def told(evaluate):
    clock = iter(range(1000))
    found = list(answers(evaluate, X, NAMES, lambda: float(next(clock))))
    assert sorted(answer.row for answer, _ in found) == list(range(5))
    return found


def test_values_in_order_are_those_of_the_rows_with_the_time_that_each_took():
    found = told(lambda X: iter(X[:, 0] / 10))
    assert [(answer.row, value) for answer, value in found] == [(i, (i / 10,)) for i in range(5)]
    assert all(answer.seconds == 1.0 and answer.attempts == 1 for answer, _ in found)


def test_answers_come_in_any_order_and_are_kept_as_they_are():
    given = [Answer(row, row / 10, 2.5, "w", 2) for row in (3, 0, 4, 1, 2)]
    assert told(lambda X: given) == [(answer, (answer.row / 10,)) for answer in given]


def test_an_evaluator_that_raises_is_called_again_with_what_it_has_not_answered():
    calls = []

    def evaluate(X):
        calls.append(X[:, 0].tolist())
        yield Answer(len(X) - 1, 0.5, 1.0)
        raise ValueError("broken")

    found = {answer.row: value for answer, value in told(evaluate)}
    assert calls == [[0, 1, 2, 3, 4], [1, 2, 3], [2]]
    assert [found[row] for row in (4, 3, 2)] == [(0.5,)] * 3
    assert found[0] == found[1] == Failure("ValueError: broken")


def test_a_value_in_an_answer_is_checked_as_any_other():
    found = told(lambda X: [Answer(row, float("nan"), 1.0) for row in range(5)])
    assert {value.kind for _, value in found} == {"not finite"}


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ((0, 5), "answered row 5 of 5 networks"),
        ((0, -1), "answered row -1 of 5 networks"),
        ((0, 2, 2), "answered row 2 twice"),
    ],
)
def test_answers_to_what_was_not_asked_are_told_and_lose_one_network(rows, named):
    calls = count()

    def evaluate(X):
        asked = rows if next(calls) == 0 else range(len(X))
        return (Answer(row, 0.5, 1.0) for row in asked)

    failed = [value for _, value in told(evaluate) if isinstance(value, Failure)]
    assert failed == [Failure(f"ValueError: the evaluator {named}")]


def test_a_time_that_is_none_is_told():
    found = told(lambda X: [Answer(row, 0.5, math.nan) for row in range(len(X))])
    assert {value for _, value in found} == {
        Failure("ValueError: the evaluator answered row 0 with nan seconds")
    }


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_more_values_than_networks_are_nobodys(kind):
    found = told(lambda X: kind([0.5] * (len(X) + 1)))
    assert {type(value) for _, value in found} == {Failure}
    assert found[0][1] == Failure("ValueError: the evaluator returned 6 values for 5 networks")


def test_an_error_below_0_is_none_and_says_so():
    found = told(lambda X: [Answer(row, 0.0 if row else -0.9, 1.0) for row in range(5)])
    by_row = {answer.row: value for answer, value in found}
    assert by_row.pop(0) == Failure("the evaluator returned -0.9, expected error of at least 0", "negative")
    assert set(by_row.values()) == {(0.0,)}


def test_errors_of_the_sdk_are_not_swallowed():
    def evaluate(X):
        raise DataError("gone")
        yield

    with pytest.raises(DataError):
        told(evaluate)


class Unwilling:
    def __float__(self):
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")

    def __repr__(self):
        return "tensor([1.,\n        2.])"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Unwilling(), "the evaluator returned tensor([1., 2.]), expected a number"),
        (10**400, f"the evaluator returned {'1' + '0' * 99}, expected a number"),
        (10**5000, "the evaluator returned an object of type int, expected a number"),
    ],
    ids=["unwilling", "large", "without text"],
)
def test_what_refuses_to_be_a_number_is_the_failure_of_its_own_network(value, reason):
    found = told(lambda X: iter([value if i == 2 else 0.5 for i in X[:, 0]]))
    assert [answer.row for answer, _ in found] == list(range(5))
    assert found[2][1] == Failure(reason, "not finite")
    assert {value for i, (_, value) in enumerate(found) if i != 2} == {(0.5,)}


@pytest.mark.parametrize(
    "evaluate",
    [
        lambda X: 0.5,
        lambda X: None,
        lambda X: "0.5",
        lambda X: {"error": 0.5},
        lambda X: dict.fromkeys(range(len(X)), 0.5),
        lambda X: np.float64(0.5),
        lambda X: np.array(0.5),
        "evaluate",
    ],
)
def test_what_cannot_evaluate_any_network_is_refused_before_one_is_lost(evaluate):
    with pytest.raises(UsageError, match=r"5 networks.*an outcome for each.*one_by_one"):
        told(evaluate)


def test_a_failure_without_a_message_is_told_by_its_kind():
    def evaluate(X):
        raise MemoryError
        yield

    assert {value for _, value in told(evaluate)} == {Failure("MemoryError")}

import json

import numpy as np
import pytest

from edgewright.errors import DataError, MissingEntryError, SDKError
from edgewright.evaluation.reply import error_reply, outcome_of, reply_of
from edgewright.search import Failure


def through_json(reply):
    return json.loads(json.dumps(reply, allow_nan=False))


@pytest.mark.parametrize("error", [0.1 + 0.2, np.float32(0.3), np.float64(1e-300), 0])
def test_an_error_comes_over_bit_for_bit(error):
    assert outcome_of(through_json(reply_of(lambda x: error, [1, 2]))) == float(error)


@pytest.mark.parametrize(("value", "kind"), [(Failure("diverged"), "raised"), ("high", "not finite")])
def test_what_is_no_error_comes_over_as_a_failure(value, kind):
    found = outcome_of(through_json(reply_of(lambda x: value, [1])))
    assert isinstance(found, Failure)
    assert found.kind == kind


def test_an_evaluator_gets_an_encoding():
    def evaluate(x):
        assert x.dtype == np.int64
        return float(x.sum())

    assert outcome_of(reply_of(evaluate, [1, 2])) == 3.0


def test_errors_of_the_sdk_are_raised_as_what_they_were():
    def evaluate(x):
        raise DataError("the images are gone")

    with pytest.raises(DataError, match="the images are gone"):
        outcome_of(through_json(reply_of(evaluate, [1])))
    with pytest.raises(SDKError, match="lacks 2") as caught:
        outcome_of(through_json(error_reply(MissingEntryError("lacks 2", ["a", "b"]))))
    assert caught.value.exit_code == 2


def test_numbers_by_name_and_numbers_that_are_none_come_over():
    found = {"error": np.float32(0.5), "energy": float("nan")}
    again = outcome_of(json.loads(json.dumps(reply_of(lambda x: found, [1]))))
    assert again["error"] == 0.5
    assert np.isnan(again["energy"])


def test_what_refuses_to_be_a_number_is_a_failure_that_fits_in_a_line():
    found = outcome_of(through_json(reply_of(lambda x: 10**400, [1])))
    assert found.kind == "not finite"
    assert "expected a number" in found.reason
    found = outcome_of(through_json(reply_of(lambda x: np.zeros((2, 2)), [1])))
    assert found == Failure(
        "the evaluator returned array([[0., 0.], [0., 0.]]), expected a number", "not finite"
    )

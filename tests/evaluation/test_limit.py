import math

import pytest

from edgewright.errors import UsageError
from edgewright.evaluation.limit import USUAL, Patience, TimeLimit

PATIENCE = Patience(factor=10.0, floor_s=60.0, n_first=3, first_s=1000.0)


def after(*seconds, patience=PATIENCE):
    limit = TimeLimit(None, patience)
    for took in seconds:
        limit.learn(took)
    return limit


def test_what_was_chosen_is_the_limit_whatever_others_took():
    limit = TimeLimit(5.0)
    limit.learn(100.0)
    assert limit.seconds == 5.0
    assert limit.reason() == "no result within the time limit of 5 s"


def test_zero_is_none():
    assert TimeLimit(0.0).seconds == math.inf


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_limit_that_cannot_be_is_refused(seconds):
    with pytest.raises(UsageError, match=r"0 for none.*--time-limit 600"):
        TimeLimit(seconds)


def test_until_enough_are_known_there_is_much_time():
    assert after().seconds == after(1.0, 1.0).seconds == 1000.0
    assert after(1.0, 200.0).seconds == 2000.0, "never less than what the others say"
    assert after(1.0, 1.0, 1.0).seconds < 1000.0


def test_it_is_many_times_the_longest_and_never_short():
    assert after(1.0, 2.0, 3.0).seconds == 60.0
    assert after(1.0, 20.0, 3.0).seconds == 200.0


def test_the_reason_tells_the_others_and_the_mend():
    assert after(1.0, 20.0, 3.0).reason() == (
        "no result within 200 s, where the longest of 3 others took 20 s; if it is only slow, search under "
        "another --name with a longer --time-limit in seconds, or 0 for none"
    )
    assert after().reason().startswith("no result within 1000 s; if")


def test_nobody_waits_less_than_a_quarter_of_an_hour_unasked():
    assert after(*[0.01] * 100, patience=USUAL).seconds == 900.0
    assert after(*[0.01] * 7, patience=USUAL).seconds == 86400.0

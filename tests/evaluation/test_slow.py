import json
import math

from edgewright.evaluation import Attention, Slow
from edgewright.evaluation.limit import USUAL, TimeLimit
from edgewright.evaluation.slow import USUAL_ATTENTION, log


def test_until_one_is_done_there_is_some_time_then_several_times_the_longest():
    attention = Attention(factor=5.0, floor_s=60.0, first_s=600.0)
    assert attention.seconds(None) == 600.0
    assert attention.seconds(0.1) == 60.0
    assert attention.seconds(100.0) == 500.0


def test_it_is_told_well_before_it_is_given_up():
    limit = TimeLimit()
    for seconds in (None, 0.1, 30.0, 4000.0):
        if seconds is not None:
            limit.learn(seconds)
        assert limit.longest_s == seconds
        assert USUAL_ATTENTION.seconds(limit.longest_s) <= limit.seconds / 10
    assert USUAL_ATTENTION.seconds(None) < USUAL.floor_s


def test_the_line_says_what_is_known_and_what_to_do():
    text = Slow("process 1", (0, 2), 725.0, 4.12, 86400.0).text()
    assert text.startswith(
        "process 1 has been at one network for 12 min, where of the others the longest took 4.12 s; it is "
        "given up after 24 h. If it hangs, press Ctrl-C"
    )
    assert "--time-limit SECONDS" in text
    assert "none is done yet; it is given up never." in Slow("p", (), 90.0, None, math.inf).text()
    assert json.dumps(Slow("p", (1,), 90.0, None, 900.0).to_json())


def test_where_nobody_watches_it_is_logged(caplog):
    log(Slow("process 1", (0, 2), 725.0, 4.12, 86400.0))
    assert "process 1 has been at one network for 12 min" in caplog.text

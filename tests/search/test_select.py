import numpy as np
import pytest

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search import FrontPoint, pick
from edgewright.search.select import knee

FRONT = [
    FrontPoint(1, {"error": 0.10, "cpu": 9.0, "size": 3e6}),
    FrontPoint(2, {"error": 0.12, "cpu": 4.0, "size": 2e6}),
    FrontPoint(3, {"error": 0.30, "cpu": 2.0, "size": 1e6}),
    FrontPoint(4, {"error": 0.31, "cpu": 1.9, "size": 2e6}),
]


def test_each_preference_takes_its_own_end_or_the_knee():
    assert pick(FRONT, prefer="accuracy").id == 1
    assert pick(FRONT, prefer="latency").id == 4
    assert pick(FRONT, prefer="knee").id == 2


def test_limits_exclude_points_before_the_preference():
    assert pick(FRONT, under={"cpu": 3.0}, prefer="accuracy").id == 3
    assert pick(FRONT, under={"cpu": 9.0}, prefer="accuracy").id == 1  # a limit may be met exactly
    assert pick(FRONT, under={"cpu": 5.0, "size": 1.5e6}, prefer="accuracy").id == 3


def test_limits_that_nothing_meets_name_the_nearest_point():
    with pytest.raises(InfeasibleBudgetError, match=r"cpu <= 1 ms; the nearest, 4, has cpu 1.9 ms"):
        pick(FRONT, under={"cpu": 1.0})


@pytest.mark.parametrize(
    ("front", "options", "named"),
    [
        ([], {}, "empty"),
        (FRONT, {"under": {"gpu": 1.0}}, "no objective gpu; it has error, cpu, size"),
        (FRONT, {"prefer": "speed"}, "knee, accuracy, latency"),
    ],
)
def test_what_cannot_be_asked_is_refused(front, options, named):
    with pytest.raises(UsageError, match=named):
        pick(front, **options)


def test_a_front_of_one_point_or_of_error_alone_is_picked_from():
    assert pick(FRONT[:1]).id == 1
    assert pick([FrontPoint(7, {"error": 0.2}), FrontPoint(8, {"error": 0.1})]).id == 8


def test_the_knee_lies_on_the_front_whatever_the_units():
    F = np.array([[1.0, 0.0], [0.2, 0.2], [0.0, 1.0], [0.3, 0.3]])
    assert knee(F) == knee(F * [1e-3, 1e9]) == 1

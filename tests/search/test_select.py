import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search import FrontPoint, pick
from edgewright.search.select import best_trade_offs, knee, trade_offs

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


def test_an_error_beside_the_first_is_limited_and_weighed_but_no_latency():
    robust = (0.9, 0.5, 0.6, 0.8)
    front = [
        FrontPoint(p.id, {"error": p.objectives["error"], "adversarial-error": e, "cpu": p.objectives["cpu"]})
        for p, e in zip(FRONT, robust, strict=True)
    ]
    assert pick(front, prefer="latency").id == 4
    assert pick(front, prefer="accuracy").id == 1
    assert pick(front, prefer="accuracy", under={"adversarial-error": 0.6}).id == 2
    assert pick(front, prefer="latency", under={"adversarial-error": 0.6}).id == 3
    with pytest.raises(InfeasibleBudgetError, match=r"error <= 40.00%; the nearest, 2, has .*error 50.00%"):
        pick(front, under={"adversarial-error": 0.4})


@pytest.mark.parametrize(
    ("front", "options", "named"),
    [
        ([], {}, "empty"),
        (FRONT, {"under": {"gpu": 1.0}}, "no objective gpu; it has error, cpu, size"),
        (FRONT, {"prefer": "speed"}, "knee, accuracy, latency, trade-off"),
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


def front_of(n, power=0.4):
    """A front with its knee near the ideal point."""
    x = np.linspace(0.0, 1.0, n)
    return np.column_stack([x, (1.0 - x**power) ** (1.0 / power)])


def test_the_best_trade_off_is_where_every_neighbour_gives_up_most():
    F = np.array([[0.0, 1.0], [0.02, 0.9], [0.1, 0.1], [0.9, 0.02], [1.0, 0.0]])
    assert best_trade_offs(F, 1).tolist() == [2]
    assert set(best_trade_offs(F).tolist()) < set(range(5))
    assert (
        pick([FrontPoint(i, {"error": a, "cpu": b}) for i, (a, b) in enumerate(F)], prefer="trade-off").id
        == 2
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the package imports
@pytest.mark.parametrize("n", [12, 60])
def test_trade_offs_are_those_of_the_package_that_natv2_takes_them_from(n):
    from pymoo.core.decision_making import NeighborFinder

    F = front_of(n)
    near = NeighborFinder(F, epsilon=0.125, n_min_neigbors="auto", consider_2d=False)
    for i, found in enumerate(trade_offs(F)):
        moved = F[near.find(i)] - F[i]
        gain, sacrifice = np.maximum(-moved, 0).sum(axis=1), np.maximum(moved, 0).sum(axis=1)
        assert found == pytest.approx((sacrifice[gain > 0] / gain[gain > 0]).min())


def test_what_is_only_limited_is_not_weighed():
    F = front_of(9)
    points = [FrontPoint(i, {"error": a, "cpu": b, "size": float(i == 4)}) for i, (a, b) in enumerate(F)]
    for prefer in ("knee", "trade-off"):
        chosen = pick(points, prefer=prefer, weighed=("error", "cpu"))
        assert chosen == pick(
            [FrontPoint(p.id, {**p.objectives, "size": 0.0}) for p in points], prefer=prefer
        )


@settings(max_examples=60, deadline=None)
@given(F=st.integers(1, 4).flatmap(lambda m: arrays(np.float64, (7, m), elements=st.floats(0, 1, width=16))))
def test_trade_offs_lie_on_the_front_whatever_the_units_and_however_degenerate(F):
    chosen = best_trade_offs(F)
    assert 1 <= len(chosen) <= 4
    assert len(set(chosen.tolist())) == len(chosen)
    for row in chosen:
        assert not ((F[row] >= F).all(axis=1) & (F[row] > F).any(axis=1)).any()
    np.testing.assert_array_equal(chosen, best_trade_offs(F * 2.0**10))
    names = [f"cost{j}" for j in range(F.shape[1])]
    points = [FrontPoint(i, dict(zip(names, row, strict=True))) for i, row in enumerate(F.tolist())]
    assert pick(points, prefer="trade-off") in points

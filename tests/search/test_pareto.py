import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgewright.search.hypervolume import (
    greedy_improvement,
    hypervolume,
    improvements,
    normalised_hypervolume,
    reference_point,
)
from edgewright.search.pareto import crowding_distance, front_indices, non_dominated

matrices = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 3)),
    elements=st.integers(0, 5).map(float),
)


@given(matrices)
def test_a_front_has_no_dominated_row_and_covers_all_others(F):
    kept = non_dominated(F)
    for i in range(len(F)):
        dominated = ((F[i] >= F).all(axis=1) & (F[i] > F).any(axis=1)).any()
        assert kept[i] == (not dominated)


@given(matrices)
def test_front_indices_are_distinct_points_ascending_in_the_first_objective(F):
    front = F[front_indices(F)]
    assert len(np.unique(front, axis=0)) == len(front)
    assert (np.diff(front[:, 0]) >= 0).all()


def test_an_empty_matrix_has_an_empty_front():
    assert len(front_indices(np.zeros((0, 2)))) == 0
    assert hypervolume(np.zeros((0, 2)), np.ones(2)) == 0.0


def test_crowding_prefers_ends_and_gaps_and_survives_constants():
    F = np.array([[0.0, 4.0], [1.0, 3.0], [1.5, 2.5], [4.0, 0.0]])
    distance = crowding_distance(F)
    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1]
    assert np.isfinite(crowding_distance(np.ones((5, 2)))).all()


def test_hypervolume_of_two_boxes_is_their_union():
    F = np.array([[1.0, 2.0], [2.0, 1.0], [5.0, 0.0]])
    assert hypervolume(F, np.array([3.0, 3.0])) == 3.0
    assert normalised_hypervolume(F, np.array([3.0, 3.0])) == pytest.approx(3.0 / 9.0)


def test_the_reference_point_lies_a_hundredth_beyond_and_never_at_zero():
    np.testing.assert_allclose(reference_point(np.array([[1.0, 0.0], [2.0, 0.0]])), [2.02, 1.0])


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_improvements_equal_differences_of_hypervolume(seed, n_obj):
    rng = np.random.default_rng(seed)
    ref = np.ones(n_obj)
    F = rng.random((6, n_obj))
    front, points = F[non_dominated(F)], rng.random((5, n_obj)) * 1.2
    expected = [hypervolume(np.vstack([front, p]), ref) - hypervolume(front, ref) for p in points]
    np.testing.assert_allclose(improvements(front, points, ref), expected, atol=1e-12)


def test_greedy_choice_takes_the_best_first_and_stops_when_nothing_is_gained():
    front = np.array([[0.5, 0.5]])
    candidates = np.array([[0.9, 0.4], [0.1, 0.6], [0.6, 0.6], [0.45, 0.45]])
    chosen = greedy_improvement(front, candidates, np.ones(2), 4)
    assert chosen[0] == 1
    assert 2 not in chosen
    assert set(chosen) == {0, 1, 3}


def test_greedy_choice_on_an_empty_front_takes_the_largest_box():
    chosen = greedy_improvement(np.zeros((0, 2)), np.array([[0.9, 0.9], [0.2, 0.2]]), np.ones(2), 1)
    assert chosen.tolist() == [1]


@given(st.integers(0, 2**32 - 1), st.integers(3, 5), st.integers(0, 8))
def test_greedy_choice_of_many_objectives_takes_the_best_at_each_step(seed, n_obj, n_front):
    rng = np.random.default_rng(seed)
    ref = np.ones(n_obj)
    front, candidates = rng.random((n_front, n_obj)), rng.random((9, n_obj)) * 1.1
    chosen = greedy_improvement(front, candidates, ref, 5)
    known = front
    for row in chosen:
        gains = [
            hypervolume(np.vstack([known, point]), ref) - hypervolume(known, ref) for point in candidates
        ]
        assert gains[row] == pytest.approx(max(gains), abs=1e-12)
        known = np.vstack([known, candidates[row]])
    if len(chosen) < 5:
        left = [hypervolume(np.vstack([known, p]), ref) - hypervolume(known, ref) for p in candidates]
        assert max(left) < 1e-9

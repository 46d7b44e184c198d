"""Expected hypervolume improvement."""

import numpy as np
import pytest

from edgewright.search.expected import expected_batch, expected_improvements
from edgewright.search.hypervolume import hypervolume, improvements
from edgewright.search.infill import Candidates, expected_hypervolume, most_hypervolume

FRONT = np.array([[0.1, 0.9], [0.4, 0.5], [0.8, 0.1]])
REF = np.full(2, 1.1)


def test_without_deviation_it_is_the_improvement_itself():
    points = np.random.default_rng(0).uniform(0, 1.2, size=(50, 2))
    found = expected_improvements(FRONT, points, np.zeros(50))
    np.testing.assert_allclose(found, improvements(FRONT, points, REF), atol=1e-8)


def test_with_deviation_it_is_the_mean_over_errors_drawn():
    rng = np.random.default_rng(1)
    point, std = np.array([0.45, 0.6]), 0.15
    drawn = np.column_stack([rng.normal(point[0], std, 4000), np.full(4000, point[1])])
    base = hypervolume(FRONT, REF)
    gains = [max(0.0, hypervolume(np.vstack([FRONT, p]), REF) - base) for p in drawn]
    found = expected_improvements(FRONT, point[None], np.array([std]))[0]
    assert found == pytest.approx(np.mean(gains), rel=0.06)


def test_a_network_that_is_surely_worse_gives_way_to_one_that_may_be_better():
    F = np.array([[0.45, 0.5], [0.42, 0.5]])
    assert expected_batch(FRONT, F, np.array([0.2, 0.0]), None, 1).tolist() == [0]


def test_twins_are_not_both_evaluated():
    F = np.array([[0.3, 0.6], [0.3, 0.601], [0.6, 0.3]])
    std = np.full(3, 0.1)
    twins = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]]) * 0.01
    chosen = expected_batch(FRONT, F, std, lambda rows: twins[np.ix_(rows, rows)], 2)
    assert 2 in chosen


def test_a_network_that_learned_nothing_sets_no_scale():
    good = np.column_stack([np.linspace(0.3, 0.2, 12), np.linspace(1.0, 12.0, 12)])
    junk = np.array([[0.99, 0.01]])
    F = np.array([[0.97, 0.005], [0.19, 12.5]])
    chosen = expected_batch(np.vstack([good, junk]), F, np.full(2, 0.01), None, 1)
    assert chosen.tolist() == [1]


def test_one_objective_is_expected_improvement():
    candidates = Candidates(np.zeros((3, 1), dtype=np.int64), np.array([[0.3], [0.29], [0.5]]), np.zeros(3))
    archive = np.linspace(0.31, 0.6, 10)[:, None]
    assert expected_hypervolume(archive, candidates, 1, np.random.default_rng(0)).tolist() == [1]


def test_what_has_no_deviation_or_three_objectives_goes_by_predictions():
    rng = np.random.default_rng(0)
    for n_obj, std in ((2, None), (3, np.full(20, 0.1))):
        candidates = Candidates(np.zeros((20, 1), dtype=np.int64), rng.uniform(size=(20, n_obj)), std)
        archive = rng.uniform(size=(10, n_obj))
        np.testing.assert_array_equal(
            expected_hypervolume(archive, candidates, 4, rng), most_hypervolume(archive, candidates, 4, rng)
        )


def test_fewer_candidates_than_asked_for_are_all_chosen():
    F = np.array([[0.5, 0.5], [0.6, 0.4]])
    assert sorted(expected_batch(FRONT, F, np.zeros(2), None, 5).tolist()) == [0, 1]
    none = Candidates(np.zeros((0, 1), dtype=np.int64), np.zeros((0, 2)), np.zeros(0))
    assert len(expected_hypervolume(FRONT, none, 3, np.random.default_rng(0))) == 0

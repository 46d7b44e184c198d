"""Expected hypervolume improvement."""

import numpy as np
import pytest
from scipy.special import ndtri

from edgewright.search.expected import (
    MAX_STEPS,
    expected_batch,
    expected_improvements,
    expected_improvements_beside,
)
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


def test_what_has_no_deviation_goes_by_predictions():
    rng = np.random.default_rng(0)
    candidates = Candidates(np.zeros((20, 1), dtype=np.int64), rng.uniform(size=(20, 2)))
    archive = rng.uniform(size=(10, 2))
    np.testing.assert_array_equal(
        expected_hypervolume(archive, candidates, 4, rng), most_hypervolume(archive, candidates, 4, rng)
    )


def test_one_cost_is_the_same_either_way():
    rng = np.random.default_rng(2)
    points, std = rng.uniform(0, 1.2, size=(60, 2)), rng.uniform(0, 0.3, size=60)
    np.testing.assert_allclose(
        expected_improvements_beside(FRONT, points, std), expected_improvements(FRONT, points, std), atol=1e-8
    )
    none = np.zeros((0, 2))
    np.testing.assert_allclose(
        expected_improvements_beside(none, points, std), expected_improvements(none, points, std), atol=1e-8
    )


@pytest.mark.parametrize("n_costs", [2, 3])
def test_beside_several_costs_it_is_the_mean_over_errors(n_costs):
    rng = np.random.default_rng(3)
    front = rng.uniform(0.1, 1.0, size=(12, 1 + n_costs))
    points, std = rng.uniform(0.1, 0.9, size=(6, 1 + n_costs)), rng.uniform(0.05, 0.3, size=6)
    ref = np.full(1 + n_costs, 1.1)
    base = hypervolume(front, ref)
    found = expected_improvements_beside(front, points, std)
    for point, deviation, gain in zip(points, std, found, strict=True):
        errors = point[0] + deviation * ndtri((np.arange(2000) + 0.5) / 2000)
        gains = [hypervolume(np.vstack([front, [e, *point[1:]]]), ref) - base for e in errors]
        assert gain == pytest.approx(np.mean(gains), rel=0.01, abs=1e-6)


def test_a_long_front_in_steps_ranks_networks_as_the_whole_does(monkeypatch):
    rng = np.random.default_rng(4)
    costs = rng.uniform(size=(300, 2))
    front = np.column_stack([1.0 - 0.5 * costs.sum(axis=1), costs])
    points, std = rng.uniform(0, 1, size=(40, 3)), np.full(40, 0.1)
    points[:, 0] = 1.0 - 0.5 * points[:, 1:].sum(axis=1)
    in_steps = expected_improvements_beside(front, points, std)
    monkeypatch.setattr("edgewright.search.expected.MAX_STEPS", 10 * MAX_STEPS)
    whole = expected_improvements_beside(front, points, std)
    assert np.corrcoef(in_steps, whole)[0, 1] > 0.98


def test_among_three_objectives_what_may_be_better_comes_first_and_no_twins():
    front = np.array([[0.5, 0.2, 0.8], [0.5, 0.8, 0.2]])
    F = np.array([[0.55, 0.5, 0.5], [0.52, 0.5, 0.5], [0.53, 0.501, 0.501], [0.7, 0.1, 0.9]])
    std = np.array([0.2, 0.001, 0.2, 0.1])
    twins = np.diag(std**2)
    twins[0, 2] = twins[2, 0] = 0.99 * 0.04
    chosen = expected_batch(front, F, std, lambda rows: twins[np.ix_(rows, rows)], 2)
    assert chosen[0] in (0, 2)
    assert {0, 2} != set(chosen.tolist())


def test_fewer_candidates_than_asked_for_are_all_chosen():
    F = np.array([[0.5, 0.5], [0.6, 0.4]])
    assert sorted(expected_batch(FRONT, F, np.zeros(2), None, 5).tolist()) == [0, 1]
    none = Candidates(np.zeros((0, 1), dtype=np.int64), np.zeros((0, 2)), np.zeros(0))
    assert len(expected_hypervolume(FRONT, none, 3, np.random.default_rng(0))) == 0

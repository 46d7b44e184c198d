import numpy as np
import pytest
from doubles.search_problems import ListSpace

from edgewright.search import Failure
from edgewright.search.problems import KnownFront, SearchProblem

FRONT = KnownFront.of(np.array([[1.0, 30.0], [2.0, 20.0], [5.0, 10.0], [2.0, 25.0], [6.0, 10.0]]), "a list")


def test_a_front_is_what_nothing_dominates_and_its_ends_scale_it():
    np.testing.assert_array_equal(FRONT.F, [[1, 30], [2, 20], [5, 10]])
    np.testing.assert_array_equal(FRONT.ideal, [1, 10])
    np.testing.assert_array_equal(FRONT.nadir, [5, 30])
    np.testing.assert_allclose(FRONT.normalised(FRONT.F), [[0, 1], [0.25, 0.5], [1, 0]])


def test_the_front_itself_scores_one_and_parts_of_it_less():
    assert FRONT.hypervolume_ratio(FRONT.F) == 1.0
    assert FRONT.igd_plus(FRONT.F) == 0.0
    # Normalised: (1.1 - 0.25) * (1.1 - 0.5) of 0.51 + 0.1 * 0.1 + 0.1 * 0.5 more.
    assert FRONT.hypervolume_ratio(FRONT.F[1:2]) == pytest.approx(0.51 / (0.51 + 0.025 + 0.05))
    assert FRONT.igd_plus(FRONT.F[1:2]) > 0


def test_networks_beyond_the_reference_add_nothing():
    assert FRONT.hypervolume_ratio(np.array([[9.0, 1.0], [0.5, 99.0]])) == 0.0
    assert FRONT.hypervolume_ratio(np.zeros((0, 2))) == 0.0
    assert FRONT.igd_plus(np.zeros((0, 2))) == np.inf


def test_what_beats_the_front_scores_above_one():
    assert FRONT.hypervolume_ratio(np.array([[1.0, 10.0]])) > 1.0
    assert FRONT.igd_plus(np.array([[1.0, 10.0]])) == 0.0


def test_a_front_of_one_network_has_a_scale_too():
    single = KnownFront.of(np.array([[3.0, 4.0]]), "one")
    assert single.hypervolume_ratio(np.array([[3.0, 4.0]])) == 1.0


def test_objectives_are_the_true_error_and_each_cost_with_failures_as_nan():
    def evaluate(X):
        return [Failure("odd") if x % 2 else float(x) for x in X[:, 0]]

    problem = SearchProblem("list", ListSpace(4), evaluate, {"ms": lambda X: X[:, 0] + 1.0})
    assert problem.names == ("error", "ms")
    F = problem.objectives(np.arange(4)[:, None])
    np.testing.assert_array_equal(F, [[0, 1], [np.nan, 2], [2, 3], [np.nan, 4]])


def test_several_evaluated_objectives_come_first_by_name():
    def evaluate(X):
        return [{"watts": float(x), "error": 0.5} for x in X[:, 0]]

    costs = {"ms": lambda X: X[:, 0] + 1.0}
    problem = SearchProblem("list", ListSpace(4), evaluate, costs, evaluated=("error", "watts"))
    assert problem.names == ("error", "watts", "ms")
    F = problem.objectives(np.arange(2)[:, None])
    np.testing.assert_array_equal(F, [[0.5, 0, 1], [0.5, 1, 2]])

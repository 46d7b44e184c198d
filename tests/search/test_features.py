"""What surrogates see of networks."""

import numpy as np
import pytest
from doubles.search_problems import ListSpace, SyntheticProblem

from edgewright.search import Problem
from edgewright.search.features import features_of, one_hot
from edgewright.spaces.cell import OPERATIONS, CellSpace, pruned

NO_COSTS = Problem({}, {}, {})


def cell(text):
    return np.array([OPERATIONS.index(name) for name in text.split()], dtype=np.int64)


def test_equal_cells_have_equal_features_and_different_ones_do_not():
    space = CellSpace(distinct=False)
    X = space.members
    Z = features_of(space, NO_COSTS)(X)
    np.testing.assert_array_equal(Z, features_of(space, NO_COSTS)(pruned(X)))
    assert len(np.unique(Z, axis=0)) == len(np.unique(pruned(X), axis=0)) == 9445


def test_a_cell_of_convolutions_has_four_paths_and_one_behind_a_dead_edge_has_fewer():
    space = CellSpace()
    count = 5 * 6 + 5 + 30 * 6 + 2  # paths over all operations, in the last set of the 31
    every = features_of(space, NO_COSTS)(np.full((1, 6), OPERATIONS.index("nor_conv_3x3")))[0]
    assert every[count - 2 : count + 4].tolist() == [1, 3, 4, 3, 3, 6]
    # Edges 0 to 1 and 1 to 3 lead through node 1; 0 to 2 goes nowhere.
    x = cell("nor_conv_1x1 avg_pool_3x3 none none skip_connect none")
    dead = features_of(space, NO_COSTS)(x[None])[0]
    assert dead[count + 3] == 6
    convs = 5 * 6 + OPERATIONS.index("nor_conv_1x1")
    assert dead[convs] == 1
    assert dead[5 * 6 + OPERATIONS.index("avg_pool_3x3")] == 0


def test_spaces_without_features_of_their_own_fall_back_to_one_hot_and_costs():
    space = ListSpace(4)
    X = np.array([[0], [3]])
    problem = Problem({"ms": lambda X: 1.0 + X[:, 0]}, {}, {})
    np.testing.assert_allclose(features_of(space, problem)(X), [[1, 0, 0, 0, 0], [0, 0, 0, 1, np.log(4.0)]])
    np.testing.assert_array_equal(features_of(space, NO_COSTS)(X), one_hot(X, space.n_choices))


@pytest.mark.parametrize("n", [0, 3])
def test_features_have_a_row_for_each_network(n):
    for space in (CellSpace(), SyntheticProblem().space):
        assert len(features_of(space, NO_COSTS)(space.sample(np.random.default_rng(0), n))) == n

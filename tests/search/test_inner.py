"""The inner search and the choice of the infill."""

from itertools import combinations

import numpy as np
import pytest
from doubles.search_problems import SyntheticProblem

from edgewright.search.hypervolume import hypervolume
from edgewright.search.infill import INFILLS, Candidates
from edgewright.search.inner import find_inner_search
from edgewright.search.nsga2 import nsga2, nsga3

PROBLEM = SyntheticProblem()
SPACE = PROBLEM.space


def objectives(X):
    return np.column_stack([PROBLEM.error(X), PROBLEM.macs(X)])


def infill(archive_F, candidates_F, k, name="hypervolume"):
    candidates = Candidates(np.arange(len(candidates_F))[:, None], candidates_F)
    return INFILLS[name](archive_F, candidates, k, np.random.default_rng(0))


def run(seed=0, *, limit=np.inf, polish=2, generations=10):
    return nsga2(
        SPACE,
        objectives=objectives,
        excess=lambda X: (PROBLEM.macs(X) / limit - 1.0)[:, None],
        seeds=SPACE.encode(SPACE.smallest())[None],
        population=30,
        generations=generations,
        polish=polish,
        rng=np.random.default_rng(seed),
    )


def test_the_pool_is_distinct_canonical_feasible_and_priced_right():
    pool = run(limit=4e6)
    assert len(np.unique(pool.X, axis=0)) == len(pool.X) > 100
    np.testing.assert_array_equal(SPACE.repair(pool.X), pool.X)
    assert (PROBLEM.macs(pool.X) <= 4e6).all()
    np.testing.assert_allclose(pool.F, objectives(pool.X))


def test_the_same_generator_gives_the_same_pool_and_leaves_global_randomness_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002  # the global state is what is tested
    first, again, other = run(3), run(3), run(4)
    np.testing.assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_searching_beats_drawing_and_polishing_beats_not():
    ref = np.array([0.8, PROBLEM.macs(SPACE.encode(SPACE.largest())[None])[0] * 1.1])
    plain, polished = run(polish=0), run(polish=2)
    drawn = SPACE.sample(np.random.default_rng(0), len(plain.X))
    assert hypervolume(plain.F, ref) > hypervolume(objectives(drawn), ref)
    assert hypervolume(polished.F, ref) > hypervolume(plain.F, ref)


def test_infill_fills_the_gap_of_the_front_first():
    archive = np.array([[0.1, 10.0], [0.2, 9.0], [0.9, 1.0]])
    candidates = np.array([[0.11, 9.9], [0.4, 4.0], [0.95, 5.0], [0.5, 3.5]])
    chosen = infill(archive, candidates, 3)
    assert chosen[0] in (1, 3)
    assert len(set(chosen.tolist())) == 3


@pytest.mark.parametrize("name", INFILLS)
def test_infill_is_filled_up_even_where_nothing_promises_a_gain(name):
    archive = np.array([[0.0, 0.0]])
    candidates = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert sorted(infill(archive, candidates, 2, name).tolist()) == [0, 1]
    assert infill(archive, candidates[:0], 2, name).tolist() == []
    assert len(infill(archive, candidates, 9, name)) == 3


@pytest.mark.parametrize("name", INFILLS)
@pytest.mark.parametrize("n_obj", [1, 2, 4])
def test_infill_of_constant_objectives_is_some_of_them(name, n_obj):
    assert len(set(infill(np.ones((3, n_obj)), np.ones((5, n_obj)), 2, name).tolist())) == 2


def test_the_subset_selection_finds_the_most_even_subset():
    rng = np.random.default_rng(0)
    cost = np.sort(rng.random(12))
    candidates = np.column_stack([-cost, cost])
    archive = np.array([[0.0, 0.0], [-1.0, 1.0]])
    chosen = infill(archive, candidates, 3, "subset")

    def unevenness(rows):
        return np.diff(np.sort([0.0, 1.0, *cost[list(rows)]])).std()

    best = min(combinations(range(12), 3), key=unevenness)
    assert sorted(chosen.tolist()) == list(best)


def test_the_subset_selection_minds_the_worst_of_several_costs():
    # Spread along one cost alone is worth nothing where all have the same of the other.
    steps = np.linspace(0.1, 0.9, 9)
    one = np.column_stack([1 - steps, steps, np.full(9, 0.05)])
    both = np.column_stack([0.5 - steps, steps, 1 - steps])
    archive = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    chosen = infill(archive, np.concatenate([one, both]), 3, "subset")
    assert (chosen >= 9).sum() >= 2


def test_many_objectives_are_left_to_reference_directions():
    assert find_inner_search("auto", 3) is nsga2
    assert find_inner_search("auto", 4) is nsga3
    assert find_inner_search("nsga2", 4) is nsga2


def test_nsga3_finds_feasible_networks_of_five_objectives():
    def many(X):
        return np.column_stack([objectives(X), PROBLEM.params(X), PROBLEM.latency(X), X[:, 0]])

    pool = nsga3(
        SPACE,
        objectives=many,
        excess=lambda X: (PROBLEM.macs(X) / 4e6 - 1.0)[:, None],
        seeds=SPACE.encode(SPACE.smallest())[None][:0],
        population=30,
        generations=5,
        polish=1,
        rng=np.random.default_rng(0),
    )
    assert (PROBLEM.macs(pool.X) <= 4e6).all()
    np.testing.assert_allclose(pool.F, many(pool.X))

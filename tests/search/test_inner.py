"""The inner search and the choice of the infill."""

import numpy as np
from doubles.search_problems import SyntheticProblem

from edgewright.search.hypervolume import hypervolume
from edgewright.search.infill import choose_infill
from edgewright.search.nsga2 import inner_search

PROBLEM = SyntheticProblem()
SPACE = PROBLEM.space


def objectives(X):
    return np.column_stack([PROBLEM.error(X), PROBLEM.macs(X)])


def run(seed=0, *, limit=np.inf, polish=2, generations=10):
    return inner_search(
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
    chosen = choose_infill(archive, candidates, 3)
    assert chosen[0] in (1, 3)
    assert len(set(chosen.tolist())) == 3


def test_infill_is_filled_up_even_where_nothing_promises_a_gain():
    archive = np.array([[0.0, 0.0]])
    candidates = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert sorted(choose_infill(archive, candidates, 2).tolist()) == [0, 1]
    assert choose_infill(archive, candidates[:0], 2).tolist() == []
    assert len(choose_infill(archive, candidates, 9)) == 3


def test_infill_of_constant_objectives_is_some_of_them():
    assert len(choose_infill(np.ones((3, 2)), np.ones((5, 2)), 2)) == 2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgewright.search import Evaluation, SearchConfig
from edgewright.search.pareto import non_dominated, ranks
from edgewright.search.survival import directions, known_rows, reference_directions, survivors


def evaluations(F, iteration=0):
    return [
        Evaluation(i + 1, (i,), None if f is None else tuple(f), (), iteration, i, 0, 0.0, None if f else "x")
        for i, f in enumerate(F)
    ]


def fronts(draw_shape):
    return arrays(np.float64, draw_shape, elements=st.floats(0, 1, width=16))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), n_obj=st.integers(1, 4), m=st.integers(1, 25), n=st.integers(4, 12))
def test_survivors_are_distinct_and_no_rank_is_passed_over(data, n_obj, m, n):
    F = data.draw(fronts((m, n_obj)))
    kept = survivors(F, n)
    assert len(set(kept.tolist())) == len(kept) == min(n, m)
    rank = ranks(F)
    left = np.setdiff1d(np.arange(m), kept)
    if len(left):
        assert rank[kept].max() <= rank[left].min()
    np.testing.assert_array_equal(kept, survivors(F, n))


def test_ranks_peel_front_after_front():
    F = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 1.0]])
    assert ranks(F).tolist() == [0, 0, 1, 2, 0]
    assert ranks(F[:0]).tolist() == []


def test_two_objectives_keep_the_ends_and_the_isolated():
    F = np.array([[0.0, 1.0], [0.49, 0.51], [0.5, 0.5], [0.51, 0.49], [1.0, 0.0], [0.8, 0.2]])
    assert set(survivors(F, 4).tolist()) >= {0, 4, 5}


def test_many_objectives_spread_over_the_front():
    rng = np.random.default_rng(0)
    F = np.abs(rng.normal(size=(400, 4)))
    F /= np.linalg.norm(F, axis=1, keepdims=True)  # all on the front, most of them in its middle
    kept = F[reference_directions(F, 40)]
    assert len(kept) == 40
    # As near to each end as any network is.
    assert np.allclose(kept.max(axis=0), F.max(axis=0), atol=0.1)
    drawn = F[rng.permutation(400)[:40]]

    def widest_gap(S):
        return np.linalg.norm(F[:, None] - S, axis=2).min(axis=1).max()

    assert widest_gap(kept) < widest_gap(drawn)


@pytest.mark.parametrize(("n_obj", "n"), [(2, 100), (3, 100), (4, 100), (5, 100), (7, 30)])
def test_directions_are_on_the_simplex_and_no_more_than_asked(n_obj, n):
    found = directions(n_obj, n)
    assert n / 2 < len(found) <= n
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found >= 0).all()


def test_a_growing_archive_keeps_all_that_succeeded():
    rows = evaluations([[1.0, 2.0], None, [3.0, 4.0]])
    assert [row.id for row in known_rows(rows, SearchConfig())] == [1, 3]


def test_a_constant_archive_keeps_the_best_in_their_order():
    F = np.random.default_rng(0).random((60, 2))
    kept = known_rows(evaluations(F.tolist()), SearchConfig(archive_policy="constant", archive_size=20))
    ids = [row.id for row in kept]
    assert len(ids) == 20
    assert ids == sorted(ids)
    assert set(np.flatnonzero(non_dominated(F)) + 1) <= set(ids)


def test_pre_screening_keeps_the_best_of_the_design_both_ends_and_all_later_rows():
    F = [[0.9, 0.9], [0.8, 1.0], *([0.5 - i / 100, 0.3 + i / 100] for i in range(10))]
    rows = evaluations(F)
    later = Evaluation(13, (99,), (2.0, 2.0), (), 1, 0, 0, 0.0, None)
    kept = known_rows([*rows, later], SearchConfig(n_initial=5, pre_screening=3, evaluations=50))
    assert {1, 2, 13} <= {row.id for row in kept}
    assert len(kept) == 5 + 2 + 1
    for other in ({"design": "latin"}, {"method": "nsga2"}):  # which begin with any two networks
        config = SearchConfig(n_initial=5, pre_screening=3, evaluations=50, **other)
        assert not {1, 2} & {row.id for row in known_rows([*rows, later], config)}

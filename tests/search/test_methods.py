"""Every part that a search is made of, in whole searches."""

import numpy as np
import pytest
from doubles import quick_search
from doubles.quick_search import PROBLEM, SPACE, rows
from doubles.search_problems import ListSpace
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import RunError, UsageError
from edgewright.search import Archive, Failure, SearchConfig, run_search
from edgewright.search.config import Problem
from edgewright.search.design import DESIGNS
from edgewright.search.feasible import require_feasible
from edgewright.search.infill import INFILLS
from edgewright.search.methods import METHODS, require_parts
from edgewright.search.survival import ARCHIVES

BASELINES = [name for name in METHODS if name != "surrogate"]
PARTS = [
    *({"method": name} for name in METHODS),
    *({"design": name} for name in DESIGNS),
    *({"infill": name} for name in INFILLS),
    *({"archive_policy": name, "archive_size": 8} for name in ARCHIVES),
    {"surrogate": "auto"},  # with one cost: a Gaussian process, expected improvement, evolution
    {"inner": "nsga3"},
    {"pre_screening": 2, "n_initial": 6},
]


def search(archive, *, evaluate=PROBLEM.error, budgets=None, objectives=None, on_evaluation=None, **config):
    return quick_search.search(
        archive,
        evaluate=evaluate,
        objectives=objectives,
        budgets=budgets,
        on_evaluation=on_evaluation,
        config=config,
    )


@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_each_part_spends_its_evaluations_within_the_budgets_and_ends_the_same_when_stopped(parts):
    def evaluate(X):
        for x in X:
            failed = int(x.sum()) % 9 == 0
            yield Failure("diverged") if failed else float(PROBLEM.error(x[None])[0])

    class StopError(BaseException):
        pass

    def stop(row):
        if row.id == 17:
            raise StopError

    asked = {"evaluate": evaluate, "budgets": {"macs": 4e6}, **parts}
    with Archive.open(None) as whole:
        search(whole, **asked)
        assert len(whole) == 24
        assert len({row.x for row in whole.evaluations}) == 24
        X = np.array([row.x for row in whole.evaluations])
        np.testing.assert_array_equal(SPACE.repair(X), X)
        assert (PROBLEM.macs(X) <= 4e6).all()
        expected = rows(whole)
    with Archive.open(None) as archive:
        with pytest.raises(StopError):
            search(archive, on_evaluation=stop, **asked)
        search(archive, **asked)
        assert rows(archive) == expected


@pytest.mark.parametrize("method", BASELINES)
def test_baselines_learn_nothing_and_end_when_a_space_is_exhausted(method):
    with Archive.open(None) as archive:
        result = run_search(
            ListSpace(9),
            evaluate=lambda X: 1.0 / (X[:, 0] + 1),
            objectives={"macs": lambda X: X[:, 0] + 1.0},
            budgets={},
            archive=archive,
            config=SearchConfig(evaluations=40, n_initial=4, n_infill=2, method=method),
        )
        assert result.exhausted
        assert result.n_evaluations == 9
        assert all(report.surrogate is None and report.tau is None for report in result.reports)


@pytest.mark.parametrize("method", BASELINES)
def test_baselines_take_part_in_searches_of_the_error_alone(method):
    with Archive.open(None) as archive:
        assert search(archive, method=method, objectives={}).n_evaluations == 24


def test_baselines_that_select_find_better_networks_than_chance():
    best = {}
    for method in BASELINES:
        found = []
        for seed in range(3):
            with Archive.open(None) as archive:
                search(archive, method=method, objectives={}, evaluations=120, n_initial=20, seed=seed)
                found.append(archive.F.min())
        best[method] = np.mean(found)
    assert min(best, key=best.get) != "random"
    assert max(best, key=best.get) == "random"


def test_a_method_that_fails_at_first_starts_from_chance():
    calls = iter(range(99))

    def evaluate(X):
        for x in X:
            yield Failure("no disk") if next(calls) < 12 else float(PROBLEM.error(x[None])[0])

    for method in METHODS:
        calls = iter(range(99))
        with Archive.open(None) as archive:
            search(archive, evaluate=evaluate, method=method, max_failures=13)
            assert len(archive.failures) == 12
            assert len(archive) == 24


@settings(max_examples=25, deadline=None)
@given(method=st.sampled_from(BASELINES), seed=st.integers(0, 99), n=st.integers(0, 30), k=st.integers(1, 6))
def test_a_proposal_is_new_feasible_distinct_and_a_function_of_rows_and_seed(method, seed, n, k):
    feasible = require_feasible(SPACE, Problem({"macs": PROBLEM.macs}, {"macs": 4e6}, {}))
    config = SearchConfig(n_initial=12, n_infill=k)
    X = feasible.fresh(np.random.default_rng(seed), n, frozenset())
    with Archive.open(None) as archive:
        for i, x in enumerate(X):
            values = (float(PROBLEM.error(x[None])[0]), float(PROBLEM.macs(x[None])[0]))
            archive.add(x, objectives=values, iteration=0, position=i, seed=0, seconds=0.0)
        known = archive.evaluations
    first, again = (METHODS[method](feasible, known, config, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first.X, again.X)
    assert len(first.X) == len(first.predicted) <= k
    assert first.X.shape[1] == len(SPACE.n_choices)
    assert feasible.contains(first.X).all()
    found = {tuple(x) for x in first.X.tolist()}
    assert len(found) == len(first.X)
    assert not found & {row.x for row in known}


@pytest.mark.parametrize("part", ["method", "design", "archive_policy", "inner", "infill"])
def test_an_unknown_part_lists_the_known_ones(part):
    with pytest.raises(UsageError, match=f"unknown {part.replace('_', ' ')} 'magic'; known: .+, .+"):
        require_parts(SearchConfig(**{part: "magic"}))


def test_all_unknown_parts_are_named_at_once():
    with pytest.raises(UsageError, match=r"unknown method 'a'.*unknown surrogate 'b'.*unknown infill 'c'"):
        require_parts(SearchConfig(method="a", surrogate="b", infill="c"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"method": "random"}, "method"),
        ({"infill": "subset"}, "parts"),
        ({"archive_policy": "constant"}, "parts"),
    ],
)
def test_an_archive_of_other_parts_is_refused(change, named):
    with Archive.open(None) as archive:
        search(archive, evaluations=12)
        with pytest.raises(RunError, match=named):
            search(archive, **change)


def test_an_archive_from_before_there_were_parts_is_continued():
    with Archive.open(None) as whole:
        search(whole)
        expected = rows(whole)
    with Archive.open(None) as archive:
        search(archive, evaluations=12)
        archive._connection.execute("DELETE FROM meta WHERE key IN ('method', 'parts')")
        with pytest.raises(RunError, match="method was not recorded, now"):
            search(archive, method="random")
        search(archive)
        assert rows(archive) == expected


def test_pre_screening_counts_its_evaluations_and_needs_room_for_them():
    with pytest.raises(UsageError, match=r"10 times 32.*evaluations are 200; raise"):
        SearchConfig(n_initial=32, pre_screening=10)
    with Archive.open(None) as archive:
        result = search(archive, pre_screening=3, n_initial=6)
        assert [report.n_evaluations for report in result.reports] == [18, 22, 24]

"""How much of earlier fronts a front overtakes, and over which costs it lies."""

import numpy as np
import pytest
from doubles.search_problems import ListSpace, SyntheticProblem
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgewright.search import Archive, Problem, SearchConfig, run_search
from edgewright.search.coverage import N_CELLS, cost_ranges, coverage, covered
from edgewright.search.feasible import require_feasible
from edgewright.search.pareto import front_indices

PROBLEM = SyntheticProblem("mobilenetv3-small-image")


def ranges(space, costs, limits=None):
    return cost_ranges(require_feasible(space, Problem(costs, limits or {}, {})))


def test_covered_is_the_share_that_is_dominated():
    other = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])
    assert covered(np.array([[1.0, 3.0]]), other) == 0.5
    assert covered(np.array([[0.0, 0.0]]), other) == 1.0
    assert covered(np.array([[0.5, 9.0]]), other) == 0.0
    assert covered(other, other) == 0.0  # what a front keeps, it has not overtaken
    assert covered(other[:0], other) == 0.0
    assert covered(other, other[:0]) is None


@given(arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.integers(0, 5)))
@settings(max_examples=100, deadline=None)
def test_a_growing_archive_overtakes_exactly_what_leaves_its_front(F):
    half = len(F) // 2
    before, now = (part[front_indices(part)] for part in (F[:half], F))
    left = {tuple(row) for row in before} - {tuple(row) for row in now}
    assert covered(now, before) == (pytest.approx(len(left) / len(before)) if len(before) else None)


def test_the_range_of_a_space_that_can_be_listed_is_its_networks():
    found = ranges(ListSpace(11), {"ms": lambda X: 2.0 ** (X[:, 0] * 10.0)}, {"ms": 2.0**90})["ms"]
    assert (found.low, found.high) == (1.0, 2.0**90)
    assert int(found.reachable.sum()) == 10  # of 20 parts, networks of 10 within the budget
    assert found.share(np.array([1.0, 2.0**40, 1.1 * 2.0**40])) == pytest.approx(0.2)
    assert found.share(2.0 ** (np.arange(10) * 10.0)) == 1.0


def test_the_range_of_another_space_is_that_of_its_ends():
    space = PROBLEM.space
    ends = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    low, high = PROBLEM.macs(ends)
    found = ranges(space, {"macs": PROBLEM.macs})["macs"]
    assert (found.low, found.high, int(found.reachable.sum())) == (low, high, N_CELLS)
    limit = float(np.sqrt(low * high))
    within = ranges(space, {"macs": PROBLEM.macs}, {"macs": limit})["macs"]
    assert (within.low, within.high) == (low, limit)


def test_costs_outside_the_range_count_for_its_ends():
    found = ranges(ListSpace(4), {"ms": lambda X: 1.0 + X[:, 0]})["ms"]
    assert found.cells(np.array([0.0, 1.0, 4.0, 9.0])).tolist() == [0, 0, N_CELLS - 1, N_CELLS - 1]


@pytest.mark.parametrize(
    ("cost", "n_parts"),
    [
        (lambda X: np.zeros(len(X)), 1),
        (lambda X: np.full(len(X), 3.0), 1),
        (lambda X: X[:, 0] * 1.0, 5),  # the least is 0: parts of the cost itself
    ],
)
def test_constant_costs_and_costs_of_nothing_have_parts(cost, n_parts):
    found = ranges(ListSpace(5), {"ms": cost})["ms"]
    assert int(found.reachable.sum()) == n_parts
    assert found.share(cost(np.arange(5)[:, None])) == 1.0
    assert found.share(np.zeros(0)) == 0.0


def search(archive, **options):
    fields = {
        "evaluate": PROBLEM.error,
        "objectives": {"macs": PROBLEM.macs, "params": PROBLEM.params},
        "config": SearchConfig(evaluations=32, n_initial=12, surrogate="ridge", population=16, generations=3),
    }
    return run_search(PROBLEM.space, budgets={}, archive=archive, **{**fields, **options})


def test_every_iteration_reports_its_coverage():
    with Archive.open(None) as archive:
        reports = search(archive).reports
        rows = archive.succeeded
        stored = archive.reports
    assert reports[0].coverage.previous is None
    assert reports[0].coverage.initial == 0.0
    F, iterations = np.array([r.objectives for r in rows]), np.array([r.iteration for r in rows])
    for report, kept in zip(reports[1:], stored[1:], strict=True):
        before = F[iterations < report.iteration]
        now = F[iterations <= report.iteration]
        before, now = before[front_indices(before)], now[front_indices(now)]
        gone = [row for row in before.tolist() if row not in now.tolist()]
        assert report.coverage.previous == pytest.approx(len(gone) / len(before))
        assert set(report.coverage.costs) == {"macs", "params"}
        assert all(0 < share <= 1 for share in report.coverage.costs.values())
        assert kept["coverage"]["previous"] == report.coverage.previous
        assert kept["coverage"]["costs"] == report.coverage.costs
    assert [r.coverage.initial for r in reports] == sorted(r.coverage.initial for r in reports)


def test_a_search_of_evaluated_objectives_alone_has_no_costs_to_cover():
    with Archive.open(None) as archive:
        reports = search(archive, objectives={}).reports
    assert reports[-1].coverage.costs == {}


def test_where_nothing_succeeds_nothing_is_covered():
    found = coverage((), 0, ranges(ListSpace(3), {"ms": lambda X: 1.0 + X[:, 0]}))
    assert (found.previous, found.initial, found.costs) == (None, None, {"ms": 0.0})


def test_a_search_that_goes_on_reports_the_coverage_of_an_undisturbed_one(tmp_path):
    def told(archive):
        return [report["coverage"] for report in archive.reports]

    with Archive.open(None) as archive:
        search(archive)
        whole = told(archive)
    calls = iter(range(21))

    def stopping(X):
        for x in X:
            next(calls, None)
            if next(calls, None) is None:
                raise KeyboardInterrupt
            yield float(PROBLEM.error(x[None])[0])

    with Archive.open(tmp_path / "a.sqlite") as archive, pytest.raises(KeyboardInterrupt):
        search(archive, evaluate=stopping)
    with Archive.open(tmp_path / "a.sqlite") as archive:
        search(archive)
        assert told(archive) == whole

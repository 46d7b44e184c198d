import numpy as np
import pytest

from edgewright.pipeline.watch import SearchState, TaskWatcher
from edgewright.search import Archive
from edgewright.search.config import IterationReport


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def report(iteration, hypervolume=0.5, **changes):
    values = {
        "n_evaluations": 0,
        "evaluations_left": 0,
        "n_failures": 0,
        "n_front": 1,
        "surrogate": None,
        "fidelity": {},
        **dict.fromkeys(("tau", "spearman", "rmse", "out_of_fold_tau")),
        "search_seconds": 1.0,
        "evaluate_seconds": 1.0,
    }
    return IterationReport(iteration=iteration, hypervolume=hypervolume, **(values | changes))


def rows(n, *, failed=(), iteration=0):
    with Archive.open(None) as archive:
        for i in range(n):
            archive.add(
                (i,),
                objectives=None if i in failed else (0.5 - i / 100, 1.0 + i),
                iteration=iteration,
                position=i,
                seed=0,
                seconds=1.0,
                failure="it raised" if i in failed else None,
            )
        return archive.evaluations


def test_what_is_left_follows_the_rate_of_late_not_of_earlier_calls():
    clock = Clock()
    state = SearchState(("error", "macs"), 100, rows=rows(20), clock=clock)
    assert (state.n_done, state.n_left, state.rate, state.left_s) == (20, 80, None, None)
    for row in rows(4):
        clock.now += 2.0
        state.evaluated(row)
    assert state.rate == pytest.approx(0.5)
    assert state.left_s == pytest.approx(76 / 0.5)
    clock.now += 1.5
    assert state.left_s == pytest.approx(76 / 0.5 - 1.5), "it runs down between evaluations too"
    assert state.elapsed_s == pytest.approx(9.5)
    for _ in range(40):
        clock.now += 1.0
        state.evaluated(rows(1)[0])
    assert state.rate == pytest.approx(1.0), "what was long ago is forgotten"


def test_failures_are_counted_and_have_no_place_in_the_plot():
    state = SearchState(("error", "macs"), 10, rows=rows(5, failed=(1, 3)))
    assert state.n_failures == 2
    F, iterations = state.points()
    np.testing.assert_array_equal(F[:, 1], [1.0, 3.0, 5.0])
    assert iterations == (0, 0, 0)
    assert SearchState(("error", "macs"), 10).points()[0].shape == (0, 2)


def test_an_iteration_that_was_cut_short_is_replaced_by_its_whole_report():
    state = SearchState(("error",), 10, reports=[report(0, 0.1).to_json(), report(1, 0.2).to_json()])
    state.iterated(report(1, 0.3))
    state.iterated(report(2, 0.4, tau=0.7))
    assert state.hypervolumes == (0.1, 0.3, 0.4)
    assert state.last["tau"] == 0.7


def test_a_search_that_is_longer_than_asked_has_nothing_left():
    state = SearchState(("error", "macs"), 3, rows=rows(5))
    assert (state.total, state.n_left) == (5, 0)


def test_a_task_tells_how_many_and_how_good():
    told = []

    class Progress:
        def task(self, description, total=None):
            told.append((description, total))
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            told.append("closed")

        def update(self, done, total=None, note=""):
            told.append((done, note))

    watcher = TaskWatcher(Progress())
    state = SearchState(("error", "macs"), 8, rows=rows(2))
    with watcher.watching(state):
        watcher.iterated(report(0, 0.25, tau=0.5))
        state.evaluated(rows(1)[0])
        watcher.evaluated(state)
    assert told == [
        ("evaluating networks", 8),
        (2, ""),
        (3, "hypervolume 0.250, surrogate tau 0.50"),
        "closed",
    ]

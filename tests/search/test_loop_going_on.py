"""Searches that were stopped, or are given more to do."""

from dataclasses import replace

import numpy as np
import pytest
from doubles.quick_search import PROBLEM, rows, search
from doubles.search_problems import SyntheticProblem

from edgewright.errors import RunError
from edgewright.search import Answer, Archive, SearchConfig, run_search
from edgewright.spaces import CellSpace


class StopError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("stop", [1, 5, 12, 13, 17, 23])
def test_a_search_stopped_after_any_evaluation_goes_on_as_if_it_had_not(stop):
    with Archive.open(None) as whole:
        search(whole)
        expected = rows(whole)

    def stop_after(row):
        if row.id == stop:
            raise StopError

    with Archive.open(None) as archive:
        with pytest.raises(StopError):
            search(archive, on_evaluation=stop_after)
        assert len(archive) == stop
        search(archive)
        assert rows(archive) == expected
        assert len(archive.reports) == 4


def test_a_finished_search_can_be_given_more_evaluations():
    with Archive.open(None) as whole:
        search(whole, config={"evaluations": 30})
        expected = rows(whole)
    with Archive.open(None) as archive:
        search(archive, config={"evaluations": 18})  # ends in the middle of an iteration
        assert len(archive) == 18
        search(archive, config={"evaluations": 30})
        assert rows(archive) == expected


def test_a_finished_search_evaluates_nothing_again():
    with Archive.open(None) as archive:
        first = search(archive)
        again = search(archive, evaluate=lambda X: pytest.fail("evaluated again"))
        assert again.front == first.front
        assert again.reports == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": {"seed": 5}}, "seed was 0, now 5"),
        ({"budgets": {"macs": 5e6}}, "budgets"),
        ({"objectives": {"params": PROBLEM.params}}, "objectives"),
        ({"objectives": {"macs": lambda X: PROBLEM.macs(X) * 1.001}}, "costs"),
        ({"space": SyntheticProblem("mobilenetv3-small-image@16").space}, "space"),
    ],
)
def test_an_archive_of_other_inputs_is_refused(change, named):
    with Archive.open(None) as archive:
        search(archive, config={"evaluations": 12})
        with pytest.raises(RunError, match=named):
            search(archive, **change)


@pytest.mark.parametrize("stop", [1, 5, 13, 17, 23])
def test_answers_in_any_order_are_gone_on_with(stop):
    def evaluate(X):
        for row in np.random.default_rng(len(X)).permutation(len(X)):
            yield Answer(int(row), float(PROBLEM.error(X[row][None])[0]), 0.5)

    with Archive.open(None) as whole, Archive.open(None) as archive:
        search(whole)

        def stop_after(row):
            if len(archive) == stop:
                raise StopError

        with pytest.raises(StopError):
            search(archive, evaluate=evaluate, on_evaluation=stop_after)
        search(archive, evaluate=evaluate)
        assert rows(archive) == rows(whole)


def test_the_usual_search_of_a_space_that_can_be_listed_goes_on_as_if_it_had_not_stopped():
    usual = SearchConfig(evaluations=24)  # a Gaussian process, expected improvement
    space = CellSpace(distinct=True)

    def evaluate(X):
        return (20.0 + 10.0 * np.cos(X @ np.arange(1.0, 7.0)) + X.sum(axis=1)).tolist()

    def stop(row):
        if row.id == 19:
            raise StopError

    def go(archive, config=usual, on_evaluation=None):
        costs = {"cpu": lambda X: (X == 2).sum(axis=1) + 3.0 * (X == 3).sum(axis=1)}
        run_search(
            space,
            evaluate=evaluate,
            objectives=costs,
            budgets={},
            archive=archive,
            config=config,
            on_evaluation=on_evaluation,
        )

    with Archive.open(None) as whole, Archive.open(None) as archive:
        go(whole)
        with pytest.raises(StopError):
            go(archive, on_evaluation=stop)
        with pytest.raises(RunError, match="n_infill was 2, now 4"):
            go(archive, replace(usual, n_infill=4))
        go(archive)
        assert rows(archive) == rows(whole)

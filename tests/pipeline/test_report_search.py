import sqlite3

import numpy as np
import pytest
from doubles.tiny_chain import EVALUATIONS

from edgewright.errors import RunError
from edgewright.pipeline.front import load_front
from edgewright.pipeline.report import gather
from edgewright.pipeline.report_search import (
    course,
    curves,
    failures,
    hypervolumes,
    points,
    read_search,
    traits,
)
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.search import SearchOptions, search_run
from edgewright.report.page import render
from edgewright.search import Archive
from edgewright.search.hypervolume import normalised_hypervolume


@pytest.mark.parametrize("n_obj", [1, 2, 3])
def test_a_curve_is_the_hypervolume_of_every_prefix(n_obj):
    F = np.random.default_rng(n_obj).integers(0, 12, (40, n_obj)) / 12
    ref = np.full(n_obj, 1.01)
    expected = [normalised_hypervolume(F[: i + 1], ref) for i in range(len(F))]
    np.testing.assert_allclose(hypervolumes(F, ref), expected)


def test_traits_leave_out_blocks_that_are_not_built(chain):
    space = chain.space
    found = traits(space.smallest(), space)
    assert found == {
        "resolution": 16.0,
        "blocks": float(len(space.stages) * space.depths[0]),
        "mean kernel": float(space.kernel_sizes[0]),
        "mean expansion": float(space.expands[0]),
    }
    assert traits(space.largest(), space)["mean kernel"] == space.kernel_sizes[-1]


def test_every_infill_has_what_was_predicted_of_it(chain):
    folder = RunFolder.open(chain.run)
    searched = read_search(folder, "default")
    reports = {report["iteration"]: report for report in searched.front.reports}
    found = points(searched, folder)
    for iteration in {point.iteration for point in found} - {0}:
        fresh = [point for point in found if point.iteration == iteration]
        errors = [point.predicted - point.objectives["error"] for point in fresh]
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(reports[iteration]["rmse"])


def test_an_archive_of_before_predictions_were_kept_has_none(own_run):
    path = own_run / "searches" / "default" / "archive.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE iterations SET report = json_remove(report, '$.predicted')")
    folder = RunFolder.open(own_run)
    assert [point.predicted for point in points(read_search(folder, "default"), folder)] == [
        None
    ] * EVALUATIONS


def test_searches_are_compared_where_they_can_be(own_run, chain):
    def search(name, **options):
        search_run(
            own_run,
            SearchOptions(tables=chain.tables, surrogate="ridge", evaluations=4, name=name, **options),
        )

    search("same", budget="cpu=50ms,litert=50ms", seed=3)
    search("other", budget="cpu=50ms")
    (own_run / "searches" / "torn").mkdir()
    (own_run / "searches" / "torn" / "archive.sqlite").write_bytes(b"no database, surely" * 100)
    (own_run / "searches" / "begun").mkdir()
    folder = RunFolder.open(own_run)
    own, same = curves(read_search(folder, "default"), folder)[0]
    assert (own.name, own.own, same.name, same.own) == ("default", True, "same", False)
    assert curves(read_search(folder, "default"), folder)[1] == {
        "other": "other objectives",
        "torn": "its archive cannot be read",
    }
    # Both against the default search's reference point.
    searched = read_search(folder, "default")
    F = np.array([row.objectives for row in searched.succeeded if row.iteration == 0])
    theirs = np.array([row.objectives for row in read_search(folder, "same").rows])
    assert same.hypervolumes[-1] == pytest.approx(normalised_hypervolume(theirs, 1.01 * F.max(axis=0)))
    assert curves(None, folder) == ((), {})


def test_an_attack_has_an_axis_and_searches_under_another_are_not_compared(own_run, chain):
    common = {"tables": chain.tables, "surrogate": "ridge", "evaluations": 4, "budget": "cpu=50ms"}
    for name, epsilon, seed in (("soft", 2 / 255, 0), ("soft-too", 2 / 255, 1), ("hard", 8 / 255, 0)):
        search_run(
            own_run,
            SearchOptions(name=name, epsilon=epsilon, seed=seed, objectives="adversarial-error", **common),
        )
    folder = RunFolder.open(own_run)
    found, left_out = curves(read_search(folder, "soft"), folder)
    assert [curve.name for curve in found] == ["soft", "soft-too"]
    assert left_out == {"default": "other objectives", "hard": "another attack"}
    data = gather(own_run, name="soft")
    # The page opens with the first two axes.
    assert [axis.key for axis in data.objectives] == ["error", "cpu", "adversarial-error"]
    assert all(axis.minimised for axis in data.objectives)
    assert (data.objectives[2].label, data.objectives[2].complement) == ("Accuracy under attack", True)
    assert data.provenance["Search"]["attack"] == "PGD of 5 steps, epsilon 2/255"
    assert "Accuracy under attack" in render(data)


def test_the_course_tells_the_coverage_of_each_iteration(own_run):
    searched = read_search(RunFolder.open(own_run), "default")
    told = course(searched)
    assert told[0].overtaken is None
    assert all(set(point.reached) == set(searched.front.meta["objectives"][1:]) for point in told)
    assert "Costs reached" in render(gather(own_run))
    for report in searched.front.reports:  # as of before there was coverage
        del report["coverage"]
    assert {(point.overtaken, len(point.reached)) for point in course(searched)} == {(None, 0)}


def test_failures_are_told_and_leave_a_gap_in_the_order(own_run):
    folder = RunFolder.open(own_run)
    with Archive.open(own_run / "searches" / "default" / "archive.sqlite") as archive:
        last = archive.evaluations[-1]
        common = {"iteration": last.iteration + 1, "seed": 0, "seconds": 1.0}
        archive.add((9,) * len(last.x), objectives=None, failure="it raised", position=0, **common)
    (failed,) = failures(read_search(folder, "default"))
    assert (failed.id, failed.iteration, failed.reason) == (
        str(EVALUATIONS + 1),
        last.iteration + 1,
        "it raised",
    )
    assert len(points(read_search(folder, "default"), folder)) == len(load_front(own_run).members)


def test_a_search_that_is_not_there(own_run):
    folder = RunFolder.open(own_run)
    with pytest.raises(RunError, match="no search 'none'"):
        read_search(folder, "none")
    (own_run / "searches" / "default" / "archive.sqlite").unlink()
    assert read_search(folder, "default") is None

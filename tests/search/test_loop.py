import numpy as np
import pytest
from doubles.quick_search import PROBLEM, SPACE, rows, search
from doubles.search_problems import ListSpace

from edgewright.errors import InfeasibleBudgetError, RunError, UsageError
from edgewright.search import Answer, Archive
from edgewright.search.step import MIN_RANKED


def test_a_search_spends_exactly_its_evaluations_on_distinct_canonical_networks():
    with Archive.open(None) as archive:
        result = search(archive)
        assert len(archive) == result.n_evaluations == 24
        X = archive.X
        assert len(np.unique(X, axis=0)) == 24
        np.testing.assert_array_equal(SPACE.repair(X), X)
        np.testing.assert_allclose(archive.F, np.column_stack([PROBLEM.error(X), PROBLEM.macs(X)]))
        assert [r.iteration for r in result.reports] == [0, 1, 2, 3]


def test_the_front_is_the_archives_own_and_ascends_in_error():
    with Archive.open(None) as archive:
        result = search(archive)
        errors = [row.objectives[0] for row in result.front]
        costs = [row.objectives[1] for row in result.front]
        assert errors == sorted(errors)
        assert costs == sorted(costs, reverse=True)
        assert result.names == ("error", "macs")


def test_hypervolume_never_falls_and_reports_tell_the_surrogates_fidelity():
    with Archive.open(None) as archive:
        result = search(archive, config={"surrogate": "auto"})
        volumes = [r.hypervolume for r in result.reports]
        assert volumes == sorted(volumes)
        assert 0 < volumes[0] <= result.hypervolume == volumes[-1] < 1
        assert result.reports[0].surrogate is None
        assert all(-1 <= r.tau <= 1 and r.rmse >= 0 for r in result.reports[1:])
        assert [r["iteration"] for r in archive.reports] == [0, 1, 2, 3]


def test_reports_tell_how_the_last_networks_were_predicted_over_more_than_an_iteration():
    with Archive.open(None) as archive:
        result = search(archive, config={"evaluations": 52})
        assert result.reports[0].recent is None
        assert [report.recent["n"] for report in result.reports[1:]] == [*range(4, 33, 4), 32, 32]
        last = result.reports[-1].recent
        newest = [row for row in archive.evaluations if row.iteration > 0][-32:]
        predicted = [result.reports[row.iteration].predicted[row.position] for row in newest]
        error = np.array(predicted) - [row.objectives[0] for row in newest]
        assert last["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert archive.reports[-1]["recent"] == last
        assert -1 <= last["tau"] <= 1


def test_only_networks_within_every_budget_are_evaluated():
    budgets = {"macs": 3e6, "cpu": 0.9, "params": 3e5}
    with Archive.open(None) as archive:
        search(
            archive,
            objectives={"macs": PROBLEM.macs, "cpu": PROBLEM.latency},
            constraints={"params": PROBLEM.params},
            budgets=budgets,
        )
        X = archive.X
        assert (PROBLEM.macs(X) <= 3e6).all()
        assert (PROBLEM.latency(X) <= 0.9).all()
        assert (PROBLEM.params(X) <= 3e5).all()
        np.testing.assert_allclose([r.constraints[0] for r in archive.evaluations], PROBLEM.params(X))


def test_a_budget_just_above_the_minimum_still_works():
    smallest = PROBLEM.macs(SPACE.encode(SPACE.smallest())[None])[0]
    with Archive.open(None) as archive:
        result = search(archive, budgets={"macs": smallest * 1.05})
        assert result.n_evaluations == 24
        assert (PROBLEM.macs(archive.X) <= smallest * 1.05).all()


def test_an_infeasible_budget_evaluates_nothing():
    with Archive.open(None) as archive:
        with pytest.raises(InfeasibleBudgetError, match="the least is"):
            search(archive, budgets={"macs": 10.0})
        assert len(archive) == 0


def test_the_same_seed_gives_the_same_archive_and_another_seed_another():
    archives = []
    for seed in (1, 1, 2):
        with Archive.open(None) as archive:
            search(archive, config={"seed": seed, "surrogate": "auto"})
            archives.append([row[1] for row in rows(archive)])
    assert archives[0] == archives[1] != archives[2]


def test_more_evaluations_than_networks_ends_when_all_are_seen():
    space = ListSpace(7)
    with Archive.open(None) as archive:
        result = search(
            archive,
            space=space,
            objectives={"macs": lambda X: X[:, 0] + 1.0},
            evaluate=lambda X: 1.0 / (X[:, 0] + 1),
        )
        assert result.exhausted
        assert result.n_evaluations == 7


def test_a_space_of_one_network_is_searched():
    with Archive.open(None) as archive:
        result = search(
            archive,
            space=ListSpace(1),
            objectives={"macs": lambda X: np.ones(len(X))},
            evaluate=lambda X: [0.5],
        )
        assert result.exhausted
        assert len(result.front) == 1


def test_constant_errors_and_costs_do_no_harm():
    with Archive.open(None) as archive:
        result = search(
            archive,
            evaluate=lambda X: np.full(len(X), 0.5),
            objectives={"macs": lambda X: np.full(len(X), 3.0)},
            config={"surrogate": "auto"},
        )
        assert result.n_evaluations == 24
        assert len(result.front) == 1


def test_an_error_that_nothing_explains_is_searched_without_a_surrogate():
    def evaluate(X):  # drawn for each network alone: what is learned of some says nothing of others
        return [float(np.random.default_rng(x.tolist()).random()) for x in X]

    with Archive.open(None) as archive:
        result = search(archive, evaluate=evaluate, config={"surrogate": "gp", "evaluations": 60})
        enough = [r for r in result.reports if r.n_evaluations - len(r.predicted) >= MIN_RANKED]
        blind = [r for r in enough if r.out_of_fold_tau is not None and r.out_of_fold_tau <= 0.0]
        assert blind, "no iteration in which the process ranked no better than chance"
        for report in result.reports[1:]:
            assert (report.surrogate is None) == (report in blind)
            assert all((p is None) == (report in blind) for p in report.predicted)
        assert len(archive.succeeded) == 60


def test_the_error_alone_may_be_searched():
    with Archive.open(None) as archive:
        result = search(archive, objectives={}, config={"evaluations": 32})
        assert result.names == ("error",)
        assert len(result.front) == 1


def test_three_objectives_are_searched():
    with Archive.open(None) as archive:
        result = search(
            archive, objectives={"macs": PROBLEM.macs, "params": PROBLEM.params, "cpu": PROBLEM.latency}
        )
        assert len(result.names) == 4
        assert result.n_evaluations == 24


def robust_error(X):
    """Return an error that falls with depth, whatever the size."""
    return 0.9 - 0.1 * X[:, 1:4].sum(axis=1) / 6 - 0.2 * X[:, 0] / 2


def both(X):
    for x in X:
        yield {"robust": robust_error(x[None])[0], "error": PROBLEM.error(x[None])[0]}


def test_several_evaluated_objectives_have_a_surrogate_each():
    with Archive.open(None) as archive:
        result = search(archive, evaluate=both, evaluated=("error", "robust"), config={"evaluations": 32})
        assert result.names == ("error", "robust", "macs")
        X = archive.X
        expected = np.column_stack([PROBLEM.error(X), robust_error(X), PROBLEM.macs(X)])
        np.testing.assert_allclose(archive.F, expected)
        for report in result.reports[1:]:
            assert report.fidelity.keys() == {"error", "robust"}
            assert report.fidelity["error"]["tau"] == report.tau
        # The made-up one is linear in its features: a ridge of its own finds it out.
        assert result.reports[-1].fidelity["robust"]["rmse"] < 0.02
        search(archive, evaluate=both, evaluated=("error", "robust"), config={"evaluations": 36})
        with pytest.raises(RunError, match="objectives was"):
            search(archive)


def test_objectives_that_say_the_same_do_no_harm():
    same = {name: PROBLEM.macs for name in ("macs", "again")}
    with Archive.open(None) as archive:
        result = search(archive, objectives=same, budgets=dict.fromkeys(same, 4e6))
        assert result.n_evaluations == 24
        assert (archive.F[:, 1] == archive.F[:, 2]).all()
        assert len(result.front) > 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"budgets": ["macs=3e6"]}, r"budgets are given by name, as a dictionary, got \['macs=3e6'\]"),
        ({"objectives": [PROBLEM.macs]}, "objectives are given by name, as a dictionary, got "),
        ({"objectives": {1: PROBLEM.macs}}, "objectives are named by a text, got 1"),
        ({"evaluated": ("error", 2)}, "what is evaluated is named by a text, got 2"),
        ({"budgets": {"disk": 3.0}}, "'disk' limits nothing"),
        ({"budgets": {"macs": -1.0}}, "above 0"),
        ({"budgets": {"macs": float("nan")}}, "above 0"),
        ({"budgets": {"macs": "3M"}}, "'macs' must be a finite number above 0, got '3M'"),
        ({"objectives": {"macs": lambda X: 1 / 0}}, "cost 'macs' of 32 networks raised ZeroDivisionError"),
        (
            {"objectives": {"macs": lambda X: ["4"] * len(X) + ["x"]}},
            "'macs' .* raised ValueError: could not",
        ),
        ({"objectives": {"macs": 3e6}}, "'macs' .* 'float' object is not callable; expected numbers"),
        ({"space": None}, "NoneType is no search space: there is no name, version"),
        ({"objectives": {"error": PROBLEM.macs}}, "'error' is reserved"),
        ({"evaluated": ("error", "macs")}, "'macs' is reserved for the evaluator"),
        ({"evaluated": ("error", "robust", "error")}, "'error' is evaluated twice"),
        ({"evaluated": ()}, "no objective is evaluated"),
        ({"budgets": {"error": 0.2}}, "'error' limits what only an evaluation tells.*from the front"),
        ({"objectives": {"macs": lambda X: X[:, 0] * np.nan}}, "cost 'macs' of network .* is nan"),
        ({"constraints": {"params": PROBLEM.params}}, "'params' has no budget"),
        ({"constraints": {"macs": PROBLEM.macs}, "budgets": {"macs": 1e7}}, "both objective and constraint"),
        ({"config": {"surrogate": "oracle"}}, "unknown surrogate 'oracle'"),
        ({"config": {"seed": -1}}, "seed must be"),
        ({"config": {"seed": 2**32}}, "seed must be"),
        (
            {"config": {"seed": 1.5, "n_infill": "8"}},
            "n_infill must be a whole number, got '8'; seed must be",
        ),
        ({"config": {"evaluations": 0, "n_infill": 0}}, "evaluations must be at least 1.*n_infill"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(options, named):
    with Archive.open(None) as archive, pytest.raises(UsageError, match=named):
        search(archive, **options)


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64])
def test_numbers_may_be_numpys(kind, tmp_path):
    given = {"config": {"seed": np.int64(3), "evaluations": np.int32(14)}}
    with Archive.open(tmp_path / "archive.sqlite") as archive:
        search(archive, budgets={"macs": kind(3_000_000)}, **given)
        assert len(archive) == 14
    with Archive.open(tmp_path / "archive.sqlite") as archive:
        limit = kind(3_000_000).item()
        search(archive, budgets={"macs": limit}, config={"seed": 3, "evaluations": 14})


def test_the_name_of_one_evaluated_objective_may_stand_alone():
    with Archive.open(None) as archive:
        assert search(archive, evaluated="error", config={"evaluations": 2}).names == ("error", "macs")


def test_an_iteration_is_reported_as_it_ends():
    reports = []
    with Archive.open(None) as archive:
        search(archive, on_iteration=reports.append)
    assert [r.n_evaluations for r in reports] == [12, 16, 20, 24]
    assert [r.evaluations_left for r in reports] == [12, 8, 4, 0]


def test_a_report_keeps_what_was_predicted_of_each_infill():
    reports = []
    with Archive.open(None) as archive:
        search(archive, on_iteration=reports.append)
        fresh = [[row.objectives[0] for row in archive.evaluations if row.iteration == i] for i in range(4)]
        assert [list(r.predicted) for r in reports] == [r["predicted"] for r in archive.reports]
    assert reports[0].predicted == (None,) * 12
    for report, true in zip(reports[1:], fresh[1:], strict=True):
        found = np.sqrt(np.mean((np.array(report.predicted) - true) ** 2))
        np.testing.assert_allclose(found, report.rmse)


def test_answers_in_any_order_make_the_same_archive():
    with Archive.open(None) as archive:
        search(archive)
        expected = rows(archive)

    def evaluate(X):
        for row in np.random.default_rng(len(X)).permutation(len(X)):
            yield Answer(int(row), float(PROBLEM.error(X[row][None])[0]), 0.5, "somebody", 2)

    with Archive.open(None) as archive:
        search(archive, evaluate=evaluate)
        assert rows(archive) == expected
        assert {(r.seconds, r.worker, r.attempts) for r in archive.evaluations} == {(0.5, "somebody", 2)}

from dataclasses import replace

from doubles import report_data

from edgewright.report.data import FrontPoint, ReportData
from edgewright.report.headline import best_finalist, headline, is_feasible


def test_all_budgets_met_is_said_in_the_first_sentence() -> None:
    outcome = headline(report_data.full(60))
    assert outcome.status == "met"
    assert outcome.sentence == "All 4 compiled finalists meet every budget, measured on 2 devices."
    assert outcome.details[0].startswith("Most accurate: ")


def test_the_best_network_is_told_with_what_it_costs() -> None:
    data = report_data.full(60)
    best = replace(data.finalists[0], energy_mj=1.25)
    told = headline(replace(data, finalists=(best,))).details[0].replace("\u00a0", " ")
    assert told.endswith(
        "; a file of 2.35 MB, 11.3 MB of memory at its peak, 4.2 ms to load, 1.25 mJ an inference."
    )
    bare = replace(best, size_bytes=None, memory_bytes=None, load_ms=None, energy_mj=None)
    assert ";" not in headline(replace(data, finalists=(bare,))).details[0]


def test_a_violated_budget_comes_before_anything_good() -> None:
    data = report_data.full(60)
    broken = replace(data.finalists[1], measured_ms=2.8)
    outcome = headline(replace(data, finalists=(data.finalists[0], broken)))
    assert outcome.status == "violated"
    assert outcome.sentence == "Of 2 compiled finalists, 1 exceeds its budget."
    assert "measured 2.8 ms, budget 1.4 ms (100.0 % over)" in outcome.details[0]


def test_every_kind_of_failure_is_counted() -> None:
    rows = report_data.full(60).finalists
    over = replace(rows[0], measured_ms=9.0)
    wrong = replace(rows[1], parity="failed")
    unseen = replace(rows[2], measured_ms=None)
    outcome = headline(ReportData(title="t", finalists=(over, wrong, unseen, rows[3])))
    assert outcome.sentence == (
        "Of 4 compiled finalists, 1 exceeds its budget, 1 fails another check and 1 could not be verified."
    )


def test_a_failed_parity_alone_is_not_called_a_budget() -> None:
    data = report_data.full(60)
    outcome = headline(replace(data, finalists=(replace(data.finalists[0], parity="failed"),)))
    assert (outcome.status, outcome.badge) == ("violated", "Checks failed")


def test_what_could_not_be_verified_is_named_with_its_reason() -> None:
    data = report_data.full(60)
    unseen = replace(
        data.finalists[0], parity="not verified", measured_ms=None, note="no GPU on this machine"
    )
    outcome = headline(replace(data, finalists=(*data.finalists, unseen)))
    assert outcome.status == "not verified"
    assert outcome.sentence == "4 of 5 compiled finalists verified within every budget; 1 could not be."
    assert outcome.details[-1].endswith("is not verified: no GPU on this machine.")


def test_finalists_without_budgets_are_not_said_to_meet_one() -> None:
    data = report_data.full(60)
    outcome = headline(replace(data, finalists=(replace(data.finalists[0], budget_ms=None),)))
    assert outcome.sentence == "The one compiled finalist agrees with torch on 1 device; no budget was set."


def test_each_unfinished_stage_names_the_next_command() -> None:
    data = report_data.full(60)
    searched = headline(replace(data, finalists=()))
    assert (searched.status, "compile" in searched.details[0]) == ("open", True)
    profiled = headline(replace(data, finalists=(), points=()))
    assert (profiled.status, "search" in profiled.details[0]) == ("open", True)
    nothing = headline(ReportData(title="t"))
    assert (nothing.status, "profile" in nothing.details[0]) == ("open", True)


def test_a_search_without_a_feasible_network_is_a_violation() -> None:
    data = report_data.full(60)
    tight = tuple(replace(o, budget=0.0) if o.key == "ort" else o for o in data.objectives)
    outcome = headline(replace(data, finalists=(), objectives=tight))
    assert (outcome.status, outcome.badge) == ("violated", "No feasible network")


def test_an_unknown_budgeted_objective_is_not_feasible() -> None:
    point = FrontPoint(id="a", objectives={"error": 0.1, "ort": float("nan"), "litert": 1.0, "size": 1.0})
    assert not is_feasible(point, report_data.objectives())


def test_best_finalist_must_have_met_everything() -> None:
    rows = report_data.full(60).finalists
    better = replace(rows[0], accuracy_artifact=1.0, parity="failed")
    assert best_finalist((better, rows[2])) == rows[2]
    assert best_finalist(()) is None

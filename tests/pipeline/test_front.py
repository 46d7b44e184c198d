import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edgewright.errors import BudgetError, InfeasibleBudgetError, RunError, UsageError
from edgewright.files import file_digest
from edgewright.pipeline.front import load_front
from edgewright.pipeline.search import SearchSummary


@pytest.fixture
def front(chain):
    return load_front(chain.run)


def test_the_front_is_what_nothing_beats(front):
    best = front.best
    assert best
    for member in front.members:
        beaten = any(
            all(other.costs[n] <= member.costs[n] for n in front.objectives)
            and any(other.costs[n] < member.costs[n] for n in front.objectives)
            for other in front.members
        )
        assert member.on_front is not beaten
    assert [m.accuracy for m in best] == sorted((m.accuracy for m in best), reverse=True)


def test_each_network_tells_what_it_was_evaluated_with(front, chain):
    weights = file_digest(chain.run / "supernet.safetensors")
    for member in front.to_json()["front"]:
        told = member["evaluation"]
        assert told["weights"] == weights
        assert (told["seed"], told["attempts"]) == (0, 1)
        assert told["worker"].startswith("process ")
        assert told["seconds"] > 0
    assert front.to_json()["failures"] == []


def test_what_failed_is_told_with_its_kind_reason_and_cost(own_run, front):
    path = own_run / "searches" / "default" / "archive.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE evaluations SET objectives = NULL, failure = 'no result', failure_kind = 'hung' "
            "WHERE id = 2"
        )
    connection.close()
    found = load_front(own_run)
    assert len(found.members) == len(front.members) - 1
    (failed,) = found.to_json()["failures"]
    assert (failed["id"], failed["kind"], failed["reason"]) == ("2", "hung", "no result")
    assert failed["encoding"] == list(front.find("2").x)
    assert failed["evaluation"] == front.find("2").evaluation
    summary = SearchSummary(path.parent, found, ("cpu",), 0.5, False).text()
    assert summary.startswith(
        f"{len(found.members)} networks evaluated, 1 set aside (1 hung; see `front show --json`), "
    )


def test_a_search_that_saw_all_there_is_says_so(front):
    found = SearchSummary(Path("default"), front, ("cpu",), 0.5, True)
    assert "on the front; it ended early, since no other network within the budgets was found" in found.text()
    assert "ended early" not in replace(found, exhausted=False).text()


def test_a_front_without_a_network_says_so(front):
    text = replace(front, members=()).text()
    assert text.startswith("no network is evaluated yet; run `edgewright search`")


def test_a_member_is_found_by_its_id(front):
    assert front.find("3").id == "3"
    with pytest.raises(RunError, match="front show"):
        front.find("03")


def test_picks_lie_on_the_front_and_under_the_limits(front):
    assert front.pick().accuracy == front.best[0].accuracy
    fastest = front.pick(prefer="latency")
    assert fastest.costs["cpu"] == min(m.costs["cpu"] for m in front.members)
    limit = fastest.costs["cpu"] * 1.0001
    assert front.pick(under=f"cpu={limit}ms").costs["cpu"] <= limit
    assert front.pick(prefer="knee") in front.best


@pytest.mark.parametrize(
    ("under", "prefer", "error"),
    [
        ("cpu=1us", "accuracy", InfeasibleBudgetError),
        ("cpu=1MB", "accuracy", BudgetError),
        ("pi5=1ms", "accuracy", BudgetError),
        ("", "beauty", UsageError),
    ],
)
def test_what_cannot_be_picked(front, under, prefer, error):
    with pytest.raises(error):
        front.pick(under, prefer)


@pytest.mark.parametrize("n", [1, 2, 3, 99])
def test_finalists_are_of_the_front_without_repeats(front, n):
    chosen = front.finalists(n)
    assert len(chosen) == len({member.id for member in chosen}) == min(n, len(front.best))
    assert all(member.on_front for member in chosen)
    assert chosen[0].accuracy == front.best[0].accuracy


def test_a_run_without_a_search_is_answered_with_the_command(trained_only):
    with pytest.raises(RunError, match="edgewright search"):
        load_front(trained_only)

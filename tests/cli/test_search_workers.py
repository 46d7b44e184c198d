"""Evaluations side by side change nothing but the time, however the search ends and goes on."""

import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from contracts.crew_contract import gone
from doubles.archives import rows
from doubles.command import SDK
from doubles.tiny_chain import BUDGET, EVALUATIONS

from edgewright.evaluation import Attention, crew
from edgewright.pipeline.run import RunFolder
from edgewright.search.archive import Archive
from edgewright.supernet import weights


def arguments(chain, run, *more):
    return (
        *("search", "--run", run, "--budget", BUDGET, "--evaluations", "24", "--seed", "3"),
        *("--tables", chain.tables, "--no-verify", *more),
    )


def archive(run):
    return run / "searches" / "default" / "archive.sqlite"


def evaluated(run):
    try:
        with Archive.read(archive(run)) as opened:
            return len(opened)
    except Exception:  # it is being made
        return 0


@pytest.fixture
def group(chain):
    """Start a search as a shell does: in a process group of its own, to which Ctrl-C goes."""
    started = []

    def start(run, *more):
        command = [sys.executable, "-m", "edgewright.cli.main", *map(str, arguments(chain, run, *more))]
        started.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": SDK},
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_search_with_workers_interrupted_and_killed_ends_with_the_archive_of_one_without(
    chain, trained_only, group, edgewright, tmp_path
):
    alone = shutil.copytree(trained_only, tmp_path / "alone")
    assert edgewright(*arguments(chain, alone)).status == 0
    for number, reached in ((signal.SIGINT, 3), (signal.SIGKILL, 18)):
        process = group(trained_only, "--workers", "2")
        deadline = time.monotonic() + 120.0
        while evaluated(trained_only) < reached:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        workers = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
            _, err = process.communicate(timeout=30)
            assert process.returncode == 130
            assert "the same command goes on" in err
            assert "Traceback" not in err
        else:
            process.kill()
            process.communicate()
        assert all(gone(pid) for pid in workers)
        assert reached <= evaluated(trained_only) < 24
    assert edgewright(*arguments(chain, trained_only, "--workers", "2")).status == 0
    assert rows(archive(trained_only)) == rows(archive(alone))
    assert not [p for p in archive(trained_only).parent.iterdir() if "evaluator" in p.name]


def test_by_default_a_worker_that_is_killed_changes_nothing(chain, trained_only, group):
    budget = ("--budget", BUDGET, "--evaluations", EVALUATIONS, "--seed", "0")
    process = group(trained_only, *budget)
    deadline = time.monotonic() + 120.0
    while evaluated(trained_only) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert workers, "no evaluation is in the search's own process"
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    undisturbed = archive(chain.run)
    assert rows(archive(trained_only), tries=False) == rows(undisturbed, tries=False)
    with Archive.read(undisturbed) as opened:
        assert not any("this process" in row.worker for row in opened.evaluations)


@pytest.mark.parametrize("as_json", [False, True], ids=["lines", "json"])
def test_an_evaluation_that_takes_long_is_told_of_on_stderr(chain, own_run, edgewright, monkeypatch, as_json):
    monkeypatch.setattr(crew, "USUAL_ATTENTION", Attention(factor=0.0, floor_s=0.0, first_s=0.0))
    found = edgewright(
        *("search", "--run", own_run, "--budget", BUDGET, "--evaluations", EVALUATIONS + 4, "--no-verify"),
        *("--tables", chain.tables, "--workers", "2", *(["--json"] if as_json else [])),
    )
    assert found.status == 0, found
    told = [line for line in found.err.splitlines() if "has been at one network for 0 s" in line]
    assert 1 <= len(told) <= 4, found
    assert all(line.startswith("process ") and "--time-limit SECONDS" in line for line in told)
    events = [line for line in found.out.splitlines() if '"event": "slow"' in line]
    assert len(events) == (len(told) if as_json else 0)
    assert all('"limit_s": 900.0' in line and '"longest_s": ' in line for line in events)


def test_more_workers_than_an_iteration_has_networks_are_told_of(chain, own_run, edgewright):
    found = edgewright(
        *("search", "--run", own_run, "--budget", BUDGET, "--evaluations", EVALUATIONS + 1, "--no-verify"),
        *("--tables", chain.tables, "--workers", "3"),
    )
    assert found.status == 0, found
    assert "1 of 3 workers will have nothing to do after the first networks" in found.err


def test_a_finished_search_starts_no_worker(chain, own_run, edgewright, monkeypatch):
    before = rows(archive(own_run))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a worker was started"))
    found = edgewright(
        *("search", "--run", own_run, "--budget", BUDGET, "--evaluations", str(len(before))),
        *("--tables", chain.tables, "--no-verify", "--workers", "3"),
    )
    assert found.status == 0, found
    assert "nothing to do" not in found.err
    assert rows(archive(own_run)) == before


def test_workers_and_clusters_that_cannot_be_are_refused(chain, trained_only, edgewright):
    command = arguments(chain, trained_only)
    edgewright(*command, "--workers", "-1").refusal(2, "--workers")
    edgewright(*command, "--time-limit", "-1").refusal(2, "--time-limit")
    edgewright(*command, "--time-limit", "inf").refusal(2, "0 for none", "--time-limit 600")
    edgewright(*command, "--workers", "0", "--time-limit", "9").refusal(2, "leave out --workers or")
    edgewright(*command, "--cluster", "elsewhere").refusal(
        2, "'elsewhere' is no Ray cluster", "--cluster local"
    )
    assert not (trained_only / "searches").exists()


def test_a_supernet_trained_anew_makes_another_search(chain, own_run, edgewright):
    folder = RunFolder.open(own_run)
    supernet = weights.load(folder.weights, folder.space)
    next(supernet.parameters()).data.mul_(1.5)
    weights.save(supernet, folder.weights)
    before = rows(archive(own_run))
    edgewright(
        *("search", "--run", own_run, "--budget", BUDGET, "--evaluations", str(len(before) + 1)),
        *("--tables", chain.tables, "--no-verify", "--workers", "2"),
    ).refusal(2, "weights was", "now", "another --name", told=1)
    assert rows(archive(own_run)) == before

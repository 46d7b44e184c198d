"""Ctrl-C, SIGTERM and kill -9 in each long verb: the same command ends as if nothing had happened."""

import json
import shutil
import signal
import sqlite3

import pytest
from doubles.command import finish, start, stop_when
from doubles.tiny_chain import BUDGET, SPACE, contents

from edgewright.files import file_digest
from edgewright.latency.table import LatencyTable
from edgewright.search.archive import Archive

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is a thing of POSIX")


def interrupted(outcome):
    """Check what Ctrl-C, and SIGTERM like it, promises: one line, status 130."""
    lines = [line for line in outcome.err.splitlines() if line.startswith("edgewright: ")]
    assert outcome.status == 130, outcome
    assert len(lines) == 1
    assert "interrupted" in lines[0]
    assert "the same command goes on" in lines[0]
    assert "Traceback" not in outcome.err


def epochs_done(run):
    try:
        header = json.loads((run / "checkpoint.json").read_text())
    except FileNotFoundError:
        return 0
    assert not header["finished"], "it was stopped too late to tell anything"
    return header["epoch"]


def test_training_stopped_twice_ends_with_the_weights_of_an_undisturbed_run(chain, tmp_path):
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"

    def command(out):
        return (
            *("train", "--space", SPACE, "--data", chain.images, "--out", out, "--epochs", "5"),
            *("--batch-size", "16", "--optimizer", "adamw", "--threads", "1"),
        )

    whole = start(*command(undisturbed))
    interrupted(stop_when(start(*command(disturbed)), lambda: epochs_done(disturbed) >= 1, signal.SIGINT))
    reached = epochs_done(disturbed)
    killed = stop_when(start(*command(disturbed)), lambda: epochs_done(disturbed) >= reached + 2)
    assert killed.status == -signal.SIGKILL
    assert epochs_done(disturbed) >= reached + 2, "what was finished is kept"
    assert finish(start(*command(disturbed))).status == 0
    assert finish(whole).status == 0
    assert file_digest(disturbed / "supernet.safetensors") == file_digest(
        undisturbed / "supernet.safetensors"
    )
    assert sorted(contents(disturbed)) == sorted(contents(undisturbed)), "nothing is left lying about"


def evaluated(archive):
    """Return how many evaluations are committed, as another process sees it."""
    if not archive.is_file():
        return 0
    try:
        with sqlite3.connect(f"{archive.as_uri()}?mode=ro", uri=True, timeout=10.0) as connection:
            return connection.execute("SELECT count(*) FROM evaluations").fetchone()[0]
    except sqlite3.OperationalError:  # the tables are being made
        return 0


def rows(archive):
    """Return every column of every row but wall-clock seconds."""
    with Archive.read(archive) as opened:
        return [
            (r.id, r.x, r.objectives, r.constraints, r.iteration, r.position, r.seed, r.failure)
            for r in opened.evaluations
        ]


def test_a_search_stopped_twice_ends_with_the_archive_of_an_undisturbed_one(chain, trained_only, tmp_path):
    other = shutil.copytree(trained_only, tmp_path / "undisturbed")

    def command(run):
        return (
            *("search", "--run", run, "--budget", BUDGET, "--evaluations", "24"),
            *("--tables", chain.tables, "--seed", "3", "--no-verify"),
        )

    archive, whole = (run / "searches" / "default" / "archive.sqlite" for run in (trained_only, other))
    undisturbed = start(*command(other))
    killed = stop_when(start(*command(trained_only)), lambda: evaluated(archive) >= 4)
    assert killed.status == -signal.SIGKILL
    reached = evaluated(archive)
    assert 4 <= reached < 24
    interrupted(
        stop_when(
            start(*command(trained_only)), lambda: evaluated(archive) >= max(reached + 1, 16), signal.SIGTERM
        )
    )
    assert evaluated(archive) < 24
    assert finish(start(*command(trained_only))).status == 0
    assert finish(undisturbed).status == 0
    assert len(rows(whole)) == 24
    assert rows(archive) == rows(whole)


def segments(journal):
    """Return the finished stretches of a profile."""
    if not journal.is_file():
        return []
    lines = journal.read_text().splitlines(keepends=True)
    records = [json.loads(line) for line in lines if line.endswith("\n")]
    return [record for record in records if record["kind"] == "segment"]


def test_a_profile_stopped_twice_measures_only_what_is_missing(tmp_path):
    table = tmp_path / "table.json"
    journal = tmp_path / ".table.journal"
    command = ("profile", "litert", "--space", f"{SPACE}:4", "--preset", "quick", "--out", table)
    interrupted(stop_when(start(*command), lambda: len(segments(journal)) >= 1, signal.SIGINT))
    assert not table.exists()
    reached = len(segments(journal))
    killed = stop_when(start(*command), lambda: len(segments(journal)) > reached)
    assert killed.status == -signal.SIGKILL
    assert not table.exists()
    before = segments(journal)
    assert finish(start(*command)).status == 0
    found = LatencyTable.load(table)
    n = len(before)
    assert [segment["anchor_ms"] for segment in before] == list(found.anchor.medians_ms[:n]), "none is lost"
    assert {path.name for path in tmp_path.iterdir()} == {"table.json"}, "nothing is left lying about"

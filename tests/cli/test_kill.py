"""Ctrl-C, SIGTERM and kill -9 in each long verb: the same command ends as if nothing had happened."""

import json
import shutil
import signal
import sqlite3
import time

import pytest
from doubles import quick_search
from doubles.command import finish, start, stop_when
from doubles.tiny_chain import BUDGET, SPACE, contents

from edgewright.files import file_digest
from edgewright.latency.model import LatencyModel
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.demo import QUICK
from edgewright.pipeline.train import train_run
from edgewright.pipeline.verify import load_verification
from edgewright.search.archive import Archive
from edgewright.training.config import TrainConfig

# Slow together; .ci/run runs all but the demo's.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is a thing of POSIX"),
]


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
        return quick_search.rows(opened)


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


def lines(journal):
    """Return the whole lines of a journal."""
    if not journal.is_file():
        return []
    return [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def segments(journal):
    """Return the finished stretches of a profile."""
    records = map(json.loads, lines(journal))
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


def tuned_epochs(run):
    """Return how many epochs of the only fine-tuning in a run are saved."""
    headers = list(run.glob("finetuned/*/checkpoint.json"))
    return epochs_done(headers[0].parent) if headers else 0


def compiled(run):
    """Return the digests of a run's compiled files, by their place."""
    files = (path for path in run.glob("artifacts/*/*/model.*") if path.suffix != ".json")
    return {str(path.relative_to(run)): file_digest(path) for path in files}


def manifests(run):
    """Return what is known of each compiled file."""
    return {
        str(path.relative_to(run)): json.loads(path.read_text())
        for path in run.glob("artifacts/*/*/model.json")
    }


def test_a_fine_tuning_compilation_stopped_twice_ends_with_the_file_of_an_undisturbed_one(
    chain, trained_only, tmp_path
):
    other = shutil.copytree(trained_only, tmp_path / "undisturbed")

    def command(run):
        return ("compile", run, "--pick", "largest", "--for", "cpu", "--fine-tune", "12", "--json")

    whole = start(*command(other))
    interrupted(
        stop_when(start(*command(trained_only)), lambda: tuned_epochs(trained_only) >= 2, signal.SIGINT)
    )
    reached = tuned_epochs(trained_only)
    killed = stop_when(start(*command(trained_only)), lambda: tuned_epochs(trained_only) >= reached + 2)
    assert killed.status == -signal.SIGKILL
    assert reached + 2 <= tuned_epochs(trained_only) < 12, "what was finished is kept"
    assert not compiled(trained_only)
    last, undisturbed = finish(start(*command(trained_only))).json(), finish(whole).json()
    assert last["fine_tuned"] == undisturbed["fine_tuned"]
    assert last["parity"] == undisturbed["parity"]
    assert compiled(trained_only) == compiled(other)
    assert manifests(trained_only) == manifests(other)
    assert sorted(contents(trained_only)) == sorted(contents(other)), "nothing is left lying about"


def test_a_verification_stopped_twice_ends_with_the_files_of_an_undisturbed_one(
    chain, edgewright, own_run, tmp_path
):
    """Its times are measured anew, so they differ; its files may not."""
    other = shutil.copytree(own_run, tmp_path / "undisturbed")
    shutil.rmtree(own_run / "artifacts")
    found = load_verification(own_run, "default").rows
    shutil.rmtree(other / "artifacts")
    for row in found:
        same = ("compile", other, "--pick", row.id, "--for", row.device, "--fine-tune", "1")
        assert edgewright(*same).status == 0
    before = (own_run / "searches" / "default" / "verification.json").read_bytes()

    command = ("verify", own_run, "--finalists", "1", "--fine-tune", "1")
    interrupted(stop_when(start(*command), lambda: any(own_run.glob("finetuned/*")), signal.SIGINT))
    killed = stop_when(start(*command), lambda: compiled(own_run))
    assert killed.status == -signal.SIGKILL
    assert compiled(own_run).items() <= compiled(other).items()
    assert (own_run / "searches" / "default" / "verification.json").read_bytes() == before
    assert finish(start(*command)).status == 0
    assert compiled(own_run) == compiled(other)
    rows = load_verification(own_run, "default").rows
    assert [(row.id, row.device, row.parity) for row in rows] == [(r.id, r.device, "passed") for r in found]
    assert manifests(own_run) == manifests(other), "each can be read"


def test_a_transfer_stopped_twice_measures_only_what_is_missing(chain, tmp_path):
    model = tmp_path / "new.json"
    journal = tmp_path / ".new.journal"
    command = (
        *("table", "transfer", "--from", chain.table("litert"), "--device", "cpu", "--space", f"{SPACE}:4"),
        *("--samples", "8", "--validate", "5", "--out", model),
    )
    interrupted(stop_when(start(*command), lambda: len(segments(journal)) >= 1, signal.SIGINT))
    assert not model.exists()
    reached = len(segments(journal))
    killed = stop_when(start(*command), lambda: len(segments(journal)) > reached)
    assert killed.status == -signal.SIGKILL
    assert not model.exists()
    before, seen = lines(journal), []
    last = start(*command)
    while last.poll() is None:
        seen = lines(journal) or seen
        time.sleep(0.005)
    assert finish(last).status == 0
    assert seen[: len(before)] == before, "none is lost"
    made = LatencyModel.load(model)
    assert (len(made.networks), made.created_utc) == (13, json.loads(before[0])["facts"]["created_utc"])
    assert {path.name for path in tmp_path.iterdir()} == {"new.json"}, "nothing is left lying about"


def test_a_demo_stopped_in_each_of_its_stages_keeps_what_was_finished_and_ends_well(tmp_path):
    out = tmp_path / "demo"
    run = out / "run"
    command = ("demo", "--quick", "--out", out, "--json")

    def finished():
        """Return the digests of what no later stage may touch."""
        tables = out.glob("latency_tables/*/*.json")
        return {path: file_digest(path) for path in (*tables, *run.glob("supernet.safetensors"))}

    stages = (
        (lambda: any(segments(path) for path in out.glob("latency_tables/*/.*.journal")), signal.SIGINT),
        (lambda: (run / "checkpoint.json").exists(), signal.SIGKILL),
        (lambda: evaluated(run / "searches" / "default" / "archive.sqlite") >= 1, signal.SIGINT),
        (lambda: compiled(run), signal.SIGKILL),
    )
    for reached, number in stages:
        before = finished()
        stopped = stop_when(start(*command), reached, number, patience_s=600)
        if number == signal.SIGINT:
            interrupted(stopped)
        else:
            assert stopped.status == -number
        assert before.items() <= finished().items()
    before = finished()
    assert len(before) == 3, "two tables and the weights"
    found = finish(start(*command)).json()
    assert finished() == before
    assert {row["parity"] for row in found["verification"]["finalists"]} == {"passed"}
    space, config = QUICK.space, TrainConfig(epochs=QUICK.epochs, batch_size=64)
    undisturbed = train_run(space, "digits", tmp_path / "undisturbed", config)
    assert file_digest(undisturbed.run / "supernet.safetensors") == before[run / "supernet.safetensors"]

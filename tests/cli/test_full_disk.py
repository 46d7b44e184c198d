"""A full disk in each verb that writes: one line, what was saved is intact, the same command goes on."""

import json
import shutil
import subprocess

import pytest
from doubles.tiny_chain import BUDGET, PROFILE, SPACE, contents

from edgewright.errors import StorageError
from edgewright.files import file_digest
from edgewright.pipeline.profile import profile_device
from edgewright.search.archive import Archive

MEGABYTE = 1_000_000


class Disk:
    """A small file system of its own, which can be filled and freed."""

    def __init__(self, path):
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, leave):
        """Leave ``leave`` bytes free."""
        with self._ballast.open("ab") as stream:
            stream.write(bytes(max(0, shutil.disk_usage(self.path).free - leave)))

    def free(self):
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk that can be filled needs the right to mount one ({error})")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)


def test_training_goes_on_to_the_same_weights(edgewright, chain, disk, tmp_path):
    def command(out):
        return (
            *("train", "--space", SPACE, "--data", chain.images, "--out", out, "--epochs", "2"),
            *("--batch-size", "16", "--optimizer", "adamw", "--threads", "1"),
        )

    disk.fill(leave=12 * MEGABYTE)  # the first checkpoint fits, the second beside it does not
    edgewright(*command(disk.path / "run")).refusal(
        2, "no space left", "free some, then run the same command"
    )
    saved = contents(disk.path / "run")
    assert "checkpoint-0001.safetensors" in saved
    edgewright(*command(disk.path / "run")).refusal(2, "no space left", "what was saved before is intact")
    again = contents(disk.path / "run")
    assert again.keys() == saved.keys()
    assert again["checkpoint-0001.safetensors"] == saved["checkpoint-0001.safetensors"]
    assert again["checkpoint.json"] == saved["checkpoint.json"]
    disk.free()
    assert edgewright(*command(disk.path / "run")).status == 0
    assert edgewright(*command(tmp_path / "run")).status == 0
    ends = [file_digest(folder / "run" / "supernet.safetensors") for folder in (disk.path, tmp_path)]
    assert ends[0] == ends[1]


def test_not_even_room_to_begin(edgewright, chain, disk):
    disk.fill(leave=0)
    train = ("train", "--space", SPACE, "--data", chain.images, "--out", disk.path / "run", "--epochs", "1")
    profile = ("profile", "cpu", "--space", SPACE, "--out", disk.path / "table.json")
    demo = ("demo", "--quick", "--out", disk.path / "demo")
    for command in (train, profile, demo):
        edgewright(*command).refusal(2, "space left", "free")


def rows(run):
    with Archive.read(run / "searches" / "default" / "archive.sqlite") as archive:
        return [(r.id, r.x, r.objectives) for r in archive.evaluations]


def test_search_goes_on_to_the_same_archive(edgewright, chain, trained_only, disk):
    run = shutil.copytree(trained_only, disk.path / "run")

    def command(run):
        return (
            *("search", "--run", run, "--budget", BUDGET, "--tables", chain.tables),
            *("--evaluations", "20", "--surrogate", "ridge", "--no-verify"),
        )

    disk.fill(leave=200_000)
    edgewright(*command(run)).refusal(2, "space left", "free some", told=1)
    saved = rows(run)
    assert 0 < len(saved) < 20
    disk.free()
    assert edgewright(*command(run)).status == 0
    assert edgewright(*command(trained_only)).status == 0
    assert rows(run)[: len(saved)] == saved
    assert rows(run) == rows(trained_only)


def test_a_search_whose_workers_find_no_room_for_their_file_begins_nothing(
    edgewright, chain, trained_only, disk
):
    run = shutil.copytree(trained_only, disk.path / "run")
    command = ("search", "--run", run, "--tables", chain.tables, "--evaluations", "4", "--workers", "2")
    disk.fill(leave=200_000)
    edgewright(*command, "--no-verify").refusal(2, "space left", "free some", told=1)
    assert not list((run / "searches").rglob("*.safetensors"))


def segments(journal):
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    return [record["anchor_ms"] for record in records if record["kind"] == "segment"]


def test_profile_goes_on_with_what_it_measured(chain, disk):
    table = disk.path / "table.json"
    disk.fill(leave=10 * MEGABYTE)  # artifacts lie beside the journal while they are measured
    with pytest.raises(StorageError, match=r"no space left .* free some, then run the same command"):
        profile_device("litert", chain.space, out=table, preset=PROFILE)
    assert not table.exists()
    saved = segments(disk.path / ".table.journal")
    disk.free()
    found = profile_device("litert", chain.space, out=table, preset=PROFILE).table
    assert len(saved) >= 1
    assert list(found.anchor.medians_ms[: len(saved)]) == saved
    assert {path.name for path in disk.path.iterdir()} == {"table.json"}


def test_what_is_compiled_measured_and_reported_needs_room_too(edgewright, own_run, disk):
    run = shutil.copytree(own_run, disk.path / "run")
    disk.fill(leave=4096)
    before = contents(run)
    for command in (
        ("compile", run, "--pick", "smallest", "--for", "cpu"),
        ("compile", run, "--pick", "smallest", "--for", "litert", "--precision", "int8"),
        ("report", run),
    ):
        edgewright(*command).refusal(2, "space left", "free")
        assert contents(run) == before
    disk.free()
    assert edgewright("compile", run, "--pick", "smallest", "--for", "cpu").status == 0
    assert edgewright("report", run).status == 0

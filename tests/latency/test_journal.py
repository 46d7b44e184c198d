import json
from pathlib import Path

import pytest

from edgewright.errors import RunError, RuntimeFailureError, StorageError
from edgewright.latency.journal import Journal
from edgewright.latency.workshop import Workshop

IDENTITY = {"space": "s", "seed": 0}


def test_records_are_read_back_in_order(tmp_path):
    with Journal(tmp_path / "a" / "j", IDENTITY, {"before": 1}) as journal:
        assert not journal.resumed
        journal.append({"kind": "x", "n": 1})
        journal.append({"kind": "x", "n": 2}, sync=False)
    with Journal(tmp_path / "a" / "j", IDENTITY, {"before": 2}) as journal:
        assert journal.resumed
        assert journal.facts == {"before": 1}
        assert [record["n"] for record in journal.records] == [1, 2]


@pytest.mark.parametrize("torn", [b'{"kind"', b"\x00\xff", b'{"kind": "x"}'])
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    with Journal(tmp_path / "j", IDENTITY, {}) as journal:
        journal.append({"kind": "x"})
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole + torn)
    with Journal(tmp_path / "j", IDENTITY, {}) as journal:
        assert [record["kind"] for record in journal.records] == ["x"]
        journal.append({"kind": "y"})
    lines = [json.loads(line) for line in (tmp_path / "j").read_text("utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["header", "x", "started", "y"]


def test_a_journal_torn_within_its_header_begins_anew(tmp_path):
    (tmp_path / "j").write_bytes(b'{"kind": "hea')
    with Journal(tmp_path / "j", IDENTITY, {}) as journal:
        assert not journal.resumed


@pytest.mark.parametrize(
    "content", [b"hello\n", b"[1]\n", b'{"kind": "x"}\n', b'{"kind": "header", "schema": 9}\n', b"\xff\n"]
)
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(RunError, match="delete"):
        Journal(tmp_path / "j", IDENTITY, {})
    assert (tmp_path / "j").read_bytes() == content


def test_another_identity_is_refused_with_every_difference(tmp_path):
    Journal(tmp_path / "j", IDENTITY, {}).close()
    with pytest.raises(RunError, match="seed is 0 there, 1 here; space is s there, t here"):
        Journal(tmp_path / "j", {"space": "t", "seed": 1}, {})


def test_a_journal_is_written_by_one_process_at_a_time(tmp_path):
    with Journal(tmp_path / "j", IDENTITY, {}), pytest.raises(RunError, match="another process"):
        Journal(tmp_path / "j", IDENTITY, {})


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StorageError):
        Journal(tmp_path / "file" / "j", IDENTITY, {})


def test_a_workshop_builds_once_and_keeps_within_its_room(tmp_path):
    workshop = Workshop(tmp_path / "w", ".bin", max_bytes=100)
    built = []

    def build(path):
        built.append(path)
        path.write_bytes(bytes(80))

    first = workshop.artifact("a", build)
    assert workshop.artifact("a", build) == first
    workshop.release("a")
    assert first.exists()
    second = workshop.artifact("b", build)
    workshop.release("b")
    assert not second.exists()
    assert len(built) == 2
    again = Workshop(tmp_path / "w", ".bin", max_bytes=100)
    assert again.artifact("a", build) == first
    assert len(built) == 2
    again.close()
    assert not (tmp_path / "w").exists()


def test_whatever_a_build_raises_is_a_reason(tmp_path):
    workshop = Workshop(tmp_path / "w", ".bin")

    def crash(path):
        raise ZeroDivisionError("oops")

    with pytest.raises(RuntimeFailureError, match="cannot be built: oops"):
        workshop.artifact("a", crash)
    with pytest.raises(RuntimeFailureError, match="wrote no file"):
        workshop.artifact("a", lambda path: None)


def test_a_full_disk_is_told_once_and_as_such(tmp_path):
    journal = Journal(tmp_path / "j", IDENTITY, {})
    journal._stream.close()
    journal._stream = Path("/dev/full").open("r+b")  # noqa: SIM115 - the journal closes it
    with journal, pytest.raises(StorageError, match="no space left"):
        journal.append({"kind": "started"})
    assert journal._stream.closed

import errno
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright import files
from edgewright.errors import RunError, StorageError, UsageError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def test_what_is_written_is_read_back_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "value.json"
    files.write_json(path, {"x": [1, 2.5, "é"]})
    assert files.read_json(path, what="value", mend="write it") == {"x": [1, 2.5, "é"]}
    files.write_bytes(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"


def write_half(path, error):
    with files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_stops_a_write_leaves_the_old_file_whole_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_rights_are_those_of_an_ordinary_file(tmp_path):
    files.write_text(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")}
    assert len(modes) == 1


def test_the_temporary_file_keeps_the_suffix_since_exporters_go_by_it(tmp_path):
    with files.atomic_path(tmp_path / "model.onnx") as temporary:
        assert temporary.suffix == ".onnx"
        temporary.write_bytes(b"x")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [float("nan")]}])
def test_numbers_that_json_does_not_know_are_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", value)
    assert not (tmp_path / "a.json").exists()


def test_a_path_below_a_file_is_a_storage_error_in_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        files.write_text(tmp_path / "file" / "a.txt", "x")
    assert "cannot write" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_says_so_and_what_to_do(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fill():
        with files.atomic_path(path) as temporary:
            temporary.write_text("new")
            with Path("/dev/full").open("w") as full:  # every write to it fails with ENOSPC
                full.write("x")

    with pytest.raises(StorageError, match=r"no space left.*run the same command again"):
        fill()
    assert path.read_text() == "old"


def test_quota_counts_as_a_full_disk(tmp_path):
    error = files.storage_error(tmp_path / "a", OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert "no space left" in str(error)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "does not exist"),
        (b"{", "truncated or not JSON"),
        (b"", "truncated or not JSON"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_json_that_cannot_be_read_names_the_file_and_the_mend(tmp_path, content, named):
    path = tmp_path / "table.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=named) as caught:
        files.read_json(path, what="latency table", mend="measure it again", error=RunError)
    assert str(caught.value).startswith(f"latency table {path}")
    assert str(caught.value).endswith("measure it again")


def test_a_folder_in_place_of_a_json_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        files.read_json(tmp_path, what="table", mend="give a file")


@given(json_values)
def test_canonical_json_reads_back_and_does_not_depend_on_the_order_of_keys(value):
    text = files.canonical_json(value)
    assert json.loads(text) == value
    if isinstance(value, dict):
        assert files.digest_of(dict(reversed(value.items()))) == files.digest_of(value)


def test_digests_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.file_digest(tmp_path / "a") == known
    assert files.digest_of([1]) != files.digest_of([2])

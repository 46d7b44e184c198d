import errno
import hashlib
import os
import shutil

import pytest

from edgewright.agent.store import Store
from edgewright.errors import StorageError, UsageError


def named(data, suffix=".tflite"):
    return hashlib.sha256(data).hexdigest() + suffix


def put(store, data):
    return store.put(named(data), data, offset=0, size=len(data))


def test_a_file_arrives_in_chunks_and_is_whole_or_absent(tmp_path):
    store, data = Store(tmp_path / "models"), bytes(range(100))
    name = named(data)
    assert store.missing([name]) == [name]
    assert not store.put(name, data[:60], offset=0, size=100)
    assert store.missing([name]) == [name]
    assert store.put(name, data[60:], offset=60, size=100)
    assert store.missing([name]) == []
    assert store.path(name).read_bytes() == data
    assert [file.name for file in store.folder.iterdir()] == [name]


def test_a_chunk_that_does_not_follow_is_refused_and_the_file_can_begin_anew(tmp_path):
    store, data = Store(tmp_path), bytes(range(100))
    name = named(data)
    store.put(name, data[:60], offset=0, size=100)
    with pytest.raises(UsageError, match="60 bytes so far"):
        store.put(name, data[80:], offset=80, size=100)
    assert put(store, data)


def test_damaged_bytes_are_not_kept(tmp_path):
    store, data = Store(tmp_path), b"model"
    with pytest.raises(UsageError, match="arrived damaged"):
        store.put(named(b"other"), data, offset=0, size=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../.bashrc", "a" * 63, "A" * 64, "a" * 64 + "/x", "a" * 64 + ".", ""])
def test_a_name_that_is_no_digest_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="no name of a stored file"):
        Store(tmp_path).put(name, b"x", offset=0, size=1)


def test_sizes_that_cannot_be_are_refused(tmp_path):
    store = Store(tmp_path)
    for offset, size in ((0, 0), (0, 1), (0, 1 << 40), (3, 4)):
        with pytest.raises(UsageError, match="a stored file has"):
            store.put(named(b"xx"), b"xx", offset=offset, size=size)


def test_what_was_unused_for_longest_makes_room(tmp_path):
    store = Store(tmp_path, max_bytes=250)
    files = [bytes([i]) * 100 for i in range(3)]
    for age, data in zip((300, 200), files, strict=False):
        put(store, data)
        path = store.path(named(data))
        os.utime(path, (path.stat().st_atime - age,) * 2)
    store.missing([named(files[0])])  # asking for it is using it
    put(store, files[2])
    assert store.missing([named(data) for data in files]) == [named(files[1])]


def test_a_full_disk_names_the_folder_and_the_mend(tmp_path, monkeypatch):
    store = Store(tmp_path)
    put(store, b"kept")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=10))
    with pytest.raises(StorageError, match=f"{tmp_path}.*edgewright device clean"):
        put(store, b"x" * 100)


def test_a_disk_that_fills_up_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    store, data = Store(tmp_path), b"x" * 100

    def fail(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="no space left"):
        put(store, data)
    assert list(tmp_path.iterdir()) == []


def test_clean_deletes_everything_and_says_how_much(tmp_path):
    store = Store(tmp_path)
    put(store, b"one")
    put(store, b"three")
    assert store.total_bytes() == 8
    assert store.clean() == (2, 8)
    assert store.clean() == (0, 0)

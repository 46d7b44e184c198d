import multiprocessing

import pytest

from edgewright.errors import RunError, StorageError
from edgewright.pipeline.lock import exclusive


def hold(folder, entered, leave):
    with exclusive(folder):
        entered.set()
        leave.wait(60)


def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path):
    context = multiprocessing.get_context("spawn")
    entered, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, entered, leave))
    other.start()
    assert entered.wait(60)
    with pytest.raises(RunError, match=r"another process works in .*wait for it"), exclusive(tmp_path):
        pass
    other.kill()
    other.join()
    with exclusive(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"), exclusive(tmp_path / "file" / "run"):
        pass

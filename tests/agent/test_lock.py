import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edgewright
from edgewright.agent.lock import Lock
from edgewright.errors import DeviceBusyError

HOLD = """
import os, sys, time
from pathlib import Path
from edgewright.agent.lock import Lock
os.setpgid(0, 0)
lock = Lock(Path(sys.argv[1]))
lock.acquire(sys.argv[2], "other-host", lease_s=float(sys.argv[3]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock of ``tmp_path``."""
    started = []

    def start(owner="theirs", lease_s=60.0):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / "lock"), owner, str(lease_s)],
            env={**os.environ, "PYTHONPATH": str(Path(edgewright.__file__).parents[1])},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_host_is_told_who_holds_it_and_for_how_long(tmp_path, holder):
    process = holder()
    with pytest.raises(DeviceBusyError, match=f"other-host.*process {process.pid}.*(5\\d|60) s more"):
        Lock(tmp_path / "lock").acquire("ours", "here")
    assert process.poll() is None


def test_the_lock_of_a_process_that_died_is_free(tmp_path, holder):
    process = holder()
    process.kill()
    process.wait()
    lock = Lock(tmp_path / "lock")
    lock.acquire("ours", "here")
    assert lock.holder().host == "here"
    lock.release()
    assert not lock.held


def test_the_next_connection_of_the_same_owner_takes_over(tmp_path, holder):
    process = holder("ours")
    Lock(tmp_path / "lock").acquire("ours", "here")
    assert process.wait(5) == -9


def test_a_lease_that_lapsed_is_taken_from_a_holder_that_hangs(tmp_path, holder):
    process = holder(lease_s=0.05)
    time.sleep(0.1)
    Lock(tmp_path / "lock").acquire("ours", "here")
    assert process.wait(5) == -9


def test_a_lease_is_renewed(tmp_path):
    now = [100.0]
    lock = Lock(tmp_path / "lock", clock=lambda: now[0])
    lock.acquire("ours", "here", lease_s=60)
    assert lock.holder().expires == 160
    now[0] = 130.0
    lock.renew(lease_s=60)
    assert lock.holder().expires == 190


@pytest.mark.parametrize("text", ["", "{", '{"owner": 3}', json.dumps({"owner": "x", "expires": "soon"})])
def test_a_lock_file_that_makes_no_sense_locks_nobody_out(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    Lock(tmp_path / "lock").acquire("ours", "here")

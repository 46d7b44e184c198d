"""A runtime that takes its process down: the verb goes on by itself, and its child never outlives it."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from doubles.command import SDK, finish, start
from doubles.tiny_chain import SPACE

from edgewright.cli.guard import MAX_DEATHS, is_guarded
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the guard forks")

CRASHING = Path(__file__).parents[1] / "doubles" / "crashing_command.py"
# The command line, whose work is `{body}`: told `deaths` of children so far, `reached`, and how to die.
SCRIPT = """
import os, signal, sys, time
from edgewright.cli import main

def work(*, args, obj, **options):
    reached, deaths = obj, os.path.getsize({tally!r})
    def die(number=signal.SIGSEGV):
        with open({tally!r}, "a") as stream:
            stream.write(".")
        os.kill(os.getpid(), number)
    {body}
    return 0

main.app = work
main.main()
"""


def launch(body, tally, *arguments, stderr=subprocess.PIPE):
    tally.touch()
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body, tally=str(tally)), *(arguments or ("profile",))],
        env=os.environ | {"PYTHONPATH": SDK},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(holds, *, patience_s=30.0):
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"  # nobody may be there to wait for it


def test_an_operator_that_crashes_the_runtime_is_excluded_and_the_same_start_writes_the_table(tmp_path):
    space = find_space(SPACE, n_classes=4)
    operator = space.all_operators()[5]
    out = tmp_path / "table.json"
    arguments = ["profile", "cpu", "--space", f"{SPACE}:4", "--preset", "quick", "--out", out, "--json"]
    done = subprocess.run(
        [sys.executable, str(CRASHING), operator.key, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": SDK, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = LatencyTable.load(out)
    assert set(table.failures) == {operator}
    assert "took the process down 3 times" in table.failures[operator].reason
    assert set(table.entries) >= set(space.all_operators()) - {operator}
    assert json.loads(done.stdout)["table"] == str(out), "one document, though three processes died"
    deaths = [line for line in done.stderr.splitlines() if line.startswith("edgewright: ")]
    assert len(deaths) == 3
    assert all("died of SIGSEGV" in line and "goes on from its journal" in line for line in deaths)
    assert {path.name for path in tmp_path.iterdir()} == {"table.json"}, "nothing is left lying about"


@pytest.mark.skipif(sys.platform != "linux", reason="children are read from /proc")
def test_a_parent_that_is_killed_takes_its_child_along(tmp_path):
    journal = tmp_path / ".table.journal"
    out = tmp_path / "table.json"
    process = start("profile", "cpu", "--space", f"{SPACE}:4", "--preset", "quick", "--out", out)
    until(lambda: journal.is_file() and journal.stat().st_size, patience_s=120)
    (child,) = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: not is_alive(child))
    finish(process)


@pytest.fixture
def tally(tmp_path):
    """A file that grows by a byte with each death."""
    return tmp_path / "tally"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("group", [False, True], ids=["the command", "its whole group"])
def test_an_interrupt_is_told_once_whoever_hears_it(tally, number, group):
    begun = tally.with_name("begun")
    process = launch(f"open({str(begun)!r}, 'w').close(); time.sleep(60)", tally)
    until(begun.exists)
    (os.killpg if group else os.kill)(process.pid, number)
    found = finish(process)
    assert found.status == 130
    assert found.err.count("edgewright: ") == 1
    assert "interrupted" in found.err
    assert "Traceback" not in found.err


def test_a_crash_while_it_stops_is_an_interrupt_too(tally):
    begun = tally.with_name("begun")
    body = f"open({str(begun)!r}, 'w').close()\n    try: time.sleep(60)\n    finally: die()"
    process = launch(body, tally)
    until(begun.exists)
    process.terminate()
    found = finish(process)
    assert (found.status, tally.stat().st_size) == (130, 1)
    assert found.err.count("edgewright: ") == 1


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL])
def test_a_crash_is_told_and_the_command_started_again(tally, number):
    found = finish(launch(f"deaths < 2 and die({int(number)}); print('done')", tally))
    assert (found.status, found.out) == (0, "done\n")
    lines = found.err.splitlines()
    assert len(lines) == 2
    assert all(f"died of {number.name}" in line for line in lines)
    assert "death 2 since something was finished" in lines[1]


def test_deaths_without_progress_end_the_command_with_an_error(tally):
    found = finish(launch("reached('operators', 3, 9); die()", tally, "profile", "--json"))
    assert (found.status, tally.stat().st_size) == (2, MAX_DEATHS)
    last = found.err.splitlines()[-1]
    assert f"died of SIGSEGV, and {MAX_DEATHS} times in a row" in last
    assert "edgewright doctor" in last
    assert json.loads(found.out) == {"error": last.removeprefix("edgewright: "), "exit_code": 2}


def test_deaths_with_progress_in_between_do_not(tally):
    n = 2 * MAX_DEATHS
    found = finish(launch(f"reached('operators', deaths // 3, 9); deaths < {n} and die()", tally))
    assert (found.status, tally.stat().st_size) == (0, n)


@pytest.mark.parametrize("status", [2, 3, 4, 139])
def test_an_exit_status_is_passed_on(tally, status):
    found = finish(launch(f"sys.stdout.write('half'); return {status}", tally))
    assert found == (status, "half", "")


def test_a_child_that_is_killed_ends_the_command_alike(tally):
    assert finish(launch("die(signal.SIGKILL)", tally)).status == -signal.SIGKILL
    assert tally.stat().st_size == 1


def test_a_crash_on_the_way_out_is_no_reason_to_start_again(tally):
    found = finish(launch("import atexit; atexit.register(die); print('done')", tally))
    assert found == (0, "done\n", "")
    assert tally.stat().st_size == 1


def test_a_crash_shows_the_cursor_that_a_progress_bar_has_hidden(tally):
    master, slave = pty.openpty()
    process = launch("deaths or die()", tally, stderr=slave)
    os.close(slave)
    assert process.wait() == 0
    assert b"\x1b[?25h" in os.read(master, 10_000)
    process.communicate()
    os.close(master)


def test_other_verbs_crash_as_they_are(tally):
    assert finish(launch("die()", tally, "front", "show")).status == -signal.SIGSEGV
    assert is_guarded(["table", "transfer", "--device", "cpu"])
    assert is_guarded(["table", "energy", "cpu"])
    assert not is_guarded(["table", "show"])

"""The command line as tests use it: in this process, or as one that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import edgewright
from edgewright.cli.main import run

SDK = str(Path(edgewright.__file__).parents[1])
SHELL = """
import contextlib, io, json, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {blocked!r}:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from edgewright.cli.main import run

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(json.loads(line))
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""


class Outcome(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self):
        """Return the result: the only JSON document, or the last line after lines of events."""
        assert self.status == 0, self.err
        return self.events()[-1] if self.out.startswith('{"event"') else json.loads(self.out)

    def events(self):
        """Return what each line of the output says."""
        return [json.loads(line) for line in self.out.splitlines()]

    def refusal(self, status, *parts, told=0):
        """Return the error line, having checked all that an error promises.

        ``told`` is how many lines of progress may stand before it. Each of ``parts`` is in the line:
        what was found, and the mend.
        """
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert self.status == status, self
        assert "Traceback" not in self.err, self.err
        assert len(lines) == told + 1, self.err
        line = lines[-1]
        assert line.startswith("edgewright: "), line
        for part in parts:
            assert str(part) in line, f"{part!r} is not in {line!r}"
        return line


class InProcess:
    """Runs commands in this process; file descriptors are read, so that C++ cannot hide a line."""

    def __init__(self, capfd):
        self._capfd = capfd

    def __call__(self, *arguments):
        self._capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        return Outcome(status, *self._capfd.readouterr())


class ShellWithout:
    """A process that cannot import some packages and runs one command after the other."""

    def __init__(self, *blocked):
        self._process = _start(["-c", SHELL.format(blocked=set(blocked))], stdin=subprocess.PIPE)

    def __call__(self, *arguments):
        print(json.dumps([str(argument) for argument in arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, self._process.stderr.read()
        return Outcome(*json.loads(answer))

    def close(self):
        self._process.communicate()


def start(*arguments, cwd=None, stdout=subprocess.PIPE):
    """Start a command as a process of its own, on one thread."""
    return _start(["-m", "edgewright.cli.main", *map(str, arguments)], cwd=cwd, stdout=stdout)


def _start(arguments, *, cwd=None, stdin=None, stdout=subprocess.PIPE):
    environment = os.environ | {"PYTHONPATH": SDK, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
        text=True,
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=_hear_interrupts,
    )


def _hear_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process):
    """Wait for a command and return what it left behind."""
    out, err = process.communicate()
    return Outcome(process.returncode, out or "", err)


def stop_when(process, reached, number=signal.SIGKILL, *, patience_s=120.0):
    """Send a signal as soon as ``reached()`` holds, and return what the command left behind."""
    deadline = time.monotonic() + patience_s
    while not reached():
        assert process.poll() is None, f"it ended before it could be stopped: {process.communicate()}"
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"never got where it was to be stopped: {process.communicate()}")
        time.sleep(0.005)
    process.send_signal(number)
    return finish(process)

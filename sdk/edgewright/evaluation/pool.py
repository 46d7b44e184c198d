"""Processes of this machine, each with its own interpreter, supernet and data.

Made by hand, since two things decide: an evaluation that hangs must be ended, and one that takes its
process with it must be known, tried again and told from the others. ``concurrent.futures`` and loky end
the whole pool when one process dies, cannot say whose network it was, and cannot end a task that runs;
both pickle what they send. Workers here are fresh interpreters (a fork would inherit torch's threads
half alive) that need no ``if __name__ == "__main__"`` of the caller, and talk in JSON lines over pipes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from edgewright.errors import RunError
from edgewright.evaluation.crew import Crew, Effort, Event, Worker
from edgewright.evaluation.limit import USUAL, Patience
from edgewright.evaluation.reply import Reply
from edgewright.evaluation.spec import EvaluatorSpec

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from edgewright.evaluation.worker import main; main()"
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(slots=True, eq=False, kw_only=True)
class _Process(Worker):
    """A worker process.

    Attributes:
        process: the child.
        words: what it prints, to quote from.
    """

    process: subprocess.Popen[str] = field(repr=False)
    words: IO[bytes] = field(repr=False)


class ProcessPool(Crew[_Process]):
    """An evaluator of ``n_workers`` processes on this machine.

    Args:
        spec: what each of them builds its evaluator from, once.
        n_workers: at most.
        time_limit_s: for one evaluation, as :class:`~edgewright.evaluation.crew.Crew` takes it.
        patience: likewise.
        effort: likewise.

    Raises:
        UsageError: a number below its least value.
    """

    def __init__(
        self,
        spec: EvaluatorSpec,
        n_workers: int,
        *,
        time_limit_s: float | None = None,
        patience: Patience = USUAL,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(n_workers, time_limit_s=time_limit_s, patience=patience, effort=effort)
        self.spec = spec
        self._told = queue.SimpleQueue[Event[_Process]]()

    def _hire(self, slot: int) -> _Process:
        words = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the worker
        threads = str(self.spec.threads)
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(os.getpid()), json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                env={**os.environ, **dict.fromkeys(_THREAD_VARIABLES, threads)},
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            words.close()
            raise RunError(
                f"cannot start worker {slot + 1} of {self.n_workers} ({error.strerror or error}); "
                "give a smaller --workers"
            ) from error
        worker = _Process(slot=slot, name=f"process {slot + 1}", process=process, words=words)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        cores = _cores(slot, self.n_workers, self.spec.threads)
        _send(worker, {"spec": self.spec.to_json(), "cores": cores})
        return worker

    def _listen(self, worker: _Process) -> None:
        """Pass on what a worker says, until it ends."""
        assert worker.process.stdout is not None
        with worker.process.stdout as stream:
            for line in stream:
                self._told.put(Event(worker, json.loads(line)))
        self._told.put(Event(worker, None, _last_words(worker)))

    def _ask(self, worker: _Process, x: list[int]) -> None:
        _send(worker, x)

    def _next(self, timeout_s: float) -> Event[_Process] | None:
        try:
            return self._told.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _end(self, worker: _Process) -> None:
        worker.process.kill()
        worker.process.wait()
        assert worker.process.stdin is not None
        with suppress(BrokenPipeError):  # of what it never read
            worker.process.stdin.close()

    def _start_advice(self) -> str:
        return "look at what else the machine does, or give a smaller --workers"


def _send(worker: _Process, message: Reply | list[int]) -> None:
    assert worker.process.stdin is not None
    with suppress(BrokenPipeError, ValueError):  # it has ended, which its listener tells
        worker.process.stdin.write(json.dumps(message) + "\n")
        worker.process.stdin.flush()


def _last_words(worker: _Process) -> str:
    """Return how a process ended and the last line that it printed."""
    try:
        status = worker.process.wait(timeout=10.0)
    except subprocess.TimeoutExpired:  # it closed its pipe and stayed
        worker.process.kill()
        status = worker.process.wait()
    how = f"status {status}"
    if status < 0:
        try:
            how = f"signal {signal.Signals(-status).name}"
        except ValueError:
            how = f"signal {-status}"
    if status == -9:
        how += ", as a machine does that runs out of memory"
    with worker.words as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - 2000))
        lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return f"{worker.name} ended by {how}" + (f": {last[:150]}" if last else "")


def _cores(slot: int, n_workers: int, threads: int) -> list[int]:
    """Return the cores that a worker stays on; none where it may go where it likes.

    Workers that fill the machine keep apart, so that none of their caches is ever cold. Fewer are not
    pinned: another search on the same machine would pin its own to the same cores.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    if n_workers * threads != len(cores) or n_workers == 1:
        return []
    return cores[slot * threads : (slot + 1) * threads]

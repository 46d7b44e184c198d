"""A worker of the process pool: what runs in the child.

It reads JSON lines on its standard input and answers each with one on its standard output: first the
spec and the cores to run on, answered by ``{}`` when the evaluator is loaded; then one network a line,
answered by a reply (:mod:`edgewright.evaluation.reply`). Whatever the evaluator prints goes to standard
error, which the parent keeps to quote from. It ends with its parent, however that ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from edgewright.errors import SDKError
from edgewright.evaluation.reply import Reply, error_reply, reply_of
from edgewright.evaluation.spec import EvaluatorSpec

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until the parent closes the pipe or ends."""
    # Ctrl-C reaches every process of the terminal; what is to be done about it the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, replies = _private_pipes()
    lines = _watched(commands)
    _end_with(int(sys.argv[1]))
    _go_first_where_memory_ends()
    hello = lines.get()
    _pin(hello["cores"])
    try:
        evaluate = EvaluatorSpec.from_json(hello["spec"]).build()
    except SDKError as error:
        _send(replies, error_reply(error))
        return
    _send(replies, {})
    while True:
        _send(replies, reply_of(evaluate, lines.get()))


def _private_pipes() -> tuple[IO[str], IO[str]]:
    """Return the pipes to the parent; whoever reads or prints from now on meets nothing and stderr."""
    commands = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, replies


def _watched(commands: IO[str]) -> queue.SimpleQueue[Any]:
    """Return the parent's messages; a thread waits for them, and ends this process with the parent."""
    lines = queue.SimpleQueue[Any]()

    def read() -> None:
        for line in commands:
            lines.put(json.loads(line))
        os._exit(0)  # in the middle of an evaluation too: nobody waits for it

    threading.Thread(target=read, daemon=True).start()
    return lines


def _end_with(parent: int) -> None:
    """Have Linux end this process with its parent, should an evaluator keep the watching thread out."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before that
            os._exit(0)


def _go_first_where_memory_ends() -> None:
    """Have Linux end this process, whose network is tried again, before the search itself."""
    with suppress(OSError):  # another system, or one that hides this
        Path("/proc/self/oom_score_adj").write_text("500")


def _pin(cores: list[int]) -> None:
    """Stay on some cores, where the system allows it."""
    if cores and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # a container may forbid it
            os.sched_setaffinity(0, cores)


def _send(replies: IO[str], reply: Reply) -> None:
    try:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    except BrokenPipeError:  # the parent has ended
        os._exit(0)

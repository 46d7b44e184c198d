"""A long verb in a child process, which is started again where a vendor's runtime takes it down.

1. The command forks before it imports anything large, so the child costs milliseconds and works as the
   command itself would: same terminal, same pipes, same arguments.
2. The parent sleeps until the child ends or a signal comes. Ctrl-C and SIGTERM are passed on; the child
   saves and says so, and its exit status becomes the command's.
3. A child that died of a crash is started again and goes on from its journal, which lays the crash at
   somebody's door. Deaths in a row with nothing reached in between end this.
4. The child ends with its parent, however that ended.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress

from edgewright.errors import RuntimeFailureError

# Verbs that run models in this process and go on where they stopped.
VERBS = (("profile",), ("table", "transfer"), ("table", "energy"), ("demo",))
# As many as five things that crash every time, visited in any order, can take before one of them has
# had its three (edgewright.latency.ledger).
MAX_DEATHS = 12
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE")  # not all of them exist everywhere
_PR_SET_PDEATHSIG = 1
_WATCH_S = 1.0


class Reached:
    """How far a child is, in memory that its parent sees too. Called with a task and its amounts."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 6)  # four bytes of progress, whether the work is done, exit status
        self._amounts: dict[str, tuple[float, float | None]] = {}

    def __call__(self, task: str, done: float, total: float | None) -> None:
        """Say how much of a task is done, of how much."""
        self._amounts[task] = (done, total)
        self._page[:4] = zlib.crc32(repr(sorted(self._amounts.items())).encode()).to_bytes(4, "little")

    def mark(self) -> bytes:
        """Return what differs as soon as any amount does."""
        return self._page[:4]

    def end(self, status: int) -> None:
        """Say that the work is done, with an exit status."""
        self._page[4:] = bytes((1, status & 0xFF))

    @property
    def ended(self) -> int | None:
        """The exit status that the work ended with; ``None`` before."""
        done, status = self._page[4:]
        return status if done else None


def is_guarded(arguments: Sequence[str]) -> bool:
    """Return whether a command line is of a verb that is worth it, on a system that can fork."""
    return hasattr(os, "fork") and any(tuple(arguments[: len(verb)]) == verb for verb in VERBS)


def run_guarded(command: Callable[[Reached], int]) -> int:
    """Run ``command`` in a child until it ends by itself, and return its exit status.

    Call it from a process of one thread. It returns with SIGINT and SIGTERM blocked, so that one more
    Ctrl-C cannot disturb the exit; where the child died of a signal that is no crash, so does this process.

    Args:
        command: returns an exit status; told the child's :class:`Reached`, which it calls as it goes on.

    Raises:
        RuntimeFailureError: it crashed :data:`MAX_DEATHS` times in a row without reaching anything.
        KeyboardInterrupt: it crashed when it was to stop.
    """
    # Held back until they are asked for; with a handler, SIGCHLD is held back everywhere.
    heard = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    children = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    reached, deaths, mark = Reached(), 0, b""
    while True:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _end_with(parent)
            signal.signal(signal.SIGCHLD, children or signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            exit_status = command(reached)
            for number in (signal.SIGINT, signal.SIGTERM):
                # Python gives up its handlers on its way out, and the same Ctrl-C may come once more.
                signal.signal(number, signal.SIG_IGN)
            reached.end(exit_status)
            sys.exit(exit_status)
        status, interrupted = _wait(child, heard)
        if status >= 0:
            return status
        if reached.ended is not None:  # a library fell over on its way out: all is written and told
            return reached.ended
        name = _name(-status)
        if name not in _CRASHES:
            return _die_of(-status)
        if interrupted:
            raise KeyboardInterrupt
        deaths, mark = (deaths + 1 if mark == reached.mark() else 1), reached.mark()
        if deaths == MAX_DEATHS:
            raise RuntimeFailureError(
                f"the process that measures died of {name}, and {deaths} times in a row before it had "
                "finished anything; what was finished is saved. The runtime does not seem to work on this "
                "machine: install another version of it (`edgewright doctor` says which is there), then "
                "start the same command again"
            )
        _say(
            f"the process that measures died of {name}, which a model may do to a runtime; it is started "
            f"again and goes on from its journal (death {deaths} since something was finished, "
            f"{MAX_DEATHS} end the command)"
        )


def _wait(child: int, heard: set[signal.Signals]) -> tuple[int, bool]:
    """Sleep until the child has ended; pass on other signals.

    Returns:
        Its exit status, the negative number of the signal that it died of, and whether one was passed on.
    """
    interrupted = False
    while True:
        number = signal.sigwait(heard)
        if number != signal.SIGCHLD:
            interrupted = True
            os.kill(child, number)  # it has not been waited for, so the number is still its own
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), interrupted


def _end_with(parent: int) -> None:
    """Have this process end with its parent: by Linux, or by a thread that looks after it elsewhere."""
    if sys.platform == "linux":
        import ctypes  # takes some milliseconds, which the parent need not spend

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_of(number: int) -> int:
    """End as the child did, so that whoever started the command sees the same."""
    with suppress(OSError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _say(text: str) -> None:
    # A crash in the middle of a progress bar leaves the cursor hidden and the line unfinished.
    shown = "\n\x1b[?25h" if sys.stderr.isatty() else ""
    print(f"{shown}edgewright: {text}", file=sys.stderr, flush=True)

"""A worker as its supervisor sees it: a process with pipes, and why it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from edgewright.agent.protocol import Message, decode, encode

_SEEN_BYTES = 2000  # of what a dead worker printed


class WorkerProcess:
    """A running worker.

    Args:
        archive: the agent's zip, or its folder.
        runtime: name of the backend whose packages it is to find; empty for none.
    """

    def __init__(self, archive: Path, runtime: str) -> None:
        self.runtime = runtime
        self.ended = False
        self._buffer = bytearray()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, "-u", str(archive), "--worker", runtime],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self.answers = self._process.stdout.fileno()

    def send(self, message: Message) -> None:
        """Give it a request; a worker that is gone says so in :meth:`read`."""
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(encode(message))
            self._requests.flush()

    def read(self) -> list[Message]:
        """Return the messages that have arrived; set ``ended`` where the worker is gone."""
        chunk = os.read(self.answers, 1 << 20)
        self.ended = not chunk
        self._buffer += chunk
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        messages = []
        for line in lines:
            with contextlib.suppress(ValueError):  # printed by a library that writes to descriptor 1
                messages.append(decode(line))
        return messages

    def reason(self) -> str:
        """Return why it ended, once it has."""
        status = self._process.wait()
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _SEEN_BYTES))
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1]:.300}" if lines else ""
        if status >= 0:
            return f"the runtime's process ended with exit status {status}{said}"
        number = -status
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "unknown"
        memory = ", for want of memory perhaps" if number == signal.SIGKILL else ""
        return f"the runtime's process died with signal {number} ({name}{memory}){said}"

    def kill(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._process.stdout, self._stderr):
            with contextlib.suppress(OSError, AttributeError):
                stream.close()  # type: ignore[union-attr]

"""One ``ssh`` process: lines in, lines out, and what it says when it cannot.

The user's own OpenSSH decides everything: ssh_config, keys, agents, jump hosts, host keys. Nothing is
asked (``BatchMode``), so that a password prompt cannot hang a night's run, and no check is bypassed.
``EDGEWRIGHT_SSH`` names another command than ``ssh``, with options, as ``GIT_SSH_COMMAND`` does for git.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shlex
import subprocess
import threading
import time
from collections import deque
from typing import IO

from edgewright.agent.protocol import MAX_LINE_BYTES, Message, decode, encode
from edgewright.devices.reach import SshAddress
from edgewright.errors import DeviceUnavailableError, LinkLostError, UsageError

CONNECT_TIMEOUT_S = 15
_OPTIONS = (
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    f"ConnectTimeout={CONNECT_TIMEOUT_S}",
    # A link that is dead without saying so is given up after this many seconds times the count.
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
)
_CLOSE_S = 3.0
_GARBAGE_BYTES = 1 << 16  # that a login may print before the agent speaks


def ssh_command(address: SshAddress, remote: str) -> list[str]:
    """Return the command that runs ``remote`` on a device. Raises ``UsageError``."""
    try:
        program = shlex.split(os.environ.get("EDGEWRIGHT_SSH", "")) or ["ssh"]
    except ValueError as error:
        raise UsageError(
            f"EDGEWRIGHT_SSH cannot be read ({error}); give a command such as 'ssh -F my_config'"
        ) from error
    return [*program, *_OPTIONS, *address.arguments, remote]


def start(address: SshAddress, remote: str) -> subprocess.Popen[bytes]:
    """Start ``ssh``. Raises ``DeviceUnavailableError`` where there is none."""
    command = ssh_command(address, remote)
    try:
        # A session of its own: Ctrl-C is for this process, which then ends the connection in order.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise DeviceUnavailableError(
            f"{command[0]} cannot be run ({error.strerror}); install OpenSSH's client, or name another in "
            "EDGEWRIGHT_SSH"
        ) from error


class Connection:
    """A running ``ssh`` whose far end speaks the agent's protocol.

    Args:
        address: of the device.
        remote: command line for the device's shell.
    """

    def __init__(self, address: SshAddress, remote: str) -> None:
        self.address = address
        self.process = start(address, remote)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._said: deque[str] = deque(maxlen=30)
        self._write = threading.Lock()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stdin: IO[bytes] = self.process.stdin
        readers = [
            threading.Thread(target=self._read_lines, args=(self.process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self.process.stderr,), daemon=True),
        ]
        for reader in readers:
            reader.start()
        self._errors_read = readers[1]

    def send(self, message: Message) -> None:
        """Send a message. Raises ``LinkLostError``."""
        try:
            with self._write:
                self._stdin.write(encode(message))
                self._stdin.flush()
        except (BrokenPipeError, ValueError, OSError) as error:  # ValueError: closed meanwhile
            raise self.lost() from error

    def receive(self, timeout_s: float) -> Message:
        """Return the next message.

        Raises:
            LinkLostError: the connection ended, or nothing came in time.
            DeviceUnavailableError: something came that is no message.
        """
        line = self._line(timeout_s)
        try:
            return decode(line)
        except ValueError as error:
            raise garbage(self.address, line) from error

    def opening(self, magic: str, timeout_s: float) -> Message:
        """Return the first message that has the key ``magic``; what a login prints before it is skipped.

        Raises:
            LinkLostError: the connection ended, or nothing came in time.
            DeviceUnavailableError: too much came that is not it.
        """
        skipped, first, deadline = 0, b"", time.monotonic() + timeout_s
        while True:
            try:
                line = self._line(max(0.0, deadline - time.monotonic()))
            except LinkLostError as error:
                if first and self.status() == 0:
                    raise garbage(self.address, first) from error
                raise
            with contextlib.suppress(ValueError):
                message = decode(line)
                if magic in message:
                    return message
            first, skipped = first or line, skipped + len(line)
            if skipped > _GARBAGE_BYTES:
                raise garbage(self.address, first)

    def status(self) -> int | None:
        """Return the exit status of ``ssh``, which is about to end; ``None`` where it goes on."""
        try:
            return self.process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """Return what ``ssh`` and the device's shell wrote to stderr."""
        return "\n".join(self._said)

    def lost(self) -> DeviceUnavailableError:
        """Return the error to raise for a connection that ended."""
        status = self.status()
        self._errors_read.join(_CLOSE_S)
        return explain(self.address, status, self.said())

    def close(self) -> None:
        """End the connection; the agent sees its stdin end."""
        with contextlib.suppress(OSError, ValueError):
            self._stdin.close()
        if self.status() is None:
            self.kill()

    def kill(self) -> None:
        """End ``ssh`` at once."""
        self.process.kill()
        self.process.wait()

    def _line(self, timeout_s: float) -> bytes:
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            self.kill()
            raise LinkLostError(
                f"{self.address} has not answered for {timeout_s:.0f} s; see whether it is well with: "
                f"ssh {self.address} uptime"
            ) from None
        if line is None:
            self._lines.put(None)  # for whoever asks next
            raise self.lost()
        return line

    def _read_lines(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            while line := stream.readline(MAX_LINE_BYTES):
                self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self._said.append(line.decode("utf-8", "replace").rstrip())


def garbage(address: SshAddress, line: bytes) -> DeviceUnavailableError:
    """Return the error to raise for an answer that is none."""
    return DeviceUnavailableError(
        f"{address} answers what is no message of edgewright's agent: {line[:80]!r}; its login must print "
        f"nothing and run commands: see what comes with: ssh {address} echo hello"
    )


# What ssh says, whether trying again may help, and what to do.
_REASONS: tuple[tuple[str, bool, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        False,
        "its host key is not the one that is known: if the device was set up anew, forget the old key with: "
        "{forget}, then look at the new one with: ssh {address}",
    ),
    (
        "Host key verification failed|host key is known for",
        False,
        "its host key is not known here: compare and accept it once with: ssh {address}",
    ),
    (
        "Permission denied",
        False,
        "it lets no key of yours in: bring one there with: ssh-copy-id {address}",
    ),
    (
        "Could not resolve hostname",
        False,
        "the name is not known: correct reach in the profile, or add the host to ~/.ssh/config",
    ),
    (
        "Bad configuration option|bad configuration options|Bad owner or permissions|Can't open user config",
        False,
        "mend the configuration of ssh that it names",
    ),
    (
        "Connection refused|timed out|No route to host|Network is unreachable|not responding|"
        "Connection reset|Connection closed|Broken pipe|closed by remote host|kex_exchange_identification",
        True,
        "see that it is switched on, in the network and runs sshd: ssh {address} uptime",
    ),
)


def explain(address: SshAddress, status: int | None, said: str) -> DeviceUnavailableError:
    """Return the error for an ``ssh`` that ended with ``status`` after saying ``said``.

    A :class:`~edgewright.errors.LinkLostError` where connecting again may help.
    """
    for pattern, transient, mend in _REASONS:
        if match := re.search(pattern, said):
            line = next(row for row in said.splitlines() if match[0] in row).strip(" @")
            mend = mend.format(address=address, forget=_forget(address, said))
            kind = LinkLostError if transient else DeviceUnavailableError
            return kind(f"{address} cannot be reached ({line:.200}): {mend}")
    lines = [line for line in said.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else f"ssh ended with exit status {status}"
    if status == 127:
        return DeviceUnavailableError(
            f"{address} has no such Python ({last:.200}); install python3 there, or name it by its path as "
            "python in the profile"
        )
    return LinkLostError(
        f"the connection to {address} ended ({last:.200}); see whether it is well with: ssh {address} uptime"
    )


def _forget(address: SshAddress, said: str) -> str:
    """Return the command that ssh itself advises, or one like it."""
    if found := re.search(r"^\s*(ssh-keygen .*-R .*)$", said, re.MULTILINE):
        return found[1].strip()
    host = address.host if address.port in (None, 22) else f"'[{address.host}]:{address.port}'"
    return f"ssh-keygen -R {host}"

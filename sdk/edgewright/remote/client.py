"""Asking the agent on a device: it is put there first, and locked while it measures."""

from __future__ import annotations

import base64
import contextlib
import platform
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from edgewright import errors
from edgewright.agent.protocol import (
    CHUNK_BYTES,
    HUNG_S,
    LEASE_S,
    MAGIC,
    MAX_FILE_BYTES,
    MIN_PYTHON,
    PROTOCOL,
    WORKER_DIED,
    Message,
)
from edgewright.devices.reach import SshAddress
from edgewright.errors import (
    DeviceUnavailableError,
    LinkLostError,
    RuntimeFailureError,
    SDKError,
    StorageError,
    UsageError,
)
from edgewright.files import file_digest
from edgewright.remote.archive import agent_archive
from edgewright.remote.connection import Connection, explain, garbage, start
from edgewright.remote.shell import ABSENT, NOT_STORED, start_agent, store_agent

HELLO_S = 90.0  # ssh's own time-out, and Python's start on a device that is busy
SILENCE_S = 45.0  # a request is answered, or its progress told, every second
_PUSH_S = 120.0
_KEEP_ALIVE_S = LEASE_S / 6

Note = Callable[[str], object]


class WorkerDiedError(RuntimeFailureError):
    """The process that runs the runtime on the device ended; ``note`` is what it did last."""

    def __init__(self, message: str, note: str = "") -> None:
        super().__init__(message)
        self.note = note


class Hello(NamedTuple):
    """What an agent says of itself and its device.

    Attributes:
        python: version of the interpreter.
        implementation: of Python: ``cpython``.
        machine: instruction set, as ``uname`` says.
        bits: of the interpreter, 32 or 64.
        system: operating system.
        libc: name and version of the C library; empty where it is none that Python knows.
        home: folder that everything lies below.
        time: seconds since 1970 by the device's clock.
        runtimes: folder of each runtime that ``device prepare`` installed, by name.
    """

    python: tuple[int, ...]
    implementation: str
    machine: str
    bits: int
    system: str
    libc: tuple[str, str]
    home: str
    time: float
    runtimes: Mapping[str, str]


class Client:
    """A connection to the agent of one device.

    Args:
        address: of the device.
        name: of its profile, for messages.
        python: interpreter there.
        owner: of the lock; a new connection with the same owner takes it over from the old one.
        silence_s: without a sign of life for so long, the link counts as lost.
        hung_s: without progress for so long, the runtime's process is ended.
    """

    def __init__(
        self,
        address: SshAddress,
        *,
        name: str,
        python: str = "python3",
        owner: str | None = None,
        silence_s: float = SILENCE_S,
        hung_s: float = HUNG_S,
    ) -> None:
        self.address, self.name, self.python = address, name, python
        self.owner = owner or uuid.uuid4().hex
        self.silence_s, self.hung_s = silence_s, hung_s
        self._connection: Connection | None = None
        self._number = 0
        self._closing = threading.Event()
        self.hello: Hello | None = None

    def __enter__(self) -> Client:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> Hello:
        """Connect and start the agent, which is put on the device where it is absent.

        Raises:
            LinkLostError: the device cannot be reached now.
            DeviceUnavailableError: it cannot be reached, or no agent can run there.
            StorageError: its disk is full.
        """
        self.close()
        archive = agent_archive()
        pushed = False
        while True:
            connection = Connection(self.address, start_agent(archive.digest, self.python))
            try:
                opening = connection.opening(MAGIC, HELLO_S)
            except DeviceUnavailableError:
                status = connection.status()
                connection.close()
                if status != ABSENT or pushed:
                    raise
            else:
                if opening.get("agent") == archive.digest or pushed:
                    self._take(connection, opening, archive.digest)
                    return self._require_hello()
                self._check_protocol(connection, opening)
                connection.close()
            self._push(archive.data, archive.digest)
            pushed = True

    def request(self, method: str, note: Note | None = None, **params: Any) -> Any:
        """Ask, and return the result.

        Args:
            method: what is asked.
            note: told what the device is doing.
            params: of the method.

        Raises:
            LinkLostError: the connection broke; the agent may or may not have done it.
            WorkerDiedError: the runtime took its process down.
            SDKError: what the agent raised.
        """
        connection = self._connection
        if connection is None:
            raise LinkLostError(f"{self.name} is not connected")
        self._number += 1
        number = self._number
        try:
            connection.send({"id": number, "method": method, "params": params})
            while True:
                message = connection.receive(self.silence_s)
                if message.get("id") == number and ("result" in message or "error" in message):
                    break
                if note is not None and "note" in message:
                    note(str(message["note"]))
        except DeviceUnavailableError:
            self.drop()
            raise
        if "result" in message:
            return message["result"]
        raise self._error(message["error"])

    def lock(self) -> None:
        """Take the device for oneself. Raises ``DeviceBusyError``."""
        host = platform.node() or "a host"
        self.request("lock", owner=self.owner, host=host, lease_s=LEASE_S, hung_s=self.hung_s)

    def put(self, path: Path, note: Note | None = None) -> str:
        """Put a file into the device's store unless it is there; return its name there.

        Raises:
            StorageError: the device's disk is full.
        """
        return self.put_all([path], note)[0]

    def put_all(self, paths: list[Path], note: Note | None = None) -> list[str]:
        """Put files into the device's store, those that are not there; return their names there.

        Raises:
            RuntimeFailureError: a file is not here.
        """
        if absent := [path for path in paths if not path.is_file()]:
            raise RuntimeFailureError(f"{absent[0]} does not exist; compile it with: edgewright compile")
        if not paths:
            return []
        names = [stored_name(path) for path in paths]
        files = dict(zip(names, paths, strict=True))
        for name in self.request("missing", names=list(files))["missing"]:
            if note is not None:
                note(f"sending {files[name].name}")
            self._put(name, files[name])
        return names

    def close(self) -> None:
        """Hang up; the agent ends and lets the device go."""
        self._closing.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def drop(self) -> None:
        """End a connection that is of no use any more."""
        self._closing.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.kill()

    def _put(self, name: str, path: Path) -> None:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UsageError(f"{path} has {size} bytes; at most {MAX_FILE_BYTES} can be sent to a device")
        with path.open("rb") as stream:
            offset = 0
            while offset < size:
                stream.seek(offset)
                data = stream.read(CHUNK_BYTES)
                text = base64.b64encode(data).decode("ascii")
                self.request("put", name=name, data=text, offset=offset, size=size)
                offset += len(data)

    def _take(self, connection: Connection, opening: Message, digest: str) -> None:
        self._check_protocol(connection, opening)
        try:
            self.hello = Hello(
                python=tuple(int(part) for part in opening["python"]),
                implementation=str(opening["implementation"]),
                machine=str(opening["machine"]),
                bits=int(opening["bits"]),
                system=str(opening["system"]),
                libc=(str(opening["libc"][0]), str(opening["libc"][1])),
                home=str(opening["home"]),
                time=float(opening["time"]),
                runtimes={str(k): str(v) for k, v in opening["runtimes"].items()},
            )
            found = str(opening["agent"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            connection.close()
            raise garbage(self.address, str(opening).encode()) from error
        if found != digest:
            connection.close()
            raise DeviceUnavailableError(
                f"the agent on {self.name} is damaged again as soon as it is put there; check its storage, "
                "and that nothing else writes to ~/.cache/edgewright there"
            )
        self._connection = connection
        self._closing = threading.Event()
        threading.Thread(target=self._keep_alive, args=(connection, self._closing), daemon=True).start()

    def _check_protocol(self, connection: Connection, opening: Message) -> None:
        found = opening.get(MAGIC)
        if found == PROTOCOL:
            return
        connection.close()
        if found == 0:
            version = ".".join(map(str, opening.get("python", ())))
            raise DeviceUnavailableError(
                f"{self.name} has Python {version} as {self.python}; the agent needs "
                f"{'.'.join(map(str, MIN_PYTHON))} or newer: install one there and name it as python in the "
                "profile"
            )
        raise DeviceUnavailableError(
            f"the agent on {self.name} speaks protocol {found!r}, this edgewright speaks {PROTOCOL}; remove "
            f"that agent with: ssh {self.address} rm -r .cache/edgewright/agent"
        )

    def _keep_alive(self, connection: Connection, closing: threading.Event) -> None:
        """Be heard while the host is busy with something else, so that the lease does not lapse."""
        while not closing.wait(_KEEP_ALIVE_S):
            try:
                connection.send({"beat": True})
            except DeviceUnavailableError:
                return

    def _push(self, data: bytes, digest: str) -> None:
        """Put the agent on the device."""
        process = start(self.address, store_agent(digest, len(data)))
        try:
            _, stderr = process.communicate(data, timeout=_PUSH_S)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise LinkLostError(
                f"{self.name} did not take the agent's {len(data) / 1e3:.0f} kB within {_PUSH_S:.0f} s; see "
                f"whether it is well with: ssh {self.address} uptime"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                process.kill()
        said = stderr.decode("utf-8", "replace")
        if process.returncode == 0:
            return
        if process.returncode == NOT_STORED:
            last = (said.strip().splitlines() or ["no reason given"])[-1]
            raise StorageError(
                f"{self.name} cannot store the agent in ~/.cache/edgewright/agent ({last:.200}); free some "
                f"space there, or let the user write to it: ssh {self.address} df -h ."
            )
        raise explain(self.address, process.returncode, said)

    def _error(self, data: Any) -> SDKError:
        """Return the error that the agent told."""
        if not isinstance(data, dict):
            return garbage(self.address, str(data).encode())
        kind, text = str(data.get("kind")), f"{self.name}: {data.get('message')}"
        if kind == WORKER_DIED:
            return WorkerDiedError(text, str(data.get("note", "")))
        found = getattr(errors, kind, None)
        if found is errors.MissingExtraError:  # said to a host, where pip would not help the device
            text += f"; install the runtime there with: edgewright device prepare {self.name}"
        if isinstance(found, type) and issubclass(found, SDKError) and found is not errors.MissingEntryError:
            return found(text)
        return RuntimeFailureError(text)

    def _require_hello(self) -> Hello:
        assert self.hello is not None
        return self.hello


def stored_name(path: Path) -> str:
    """Return the name of a file in a device's store: its digest and its suffix."""
    return f"{file_digest(path)}{path.suffix}"


def wait_for(
    attempt: Callable[[], None],
    *,
    patience_s: float,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Call ``attempt`` until it raises no ``LinkLostError``; after ``patience_s`` the last one passes."""
    deadline, pause = time.monotonic() + patience_s, 1.0
    while True:
        try:
            attempt()
        except LinkLostError:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise
            sleep(min(pause, left_s))
            pause = min(2 * pause, 10.0)
        else:
            return

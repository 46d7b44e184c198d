"""The agent on a device: answers its host over stdin and stdout, and keeps a worker that measures.

1. It says hello: protocol, Python, machine, its own digest.
2. It takes requests. What touches a runtime goes to a worker process (:mod:`edgewright.agent.worker`), so
   that a runtime that crashes or hangs takes nothing else down, and signs of life do not depend on it.
3. It ends when its host hangs up or is not heard for the length of a lease, and takes the worker with it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import platform
import selectors
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgewright.agent import places
from edgewright.agent.lock import Lock
from edgewright.agent.process import WorkerProcess
from edgewright.agent.protocol import (
    BEAT_S,
    HUNG_S,
    LEASE_S,
    MAGIC,
    MAX_LINE_BYTES,
    PROTOCOL,
    WORKER_DIED,
    Message,
    decode,
    encode,
)
from edgewright.agent.store import Store, full
from edgewright.errors import SDKError

_MEASURING = ("wait", "outputs", "measure_alone", "measure_turns", "footprint", "energy", "install")
_WORK = ("describe", "probe", "conditions", "sensors", *_MEASURING)
_NEEDS_LOCK = ("put", "clean", *_MEASURING)


class _HostGoneError(Exception):
    """The host hung up, or let its lease lapse."""


class Supervisor:
    """One connection's agent.

    Args:
        requests: descriptor that the host's lines come from.
        answers: descriptor that the answers go to.
        archive: the zip that the agent runs from; the worker is started from it too.
    """

    def __init__(self, requests: int, answers: int, archive: Path) -> None:
        self.requests, self.answers, self.archive = requests, answers, archive
        self.store = Store(places.models())
        self.lock = Lock(places.cache() / "lock")
        self.worker: WorkerProcess | None = None
        self.lease_s, self.hung_s = LEASE_S, HUNG_S
        self._working: int | None = None  # id of the request that the worker has
        self._queue: list[Message] = []
        self._note = ""
        self._heard = self._progress = self._beat = time.monotonic()
        self._buffer = bytearray()
        self._own: dict[str, Callable[[Message], Any]] = {
            "lock": self._lock,
            "unlock": self._unlock,
            "missing": self._missing,
            "put": self._put,
            "clean": self._clean,
            "status": self._status,
        }

    def serve(self) -> None:
        """Answer until the host is gone."""
        self._send({MAGIC: PROTOCOL, **self._hello()})
        try:
            while True:
                self._turn()
        except (_HostGoneError, BrokenPipeError):
            pass
        finally:
            self._end_worker()
            self.lock.release()

    def _turn(self) -> None:
        """Wait for a line, the worker or the next second, and deal with it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.requests, selectors.EVENT_READ)
            if self.worker is not None:
                selector.register(self.worker.answers, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(BEAT_S)]
        if self.requests in ready:
            self._read_requests()
        if self.worker is not None and self.worker.answers in ready:
            self._read_worker(self.worker)
        now = time.monotonic()
        if now - self._heard > self.lease_s:
            raise _HostGoneError
        if self._working is not None and now - self._progress > self.hung_s:
            self._end_worker()
            self._fail(WORKER_DIED, f"the runtime told of no progress for {self.hung_s:.0f} s and was ended")
        if self._working is not None and now - self._beat >= BEAT_S:
            self._beat = now
            self._send({"beat": self._working, "note": self._note})

    def _read_requests(self) -> None:
        chunk = os.read(self.requests, 1 << 20)
        if not chunk:
            raise _HostGoneError
        self._heard = time.monotonic()
        self.lock.renew(lease_s=self.lease_s)
        self._buffer += chunk
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._take(line)
        if len(self._buffer) > MAX_LINE_BYTES:
            raise _HostGoneError

    def _take(self, line: bytes) -> None:
        """Deal with a line of the host's."""
        try:
            message = decode(line)
        except ValueError as error:
            self._answer_error(None, "UsageError", f"a line is no message of protocol {PROTOCOL}: {error}")
            return
        if "beat" in message:
            return
        method, number = message.get("method"), message.get("id")
        if method in _NEEDS_LOCK and not self.lock.held:
            self._answer_error(number, "UsageError", f"{method} needs the lock of the device")
            return
        if method in _WORK:
            self._queue.append(message)
            self._next()
            return
        handler = self._own.get(str(method))
        if handler is None:
            self._answer_error(number, "UsageError", f"unknown method {method!r} in protocol {PROTOCOL}")
            return
        try:
            self._send({"id": number, "result": handler(message.get("params", {}))})
        except SDKError as error:
            self._answer_error(number, type(error).__name__, str(error))
        except OSError as error:
            self._answer_error(number, "StorageError", str(full(places.cache(), error)))
        except (KeyError, TypeError, ValueError) as error:
            self._answer_error(number, "UsageError", f"{method} was asked wrongly: {error!r}")

    # The worker

    def _next(self) -> None:
        """Give the worker its next request, starting it where there is none for that runtime."""
        if self._working is not None or not self._queue:
            return
        message = self._queue.pop(0)
        runtime = str(message.get("params", {}).get("runtime", ""))
        if self.worker is not None and self.worker.runtime != runtime:
            self._end_worker()
        if self.worker is None:
            self.worker = WorkerProcess(self.archive, runtime)
        self._working, self._note = message["id"], "starting"
        self._progress = time.monotonic()
        self.worker.send(message)

    def _read_worker(self, worker: WorkerProcess) -> None:
        for message in worker.read():
            self._progress = time.monotonic()
            if "note" in message:
                self._note = str(message["note"])
                continue
            self._working = None
            self._send(message)
        if worker.ended:
            reason = worker.reason()
            self._end_worker()
            if self._working is not None:
                self._fail(WORKER_DIED, reason)
        self._next()

    def _fail(self, kind: str, message: str) -> None:
        number, self._working = self._working, None
        self._send({"id": number, "error": {"kind": kind, "message": message, "note": self._note}})

    def _end_worker(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            self.worker = None

    # What needs no worker

    def _hello(self) -> Message:
        try:
            digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        except OSError:  # run from a folder, in a test
            digest = ""
        libc, libc_version = platform.libc_ver()
        return {
            "agent": digest,
            "python": list(sys.version_info[:3]),
            "implementation": sys.implementation.name,
            "machine": platform.machine(),
            "bits": 64 if sys.maxsize > 2**32 else 32,
            "system": platform.system(),
            "libc": [libc, libc_version],
            "home": str(Path.home()),
            "time": time.time(),
            "runtimes": _installed(),
        }

    def _lock(self, params: Message) -> Message:
        self.lease_s = float(params.get("lease_s", LEASE_S))
        self.hung_s = float(params.get("hung_s", HUNG_S))
        self.lock.acquire(str(params["owner"]), str(params["host"]), lease_s=self.lease_s)
        return {}

    def _unlock(self, params: Message) -> Message:
        self._end_worker()
        self._working, self._queue = None, []
        self.lock.release()
        return {}

    def _missing(self, params: Message) -> Message:
        return {"missing": self.store.missing([str(name) for name in params["names"]])}

    def _put(self, params: Message) -> Message:
        data = base64.b64decode(params["data"], validate=True)
        whole = self.store.put(
            str(params["name"]), data, offset=int(params["offset"]), size=int(params["size"])
        )
        return {"whole": whole}

    def _clean(self, params: Message) -> Message:
        n, freed = self.store.clean()
        for old in self.archive.parent.glob("*.pyz"):
            if old != self.archive:
                with contextlib.suppress(OSError):
                    old.unlink()
        return {"files": n, "bytes": freed}

    def _status(self, params: Message) -> Message:
        """Say how much room there is and who holds the device."""
        folder = places.cache()
        while not folder.exists():
            folder = folder.parent
        return {
            "free_bytes": shutil.disk_usage(folder).free,
            "store_bytes": self.store.total_bytes(),
            "folder": str(places.cache()),
            "busy": self.lock.busy(),
        }

    def _answer_error(self, number: Any, kind: str, message: str) -> None:
        self._send({"id": number, "error": {"kind": kind, "message": message}})

    def _send(self, message: Message) -> None:
        data = encode(message)
        while data:
            data = data[os.write(self.answers, data) :]


def _installed() -> dict[str, str]:
    """Return the folder of each installed runtime that is in use."""
    found = {}
    folder = places.runtimes()
    if folder.is_dir():
        for link in sorted(folder.iterdir()):
            if link.is_symlink() and link.is_dir():
                found[link.name] = link.resolve().name
    return found

"""One host at a time: a lock that the kernel frees with its holder, and that a silent host loses.

The file is locked by ``flock``, so that neither a crash nor a reboot leaves it locked. It says who
holds it and until when; the time is that of the device's monotonic clock, since a Raspberry Pi has
no other that is right after a boot. The holder renews it whenever its host is heard.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edgewright.agent.protocol import LEASE_S
from edgewright.agent.store import full
from edgewright.errors import DeviceBusyError

_PATIENCE_S = 5.0  # for a killed holder to go
_INSTANT_S = 0.3


class Holder(NamedTuple):
    """Who holds a device.

    Attributes:
        owner: of the claim; the same host's next connection takes it over.
        host: name of the machine.
        pid: of the agent that holds it, which leads a group of its own.
        expires: by the device's monotonic clock, in seconds.
    """

    owner: str
    host: str
    pid: int
    expires: float


class Lock:
    """The lock of a device.

    Args:
        path: the file.
        clock: a monotonic clock in seconds that all processes share.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._fd: int | None = None
        self._holder: Holder | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds it."""
        return self._fd is not None

    def acquire(self, owner: str, host: str, *, lease_s: float = LEASE_S) -> None:
        """Take the lock, if need be from an earlier connection of the owner or after its lease.

        Raises:
            DeviceBusyError: another host holds it.
            StorageError: the file cannot be written.
        """
        if self._fd is None:
            self._fd = self._open()
            started = self._clock()
            while not self._try_lock():
                holder, waited_s = self.holder(), self._clock() - started
                # Someone may hold it for an instant, to see whether it is free.
                patience_s = _PATIENCE_S if self._may_evict(holder, owner) else _INSTANT_S
                if waited_s > patience_s:
                    os.close(self._fd)
                    self._fd = None
                    raise self._busy(holder)
                if self._may_evict(holder, owner):
                    self._evict(holder)
                time.sleep(0.05)
        self._holder = Holder(owner, host, os.getpid(), 0.0)
        self.renew(lease_s=lease_s)

    def busy(self) -> str:
        """Return who holds it and for how long; empty where nobody else does."""
        if self.held or not self.path.exists():
            return ""
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return str(self._busy(self.holder()))
        finally:
            os.close(fd)
        return ""

    def renew(self, *, lease_s: float = LEASE_S) -> None:
        """Hold it for another ``lease_s`` from now."""
        if self._fd is None or self._holder is None:
            return
        self._holder = self._holder._replace(expires=self._clock() + lease_s)
        data = json.dumps(self._holder._asdict()).encode("utf-8")
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, data, 0)
        except OSError as error:  # the disk is full; the lock itself still holds
            if not self.held:
                raise full(self.path.parent, error) from error

    def release(self) -> None:
        """Let go."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
        self._fd = self._holder = None

    def holder(self) -> Holder | None:
        """Return what the file says; ``None`` where it says nothing that makes sense."""
        try:
            data: Any = json.loads(self.path.read_text("utf-8"))
            return Holder(str(data["owner"]), str(data["host"]), int(data["pid"]), float(data["expires"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise full(self.path.parent, error) from error

    def _try_lock(self) -> bool:
        assert self._fd is not None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _may_evict(self, holder: Holder | None, owner: str) -> bool:
        return holder is None or holder.owner == owner or holder.expires < self._clock()

    def _evict(self, holder: Holder | None) -> None:
        if holder is not None and holder.pid > 1 and holder.pid != os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(holder.pid, signal.SIGKILL)

    def _busy(self, holder: Holder | None) -> DeviceBusyError:
        if holder is None:
            return DeviceBusyError("another host is about to measure on the device; try again in a moment")
        seconds = max(0.0, holder.expires - self._clock())
        return DeviceBusyError(
            f"{holder.host} measures on the device (process {holder.pid} there) and holds it for at least "
            f"{seconds:.0f} s more; wait for it, or end it there"
        )

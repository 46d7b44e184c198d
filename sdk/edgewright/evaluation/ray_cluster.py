"""Actors on a Ray cluster: one that runs already, or one that is started on this machine for the search.

Each actor keeps the evaluator, with its supernet and images, until the search ends. Actors that run on
other machines get what they load through Ray's object store, once a machine; nothing else is shared
but the version of edgewright, which is compared. An actor that is lost, with its process or with its
whole machine, is replaced by :class:`~edgewright.evaluation.crew.Crew`, which knows whose network it was;
Ray's own restarts would hide that.

Ray pickles what it sends between its processes. Nothing that it pickles is ever stored.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import edgewright
from edgewright.errors import DeviceUnavailableError, MissingExtraError, RunError, UsageError
from edgewright.evaluation.actor import Actor
from edgewright.evaluation.crew import Crew, Effort, Event, Worker
from edgewright.evaluation.limit import USUAL, Patience
from edgewright.evaluation.spec import EvaluatorSpec

LOCAL = "local"
AUTO = "auto"  # the cluster that this machine is part of

_CONNECT_S = 5.0
_OBJECT_STORE_BYTES = 100 * 2**20  # of a local Ray, whose actors read files; Ray's least is 75 MiB
# For a Ray that is started here: no telemetry; no warning about accelerators that it is not to manage; and
# actors as important as what a process pool runs, where Ray would have them be nice to everybody.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",
}


@dataclass(slots=True, eq=False, kw_only=True)
class _ActorWorker(Worker):
    """A worker that is an actor.

    Attributes:
        handle: Ray's.
    """

    handle: Any


class RayCluster(Crew[_ActorWorker]):
    """An evaluator of actors on a Ray cluster.

    Args:
        spec: what each actor builds its evaluator from, once.
        n_workers: actors at most; None is one for every CPU of the cluster.
        address: ``local`` starts a Ray on this machine and ends it with the search; ``auto``,
            ``HOST:PORT`` or ``ray://HOST:PORT`` joins one.
        time_limit_s: for one evaluation, as :class:`~edgewright.evaluation.crew.Crew` takes it.
        patience: likewise.
        effort: likewise.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: no such address, or a number below its least value.
    """

    on_one_machine = False

    def __init__(
        self,
        spec: EvaluatorSpec,
        n_workers: int | None = None,
        *,
        address: str = LOCAL,
        time_limit_s: float | None = None,
        patience: Patience = USUAL,
        effort: Effort | None = None,
    ) -> None:
        n_first = 1 if n_workers is None else n_workers
        super().__init__(n_first, time_limit_s=time_limit_s, patience=patience, effort=effort)
        require_cluster(address)
        self.spec = spec
        self.address = address
        self._every_cpu = n_workers is None
        self._ray: Any = None
        self._ours = False
        self._folder: Path | None = None
        self._contents: list[Any] = []
        self._pending: dict[Any, _ActorWorker] = {}

    def close(self) -> None:
        """End the actors, and Ray where it was started for them."""
        super().close()
        self._contents.clear()
        self._pending.clear()
        if self._ours:
            self._ray.shutdown()
            self._ours = False
        self._ray = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> None:
        if self._ray is not None:
            return
        if self.address != LOCAL:
            _show_token()
        ray = _import_ray()
        if not ray.is_initialized():  # else the caller has one, and means it
            with _keeping_sigterm(), _importing_alike():
                self._join(ray)
            self._ours = True
        self._ray = ray
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if self._every_cpu:
            self.n_workers = max(1, cpus // self.spec.threads)
        if self.address != LOCAL:
            self._contents = [ray.put(path.read_bytes()) for path in self.spec.files.values()]

    def _join(self, ray: Any) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "edgewright"}
        if self.address == LOCAL:
            # Where Ray's own sockets lie may not be a long path.
            short = "/tmp" if Path("/tmp").is_dir() else None
            self._folder = Path(tempfile.mkdtemp(prefix="edgewright-", dir=short))
            cpus = None if self._every_cpu else self.n_workers * self.spec.threads
            local = {"num_cpus": cpus, "num_gpus": 0, "object_store_memory": _OBJECT_STORE_BYTES}
            quiet |= {"include_dashboard": False, "_temp_dir": str(self._folder), **local}
        else:
            _require_listener(self.address)
        try:
            ray.init(address=self.address, **quiet)
        except ImportError as error:
            raise _missing() from error
        except (ConnectionError, OSError, RuntimeError, TimeoutError) as error:
            raise _unreachable(self.address, _told(error)) from error
        _mute(ray)

    def _hire(self, slot: int) -> _ActorWorker:
        # Without restarts: a network that ended its actor must be known.
        remote = self._ray.remote(Actor).options(num_cpus=self.spec.threads, max_restarts=0)
        worker = _ActorWorker(slot=slot, name=f"actor {slot + 1}", handle=remote.remote())
        self._pending[worker.handle.hello.remote()] = worker
        return worker

    def _ask(self, worker: _ActorWorker, x: list[int]) -> None:
        self._pending[worker.handle.evaluate.remote(x)] = worker

    def _next(self, timeout_s: float) -> Event[_ActorWorker] | None:
        ray = self._ray
        if not self._pending:
            return None
        try:
            done, _ = ray.wait(list(self._pending), num_returns=1, timeout=timeout_s)
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise _unreachable(self.address, _told(error)) from error
        if not done:
            return None
        worker = self._pending.pop(done[0])
        try:
            reply = ray.get(done[0])
        except ray.exceptions.RayError as error:
            text = str(error)
            if "No module named" in text:
                raise _lacks_edgewright(text) from error
            return Event(worker, None, f"{worker.name} ended: {_cause(text)}")
        if "node" in reply:  # hello
            self._compare(worker, reply)
            loading = worker.handle.load.remote(self.spec.to_json(), *self._contents)
            self._pending[loading] = worker
            return None
        return Event(worker, reply)

    def _compare(self, worker: _ActorWorker, hello: dict[str, str]) -> None:
        worker.name = f"{worker.name} on {hello['node']}"
        found, here = hello["edgewright"], edgewright.__version__
        if found != here:
            raise RunError(
                f"edgewright is {found} on {hello['node']} of the cluster and {here} here; install one "
                f"version on both: pip install 'edgewright[cluster]=={here}'"
            )

    def _end(self, worker: _ActorWorker) -> None:
        for ref in [ref for ref, asked in self._pending.items() if asked is worker]:
            del self._pending[ref]
        try:
            self._ray.kill(worker.handle, no_restart=True)
        except Exception:  # of a cluster that is gone; its actors are gone with it
            logging.getLogger(__name__).debug("an actor could not be ended", exc_info=True)

    def _start_advice(self) -> str:
        return (
            f"the cluster {self.address} has no CPU free for {self.n_workers} actors; `ray status` on its "
            "head shows who holds them"
        )


def require_cluster(address: str) -> None:
    """Say at once that a cluster cannot be used.

    Raises:
        UsageError: this cannot be the address of one.
        MissingExtraError: Ray is not installed.
    """
    if address not in (LOCAL, AUTO) and not re.fullmatch(r"(ray://)?[^:/\s]+:\d{1,5}", address):
        raise UsageError(
            f"{address!r} is no Ray cluster; give --cluster local, auto, HOST:6379 or ray://HOST:10001"
        )
    if find_spec("ray") is None:
        raise _missing()


def _import_ray() -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    try:
        import ray
    except ImportError as error:
        raise _missing() from error
    return ray


def _mute(ray: Any) -> None:
    """Keep Ray from printing on standard output, where results stand, what became of an actor.

    There is no public way: ``log_to_driver`` is about what actors print. What became of them we say.
    """
    with suppress(AttributeError):
        ray._private.worker._worker_logs_enabled = False


def _missing() -> MissingExtraError:
    return MissingExtraError(
        "evaluating on a cluster needs Ray, which is not installed: pip install 'edgewright[cluster]'"
    )


def _unreachable(address: str, cause: str) -> DeviceUnavailableError:
    start = "; start it with `ray start --head` there, or give another --cluster"
    if address == LOCAL:
        start = "; look at what else the machine does, or evaluate in processes with --workers"
    if "timeout" in cause or "Failed to connect" in cause:
        start += "; where it asks for a token, set RAY_AUTH_TOKEN to it"
    return DeviceUnavailableError(f"cannot use the Ray cluster {address}: {cause}{start}")


def _require_listener(address: str) -> None:
    """Say at once where nobody listens; Ray itself would try for a minute."""
    if address == AUTO:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, f"nobody answers at {host}, port {port} ({error})") from error


def _show_token() -> None:
    """Have Ray show the token that this user has; a head asks for one where its own user has one.

    Ray looks at this once, when it is imported.
    """
    names = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    if any(name in os.environ for name in names) or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _lacks_edgewright(text: str) -> RunError:
    found = re.search(r"No module named '([\w.]+)'", text)
    module = found.group(1) if found else "edgewright"
    return RunError(
        f"a machine of the cluster cannot import {module}; install edgewright there as here: "
        f"pip install 'edgewright[cluster]=={edgewright.__version__}'"
    )


def _cause(text: str) -> str:
    """Return what matters of the lines in which Ray tells that an actor died, or what it raised."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason is known"]
    if "ray::" in lines[0]:  # a traceback on another machine
        return lines[-1][:150]
    found = re.search(r"(?:due to|because|cause[d by]*:?) ([^\n]+)", text)
    return (found.group(1) if found else lines[0])[:150]


def _told(error: BaseException) -> str:
    """Return the line of an error that says most: the first, or the last of a traceback that follows it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if lines[0].endswith(":") else 0][:200]


@contextmanager
def _importing_alike() -> Iterator[None]:
    """Have processes that are started inside find what this one can import."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def _keeping_sigterm() -> Iterator[None]:
    """Undo that Ray takes SIGTERM for itself, by which a command is stopped and saves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

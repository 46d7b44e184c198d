"""The process that opens artifacts and times them: a local runner that is asked by lines."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from edgewright.agent import places
from edgewright.agent.install import folder_of, install
from edgewright.agent.protocol import Message, decode, encode
from edgewright.agent.store import Store
from edgewright.errors import SDKError, UsageError


class Worker:
    """Answers one request after the other.

    Args:
        runtime: key of the backend registry; empty where no request needs one.
        send: sends a message to the supervisor.
    """

    def __init__(self, runtime: str, send: Callable[[Message], None]) -> None:
        self.runtime = runtime
        self._send = send
        self._store = Store(places.models())
        self._runners: dict[tuple[int, tuple[int, ...]], Any] = {}
        self._methods: dict[str, Callable[[Message], Any]] = {
            "describe": self._describe,
            "probe": self._probe,
            "conditions": self._conditions,
            "wait": self._wait,
            "outputs": self._outputs,
            "measure_alone": self._measure_alone,
            "measure_turns": self._measure_turns,
            "footprint": self._footprint,
            "sensors": self._sensors,
            "energy": self._energy,
            "install": self._install,
        }

    def answer(self, message: Message) -> Message:
        """Return the answer to a request; a request that cannot be met is answered with its error."""
        number, method = message.get("id"), str(message.get("method"))
        try:
            return {"id": number, "result": self._methods[method](message.get("params", {}))}
        except SDKError as error:
            return _error(number, type(error).__name__, str(error))
        except ImportError as error:  # numpy or the runtime is there, but does not load
            return _error(number, "MissingExtraError", f"{method} cannot be done here: {error}")
        except (KeyError, TypeError, ValueError) as error:
            return _error(number, "UsageError", f"{method} was asked wrongly: {error!r}")
        except (OSError, MemoryError) as error:
            return _error(number, "RuntimeFailureError", f"{method} failed on the device: {error!r}")

    def note(self, text: str) -> None:
        """Tell what is being done."""
        self._send({"note": text})

    # Imported in functions below: numpy and the runtimes take seconds to import on a small device.

    def _runner(self, params: Message) -> Any:
        from edgewright.agent.telling import TellingRunner
        from edgewright.backends.registry import runtime

        threads, affinity = int(params["threads"]), _affinity(params)
        if (threads, affinity) not in self._runners:
            self.note(f"loading {self.runtime}")
            self._runners[threads, affinity] = TellingRunner(
                runtime(self.runtime), threads=threads, note=self.note, affinity=affinity
            )
        return self._runners[threads, affinity]

    def _describe(self, params: Message) -> Message:
        from edgewright.devices.affinity import pinned

        runner = self._runner(params)
        with pinned(runner.affinity):  # a device that lacks a processor says so before anything is sent
            pass
        return {"version": runner.version, "settings": dict(runner.settings())}

    def _probe(self, params: Message) -> Message:
        from edgewright.devices.probe import probe

        return probe().to_json()

    def _conditions(self, params: Message) -> Message:
        from edgewright.devices.affinity import pinned
        from edgewright.devices.conditions import read_conditions

        with pinned(_affinity(params)):
            return read_conditions().to_json()

    def _wait(self, params: Message) -> Message:
        runner = self._runner(params)
        self.note("waiting for a steady core")
        return self._timed(runner, runner.wait_until_steady(float(params["max_s"])))

    def _outputs(self, params: Message) -> str:
        """Run an artifact on inputs in an ``.npz`` of names to ``(n, …)``; return the outputs likewise."""
        import numpy as np

        inputs = np.load(io.BytesIO(base64.b64decode(params["inputs"])), allow_pickle=False)
        runner, artifact = self._runner(params), self._path(params["artifact"])
        found = runner.outputs(artifact, {name: inputs[name] for name in inputs.files})
        stream = io.BytesIO()
        np.savez(stream, **found)
        return base64.b64encode(stream.getvalue()).decode("ascii")

    def _measure_alone(self, params: Message) -> Message:
        from edgewright.latency.measure import MeasureConfig

        runner, artifact = self._runner(params), self._path(params["artifact"])
        measurement = runner.time_alone(
            artifact,
            seed=params["seed"],
            config=MeasureConfig(**params["config"]),
            attempts=int(params["attempts"]),
            gauge_ns=params["gauge_ns"],
        )
        return self._timed(runner, measurement.to_json())

    def _measure_turns(self, params: Message) -> Message:
        from edgewright.latency.runner import Refusal

        runner, artifacts = self._runner(params), [self._path(name) for name in params["artifacts"]]
        found = runner.time_in_turns(
            artifacts,
            opening=lambda index: None,
            **params["settings"],
        )
        results = [
            {"refusal": item.reason} if isinstance(item, Refusal) else item.to_json() for item in found
        ]
        return self._timed(runner, results)

    def _footprint(self, params: Message) -> Message:
        runner, artifact = self._runner(params), self._path(params["artifact"])
        self.note("loading it in a fresh process")
        return cast(Message, runner.footprint(artifact).to_json())

    def _sensors(self, params: Message) -> Message:
        return cast(Message, self._runner(params).sensors().to_json())

    def _energy(self, params: Message) -> Message:
        runner, artifact = self._runner(params), self._path(params["artifact"])
        self.note("reading the energy sensors")
        return cast(Message, runner.energy(artifact).to_json())

    def _timed(self, runner: Any, value: Any) -> Message:
        """Return what was timed, with the speed that the device was seen at."""
        return {"timed": value, "gauge_ns": runner.gauge_ns}

    def _install(self, params: Message) -> Message:
        wheels = [self._path(name) for name in params["wheels"]]
        version = install(
            str(params["name"]), str(params["label"]), wheels, archive=Path(sys.argv[0]), note=self.note
        )
        for wheel in wheels:  # unpacked now; artifacts need the room
            wheel.unlink(missing_ok=True)
        return {"version": version}

    def _path(self, name: str) -> Path:
        path = self._store.path(name)
        if not path.is_file():
            raise UsageError(f"{name} is not on the device; it is to be put there first")
        return path


def _affinity(params: Message) -> tuple[int, ...]:
    """Return the processors that a request pins its measuring to."""
    return tuple(int(cpu) for cpu in params.get("affinity", ()))


def work(runtime: str) -> None:
    """Answer requests from stdin until it ends. Only answers reach stdout, whatever a runtime prints."""
    answers = os.dup(1)
    os.dup2(2, 1)

    def send(message: Message) -> None:
        data = encode(message)
        while data:
            data = data[os.write(answers, data) :]

    _use(folder_of(runtime))
    worker = Worker(runtime, send)
    requests = cast(BinaryIO, sys.stdin.buffer)
    while line := requests.readline():
        send(worker.answer(decode(line)))


def tell_version(runtime_name: str, folder: Path) -> None:
    """Print package and version of a runtime that is imported from ``folder``."""
    from edgewright.backends.registry import runtime

    _use(folder)
    import numpy as np

    assert np.ones(3).sum() == 3.0
    print(runtime(runtime_name).version)


def _use(folder: Path | None) -> None:
    """Import packages from ``folder`` rather than from the system, in processes started from here too."""
    if folder is not None:
        sys.path.insert(0, str(folder))
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def _error(number: Any, kind: str, message: str) -> Message:
    return {"id": number, "error": {"kind": kind, "message": message}}

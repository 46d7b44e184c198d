"""A device behind ssh as the profiler sees it: sends artifacts, has them timed, outlives a lost link.

What the agent answers is a result or a refusal. A runtime that takes its process down costs the one
artifact that it was opening; a link that breaks, or a device that reboots, costs the turn that was
under way, which is asked for again once the device is back.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgewright.agent.protocol import OPENING
from edgewright.devices.conditions import Conditions
from edgewright.devices.energy import Metered, SensorNames
from edgewright.devices.probe import Fingerprint
from edgewright.errors import DeviceUnavailableError, LinkLostError, SDKError, TableError
from edgewright.latency.footprint import Footprint
from edgewright.latency.measure import Interleaved, MeasureConfig, Measurement
from edgewright.latency.runner import Refusal
from edgewright.remote.client import Client, Note, WorkerDiedError, stored_name, wait_for

PATIENCE_S = 300.0  # for a device to come back: a Raspberry Pi boots in less than one minute

_T = TypeVar("_T")


def _nothing(text: str) -> None:
    return None


class RemoteRunner:
    """Times artifacts on a device behind ssh.

    Args:
        client: of the device; it is connected, locked, and connected again when need be.
        runtime: key of the backend registry.
        threads: of an inference.
        affinity: processors of the device that measurements are pinned to.
        emulated: whether the device's profile says that it is only emulated.
        patience_s: how long a device may stay away.
        note: told what the device is doing, many times a minute.
        say: told what a user should see, such as a link that broke.
    """

    def __init__(
        self,
        client: Client,
        runtime: str,
        *,
        threads: int = 1,
        affinity: Sequence[int] = (),
        emulated: bool = False,
        patience_s: float = PATIENCE_S,
        note: Note = _nothing,
        say: Note = _nothing,
    ) -> None:
        self.client = client
        self.patience_s = patience_s
        self._name, self._threads, self._emulated, self._note = runtime, threads, emulated, note
        self._say = say
        self._affinity = tuple(affinity)
        self._gauge_ns: float | None = None
        self._open()
        self._described = self._describe()

    @property
    def name(self) -> str:
        """Key of the runtime in the backend registry."""
        return self._name

    @property
    def version(self) -> str:
        """Package and version of the runtime on the device."""
        return str(self._described["version"])

    @property
    def threads(self) -> int:
        """Threads of an inference."""
        return self._threads

    @property
    def affinity(self) -> tuple[int, ...]:
        """Processors of the device that measurements are pinned to."""
        return self._affinity

    @property
    def gauge_ns(self) -> float | None:
        """Speed that the device was last seen at."""
        return self._gauge_ns

    def settings(self) -> Mapping[str, str | int]:
        """Return the runtime's settings that latency depends on."""
        return dict(self._described["settings"])

    def fingerprint(self) -> Fingerprint:
        """Return what the device is; emulated if it shows so itself or its profile says so."""
        found = self._checked("fingerprint", Fingerprint.from_json, self._ask("probe"))
        return replace(found, emulated=found.emulated or self._emulated)

    def conditions(self) -> Conditions:
        """Return how the device is now."""
        return self._checked("conditions", Conditions.from_json, self._ask("conditions"))

    def wait_until_steady(self, max_s: float) -> float:
        """Wait until nobody slows the device's core, at most ``max_s``; return the seconds waited."""
        return self._checked("time", float, self._timed("wait", {}, max_s=max_s))

    def time_in_turns(
        self,
        artifacts: Sequence[Path],
        *,
        seed: Sequence[int],
        rounds: int,
        warm_ms: float,
        samples: int,
        settle: int,
        opening: Callable[[int], None],
        paired: bool = False,
    ) -> list[Interleaved | Refusal]:
        """Time artifacts in turns; see :meth:`edgewright.latency.runner.Runner.time_in_turns`.

        An artifact that takes the runtime's process down is refused with the reason, and the others are
        timed without it. ``opening`` is not called: a crash over there ends nothing here.
        """
        found: dict[int, Interleaved | Refusal] = {}
        while left := [index for index in range(len(artifacts)) if index not in found]:
            settings = {
                "seed": list(seed),
                "rounds": rounds,
                "warm_ms": warm_ms,
                "samples": samples,
                "settle": settle,
                "paired": paired and len(artifacts) - 1 in left,
            }
            try:
                answers = self._turns([artifacts[index] for index in left], **settings)
            except WorkerDiedError as error:
                found |= self._culprits(error, artifacts, left, settings)
            else:
                found |= dict(zip(left, answers, strict=True))
        return [found[index] for index in range(len(artifacts))]

    def time_alone(
        self,
        artifact: Path,
        *,
        seed: Sequence[int],
        config: MeasureConfig,
        attempts: int = 1,
        gauge_ns: float | None = None,
    ) -> Measurement:
        """Time an artifact in a tight loop; see :meth:`edgewright.latency.runner.Runner.time_alone`."""
        answer = self._timed(
            "measure_alone",
            {"artifact": artifact},
            seed=list(seed),
            config=asdict(config),
            attempts=attempts,
            gauge_ns=gauge_ns,
        )
        return self._checked("measurement", Measurement.from_json, answer)

    def outputs(
        self, artifact: Path, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        """Return the outputs of an artifact; see :meth:`edgewright.latency.runner.Runner.outputs`."""
        stream = io.BytesIO()
        np.savez(stream, **inputs)  # type: ignore[arg-type]
        text = base64.b64encode(stream.getvalue()).decode("ascii")
        answer = self._with_files("outputs", {"artifact": artifact}, inputs=text)
        return self._checked("set of outputs", _arrays, answer)

    def footprint(self, artifact: Path) -> Footprint:
        """Return what an artifact costs the device besides time; see ``Runner.footprint``."""
        answer = self._with_files("footprint", {"artifact": artifact})
        return self._checked("footprint", Footprint.from_json, answer)

    def sensors(self) -> SensorNames:
        """Return the names of the device's energy sensors; see ``Runner.sensors``."""
        return self._checked("list of sensors", SensorNames.from_json, self._ask("sensors"))

    def energy(self, artifact: Path) -> Metered:
        """Return the energy of an inference by the device's sensors; see ``Runner.energy``."""
        answer = self._with_files("energy", {"artifact": artifact})
        return self._checked("figure of energy", Metered.from_json, answer)

    def close(self) -> None:
        """Let the device go."""
        self.client.close()

    # Asking, over links that may break

    def _turns(self, artifacts: Sequence[Path], **settings: Any) -> list[Interleaved | Refusal]:
        """Return what the device found of each artifact, all timed together."""
        answer = self._timed("measure_turns", {"artifacts": list(artifacts)}, settings=settings)
        return self._checked("result of a turn", lambda data: _results(data, len(artifacts)), answer)

    def _culprits(
        self,
        error: WorkerDiedError,
        artifacts: Sequence[Path],
        left: Sequence[int],
        settings: Mapping[str, Any],
    ) -> dict[int, Interleaved | Refusal]:
        """Return the refusals of the artifacts that took the runtime's process down."""
        opened = error.note.removeprefix(OPENING) if error.note.startswith(OPENING) else ""
        named = [index for index in left if opened and stored_name(artifacts[index]) == opened]
        if named:
            return {index: Refusal(str(error)) for index in named}
        # It died while all of them were timed: each is tried alone, which costs time but not the night.
        refused: dict[int, Interleaved | Refusal] = {}
        for index in left:
            try:
                self._turns([artifacts[index]], **settings)
            except WorkerDiedError as alone:
                refused[index] = Refusal(str(alone))
        if not refused:  # together they are too much for it: one less each time
            refused[left[-1]] = Refusal(f"{error}, when timed together with others")
        return refused

    def _timed(self, method: str, files: Mapping[str, Path | list[Path]], **params: Any) -> Any:
        """Ask for samples; return them and remember the speed that the device was seen at."""
        answer = self._with_files(method, files, **params)

        def read(data: Any) -> Any:
            if data["gauge_ns"] is not None:
                self._gauge_ns = min(float(data["gauge_ns"]), self._gauge_ns or math.inf)
            return data["timed"]

        return self._checked("result", read, answer)

    def _with_files(self, method: str, files: Mapping[str, Path | list[Path]], **params: Any) -> Any:
        """Ask for ``method`` with ``files`` in the device's store, by the names that they have there."""

        def attempt() -> Any:
            paths = [
                path for value in files.values() for path in (value if isinstance(value, list) else [value])
            ]
            names = dict(zip(paths, self.client.put_all(paths, self._note), strict=True))
            stored = {
                key: [names[path] for path in value] if isinstance(value, list) else names[value]
                for key, value in files.items()
            }
            return self._request(method, **stored, **params)

        return self._resumed(attempt)

    def _ask(self, method: str) -> Any:
        return self._resumed(lambda: self._request(method))

    def _request(self, method: str, **params: Any) -> Any:
        how = {"runtime": self._name, "threads": self._threads, "affinity": list(self._affinity)}
        return self.client.request(method, self._note, **how, **params)

    def _resumed(self, attempt: Callable[[], _T]) -> _T:
        """Return what ``attempt`` returns; where the link is lost, connect again and attempt it again.

        Raises:
            LinkLostError: the device stayed away, or the link broke three times without a result.
        """
        for broken in range(4):
            try:
                return attempt()
            except LinkLostError as error:
                if broken == 3:
                    raise LinkLostError(
                        f"{error}; it was lost {broken + 1} times in a row while doing the same: what was "
                        "finished is saved, the same command goes on from there"
                    ) from error
                self._say(f"{self.client.name}: {error}; connecting again")
                self._open()
                self._same_runtime()
        raise AssertionError  # pragma: no cover

    def _open(self) -> None:
        """Connect and take the device for oneself."""

        def attempt() -> None:
            self.client.connect()
            self.client.lock()

        connected = self.client.hello is not None
        # A device that never answered is more likely misspelt than rebooting.
        wait_for(attempt, patience_s=self.patience_s if connected else 0.0)

    def _describe(self) -> dict[str, Any]:
        answer = self._request("describe")
        if not (isinstance(answer, dict) and isinstance(answer.get("version"), str)):
            raise self._nonsense("description of its runtime", answer)
        return answer

    def _same_runtime(self) -> None:
        """Raise ``DeviceUnavailableError`` where the device came back with another runtime."""
        before, now = self.version, str(self._describe()["version"])
        if now != before:
            raise DeviceUnavailableError(
                f"{self.client.name} came back with {now} where it had {before}; bring that back, or begin "
                "anew with --again"
            )

    def _checked(self, what: str, read: Callable[[Any], _T], answer: Any) -> _T:
        """Return what ``read`` makes of an answer; raise ``DeviceUnavailableError`` where that is nothing."""
        try:
            return read(answer)
        except (TableError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._nonsense(what, answer, error) from error

    def _nonsense(self, what: str, answer: Any, error: SDKError | Exception | str = "") -> SDKError:
        because = f" ({error})" if str(error) else ""
        return DeviceUnavailableError(
            f"{self.client.name} sent a {what} that makes no sense{because}: {answer!r:.120}; see what is "
            f"wrong with: edgewright device check {self.client.name}"
        )


def _arrays(text: Any) -> dict[str, NDArray[np.generic]]:
    arrays = np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
    return {name: arrays[name] for name in arrays.files}


def _results(data: Any, n: int) -> list[Interleaved | Refusal]:
    if not isinstance(data, list) or len(data) != n:
        raise ValueError(f"{n} results are expected")
    return [
        Refusal(str(item["refusal"])) if "refusal" in item else Interleaved.from_json(item) for item in data
    ]

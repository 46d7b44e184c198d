"""The runner of this machine: artifacts are opened and timed in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import random_feeds
from edgewright.backends.base import Runtime
from edgewright.devices.affinity import pinned
from edgewright.devices.conditions import Conditions
from edgewright.devices.energy import Metered, SensorNames, measure_energy
from edgewright.devices.energy_sensors import find_sensors
from edgewright.devices.probe import Fingerprint
from edgewright.devices.throttle import Snapshot, changed
from edgewright.errors import SDKError
from edgewright.latency.footprint import Footprint, measure_footprint
from edgewright.latency.machine import Machine, ThisMachine
from edgewright.latency.measure import MeasureConfig, measure, measure_interleaved
from edgewright.latency.measurement import Interleaved, Measurement
from edgewright.latency.notes import Moment
from edgewright.latency.paired import measure_paired
from edgewright.latency.runner import FATAL, Refusal
from edgewright.latency.stopwatch import Run, Stopwatch


class _Look(NamedTuple):
    """The machine at one moment: how it is, and how often the measuring thread had lost its core.

    Attributes:
        state: clock, temperature, throttling.
        counted: by the counter that every sample is watched with; ``None`` where the system has none.
        told: by the scheduler.
    """

    state: Snapshot
    counted: int | None
    told: int | None


class LocalRunner:
    """Times artifacts in this process.

    Args:
        runtime: device half of a backend.
        threads: of an inference.
        machine: clock and facts; default this machine.
        emulated: whether the machine is known to be emulated, although it does not show it.
        affinity: processors that everything measured is pinned to; what the calling thread may use
            afterwards is as before.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        threads: int = 1,
        machine: Machine | None = None,
        emulated: bool = False,
        affinity: Sequence[int] = (),
    ) -> None:
        self.runtime = runtime
        self._affinity = tuple(affinity)
        self._emulated = emulated
        self.machine = machine or ThisMachine()
        self._threads = threads
        self._watch: Stopwatch | None = None

    @property
    def name(self) -> str:
        """Key of the runtime in the backend registry."""
        return self.runtime.name

    @property
    def version(self) -> str:
        """Package and version of the runtime."""
        return self.runtime.version

    @property
    def threads(self) -> int:
        """Threads of an inference."""
        return self._threads

    @property
    def affinity(self) -> tuple[int, ...]:
        """Processors that measurements are pinned to."""
        return self._affinity

    @property
    def watch(self) -> Stopwatch:
        """The clock; made when first needed, since its gauge looks at the machine for a tenth of a second."""
        if self._watch is None:
            with pinned(self._affinity):
                self._watch = self.machine.stopwatch(self._threads)
        return self._watch

    @property
    def gauge_ns(self) -> float | None:
        """Speed that the machine was seen at."""
        return None if self.watch.gauge is None else self.watch.gauge.reference_ns

    def settings(self) -> Mapping[str, str | int]:
        """Return the runtime's settings that latency depends on."""
        return self.runtime.conditions(self._threads)

    def fingerprint(self) -> Fingerprint:
        """Return what the machine is."""
        found = self.machine.fingerprint()
        return replace(found, emulated=True) if self._emulated else found

    def conditions(self) -> Conditions:
        """Return how the machine is now."""
        with pinned(self._affinity):
            return self.machine.conditions()

    def wait_until_steady(self, max_s: float) -> float:
        """Wait until nobody slows the core, at most ``max_s``; return the seconds waited."""
        gauge, start = self.watch.gauge, time.monotonic()
        with pinned(self._affinity):
            while gauge is not None and gauge.was_slow_lately() and time.monotonic() - start < max_s:
                time.sleep(0.05)
        return time.monotonic() - start

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
        """Time artifacts in turns; see :meth:`Runner.time_in_turns`."""
        rng = np.random.default_rng(seed)
        found: list[Interleaved | Refusal] = [Refusal("not opened")] * len(artifacts)
        with pinned(self._affinity), ExitStack() as stack:
            runs: dict[int, tuple[Run, Run]] = {}
            for index, artifact in enumerate(artifacts):
                opening(index)
                try:
                    runs[index] = self._open(artifact, stack, rng)
                except FATAL:
                    raise
                except SDKError as error:
                    found[index] = Refusal(str(error))
            opening(len(artifacts))
            if runs:
                before = self._look()
                timed = [run for run, _ in runs.values()]
                syncs = [synchronize for _, synchronize in runs.values()]
                if paired and len(runs) > 1 and len(artifacts) - 1 in runs:
                    results = measure_paired(
                        timed[:-1], timed[-1], rng=rng, rounds=rounds, synchronize=syncs, watch=self.watch
                    )
                else:
                    results = measure_interleaved(
                        timed,
                        rng=rng,
                        rounds=rounds,
                        warm_ms=warm_ms,
                        samples=samples,
                        settle=settle,
                        synchronize=syncs,
                        config=MeasureConfig(max_warmup_ms=50.0),
                        watch=self.watch,
                    )
                after = self._look()
                for index, result in zip(runs, results, strict=True):
                    cold, warm = (_noted(part, before, after) for part in (result.cold, result.warm))
                    found[index] = Interleaved(cold, warm, result.beside_ms)
        return found

    def time_alone(
        self,
        artifact: Path,
        *,
        seed: Sequence[int],
        config: MeasureConfig,
        attempts: int = 1,
        gauge_ns: float | None = None,
    ) -> Measurement:
        """Time an artifact in a tight loop; see :meth:`Runner.time_alone`."""
        if gauge_ns is not None and self.watch.gauge is not None:
            self.watch.gauge.reference_ns = min(self.watch.gauge.reference_ns, gauge_ns)
        with pinned(self._affinity), ExitStack() as stack:
            run, synchronize = self._open(artifact, stack, np.random.default_rng(seed))
            found = list[Measurement]()
            while len(found) < attempts and not (found and found[-1].verdict == "ok"):
                before = self._look()
                timed = measure(run, synchronize=synchronize, config=config, watch=self.watch)
                found.append(_noted(timed, before, self._look()))
        return min(found, key=lambda each: (each.verdict != "ok", bool(each.throttled), each.interval_ms))

    def outputs(
        self, artifact: Path, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        """Return the outputs of an artifact; see :meth:`Runner.outputs`."""
        n = len(next(iter(inputs.values())))
        with self.runtime.open(artifact, threads=self._threads) as session:
            found = [session.run({name: each[index] for name, each in inputs.items()}) for index in range(n)]
        return {name: np.stack([each[name] for each in found]) for name in found[0]}

    def footprint(self, artifact: Path) -> Footprint:
        """Return what an artifact costs besides time; see :meth:`Runner.footprint`."""
        with pinned(self._affinity):
            return measure_footprint(artifact, self.name, threads=self._threads)

    def sensors(self) -> SensorNames:
        """Return the names of this machine's energy sensors; see :meth:`Runner.sensors`."""
        sensors, reason = find_sensors()
        return SensorNames(tuple(sensor.name for sensor in sensors), reason)

    def energy(self, artifact: Path) -> Metered:
        """Return the energy of an inference by sensor; see :meth:`Runner.energy`."""
        sensors, reason = find_sensors()
        if not sensors:
            return Metered((), reason)
        with pinned(self._affinity), ExitStack() as stack:
            run, synchronize = self._open(artifact, stack, np.random.default_rng(0))
            energy = measure_energy(run, synchronize, sensors)
        return Metered(energy, "" if energy else "the sensors did not answer")

    def _look(self) -> _Look:
        """Return how the machine is now; a GPU is asked where it does the work."""
        state = self.machine.snapshot(gpus=self.name.startswith("tensorrt"))
        counted = self.watch.preemptions() if self.watch.counts else None
        return _Look(state, counted, self.machine.told_preemptions())

    def _open(self, artifact: Path, stack: ExitStack, rng: np.random.Generator) -> tuple[Run, Run]:
        session = stack.enter_context(self.runtime.open(artifact, threads=self._threads))
        run = session.bind(random_feeds(session.inputs, rng))
        run()  # what crashes a runtime crashes it here, where the caller knows which artifact it was
        session.synchronize()
        return run, session.synchronize


def _noted(found: Measurement, before: _Look, after: _Look) -> Measurement:
    """Return a measurement with how the machine was around its samples."""
    pairs = ((before.counted, after.counted), (before.told, after.told))
    counts = [end - start for start, end in pairs if start is not None and end is not None]
    # One may be blind: a sandbox's scheduler tells of none, and not every system counts.
    n_preemptions = max(0, *counts) if counts else None
    moment = Moment.of(found.n, before.state, after.state, n_preemptions)
    return replace(found, throttled=changed(before.state, after.state), moments=(moment,))

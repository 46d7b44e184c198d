"""What times artifacts: a machine with a runtime on it, this one or another.

The profiler builds artifacts and decides what is visited when; a :class:`Runner` opens them and
takes the samples. Everything that touches the measured machine goes through it:
:class:`~edgewright.latency.local_runner.LocalRunner` in this process,
:class:`~edgewright.remote.runner.RemoteRunner` by an agent on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edgewright.devices.conditions import Conditions
from edgewright.devices.energy import Metered, SensorNames
from edgewright.devices.probe import Fingerprint
from edgewright.errors import DeviceUnavailableError, MissingExtraError, PrecisionError, StorageError
from edgewright.latency.footprint import Footprint
from edgewright.latency.measure import MeasureConfig
from edgewright.latency.measurement import Interleaved, Measurement

# Faults of the machine or of the request, not of one artifact: every artifact would meet them.
FATAL = (DeviceUnavailableError, MissingExtraError, PrecisionError, StorageError)


class Refusal(NamedTuple):
    """An artifact that the runtime would not open or run."""

    reason: str


class Runner(Protocol):
    """A measured machine with one runtime on it."""

    @property
    def name(self) -> str:
        """Key of the runtime in the backend registry."""
        ...

    @property
    def version(self) -> str:
        """Package and version of the runtime there."""
        ...

    @property
    def threads(self) -> int:
        """Threads of an inference."""
        ...

    @property
    def affinity(self) -> tuple[int, ...]:
        """Processors that measurements are pinned to; empty where the kernel chooses."""
        ...

    @property
    def gauge_ns(self) -> float | None:
        """Speed that the machine was seen at (:class:`~edgewright.latency.stopwatch.SpeedGauge`)."""
        ...

    def settings(self) -> Mapping[str, str | int]:
        """Return the runtime's settings that latency depends on."""
        ...

    def fingerprint(self) -> Fingerprint:
        """Return what the machine is."""
        ...

    def conditions(self) -> Conditions:
        """Return how the machine is now."""
        ...

    def wait_until_steady(self, max_s: float) -> float:
        """Wait until nobody slows the core, at most ``max_s``; return the seconds waited."""
        ...

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
        """Time artifacts in turns (:func:`~edgewright.latency.measure.measure_interleaved`).

        Args:
            artifacts: files on this host.
            seed: of the order and of the inputs.
            rounds: clean visits to each.
            warm_ms: time that the calls of a warm sample fill.
            samples: warm samples of a visit.
            settle: calls of a visit before them that are not recorded.
            opening: called with the index of each artifact before it is opened and run once, so that
                a crash can be laid at its door, and with their number when all are open.
            paired: the last artifact is the reference that each of the others takes turns with
                (:func:`~edgewright.latency.paired.measure_paired`, which decides on ``samples`` and
                ``settle`` itself); where it is refused, the others are timed without one.

        Raises:
            DeviceUnavailableError, MissingExtraError, PrecisionError, StorageError: the machine
                cannot measure at all.
        """
        ...

    def time_alone(
        self,
        artifact: Path,
        *,
        seed: Sequence[int],
        config: MeasureConfig,
        attempts: int = 1,
        gauge_ns: float | None = None,
    ) -> Measurement:
        """Time an artifact in a tight loop; of several attempts, the first that is not noisy or the best.

        Args:
            artifact: file on this host.
            seed: of the inputs.
            config: when an attempt stops.
            attempts: at most so many; a noisy one is never averaged in.
            gauge_ns: speed of an undisturbed core, as a latency table keeps it.

        Raises:
            RuntimeFailureError: the runtime would not open or run it.
            DeviceUnavailableError, MissingExtraError, PrecisionError, StorageError: the machine
                cannot measure at all.
        """
        ...

    def outputs(
        self, artifact: Path, inputs: Mapping[str, NDArray[np.generic]]
    ) -> dict[str, NDArray[np.generic]]:
        """Return the outputs of an artifact by name, each ``(n, …)``, for inputs ``(n, …)``, n >= 1.

        Raises:
            RuntimeFailureError: the runtime would not open or run it.
            DeviceUnavailableError, MissingExtraError, StorageError: the machine cannot run anything.
        """
        ...

    def footprint(self, artifact: Path) -> Footprint:
        """Return what an artifact costs besides time (:mod:`edgewright.latency.footprint`).

        Raises:
            RuntimeFailureError: the runtime refuses it, takes its process down, or is too slow.
            DeviceUnavailableError, StorageError: the machine cannot be asked.
        """
        ...

    def sensors(self) -> SensorNames:
        """Return the names of the machine's energy sensors, or why it has none.

        Raises:
            DeviceUnavailableError: the machine cannot be asked.
        """
        ...

    def energy(self, artifact: Path) -> Metered:
        """Return the energy of an inference by sensor, or why the machine has no figure.

        Raises:
            RuntimeFailureError: the runtime would not open or run it.
            DeviceUnavailableError, StorageError: the machine cannot be asked.
        """
        ...

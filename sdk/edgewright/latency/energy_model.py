"""Energy models: what inferences of whole networks took of a device's energy sensor.

Made as a latency model is, of energies in place of times (:mod:`edgewright.latency.model`): the sources
are the device's own latency table, where it has one, since energy is power times time, and what is
measured here is what differs. :mod:`edgewright.latency.encoding_predictor` predicts from it.

An energy is all that the sensor counted, whoever used it, over the inferences that ran meanwhile:
the figure that ``edgewright bench`` and ``verify`` tell of compiled files.

Format history of ``latency_tables/<device>/<space>-<runtime>-<precision>.energy.json``:

* schema 1: ``kind`` = ``energy model``, ``sensor``, and all that a latency model of schema 1 holds;
  ``networks`` have ``visits``, one energy each, in place of a ``measurement``, and ``validation`` names
  no worst networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgewright.devices.energy import Energy
from edgewright.errors import TableError
from edgewright.latency.model import LatencyModel, NetworkModel, kind_of
from edgewright.latency.records import architecture_from_json
from edgewright.spaces.architecture import Architecture

NOISY = 0.1  # distance of two visits, as a share of their median, above which a network is noisy


@dataclass(frozen=True, slots=True)
class EnergyRecord:
    """A whole network whose energy was measured.

    Attributes:
        architecture: the network.
        visits: at different times; one sensor's.
        role: ``fit`` if the model learns from it, ``validate`` if it judges.
    """

    architecture: Architecture
    visits: tuple[Energy, ...]
    role: str

    @property
    def value(self) -> float:
        """Median energy of an inference in mJ: what a model predicts."""
        return float(np.median([energy.energy_mj for energy in self.visits]))

    @property
    def noisy(self) -> bool:
        """Whether its visits are further apart than :data:`NOISY`."""
        found = [energy.energy_mj for energy in self.visits]
        return max(found) - min(found) > NOISY * self.value

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "architecture": self.architecture.to_json(),
            "role": self.role,
            "visits": [energy.to_json() for energy in self.visits],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EnergyRecord:
        """Return what ``to_json`` described. Raises ``ValueError`` for an energy that cannot be."""
        visits = tuple(map(Energy.from_json, data["visits"]))
        if not visits or not all(energy.energy_mj > 0 for energy in visits):
            raise ValueError("a network needs one visit or more, each with an energy above 0")
        if data["role"] not in ("fit", "validate"):
            raise ValueError(f"the role of a network is fit or validate, got {data['role']!r:.40}")
        return cls(architecture_from_json(data["architecture"]), visits, data["role"])


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyModel(NetworkModel):
    """The energy of whole networks; the records' values are medians in mJ.

    Attributes:
        sensor: what counted, of the sensors that the device has the one that stands for it.
    """

    kind: ClassVar[str] = "energy model"
    schemas: ClassVar[tuple[int, ...]] = (1,)
    verb: ClassVar[str] = "edgewright table energy"
    further_keys: ClassVar[tuple[str, ...]] = ("sensor",)

    networks: tuple[EnergyRecord, ...]
    sensor: str

    def __post_init__(self) -> None:
        others = {energy.sensor for record in self.networks for energy in record.visits} - {self.sensor}
        if others:
            raise TableError(f"its sensor is {self.sensor!r}, and networks were measured by {sorted(others)}")

    @classmethod
    def read_record(cls, data: Mapping[str, Any]) -> EnergyRecord:
        """Return the network that its ``to_json`` described. Raises ``ValueError`` where it is none."""
        return EnergyRecord.from_json(data)

    def summary(self) -> dict[str, Any]:
        """Return the main facts as JSON values, for a terminal."""
        return {**NetworkModel.summary(self), "sensor": self.sensor}

    def command(self, space: str | None = None) -> str:
        """Return the command that makes one of the same device, of its own space unless another is given."""
        return energy_command(self.device, space or self.space_name, self.precision)


def energy_command(device: str, space: str, precision: str) -> str:
    """Return the command that makes an energy model."""
    return f"{EnergyModel.verb} {device} --space '{space}' --precision {precision}"


def load_model(path: Path) -> LatencyModel | EnergyModel:
    """Read a model of either kind. Raises ``TableError`` that says what is wrong with the file."""
    return EnergyModel.load(path) if kind_of(path) == EnergyModel.kind else LatencyModel.load(path)

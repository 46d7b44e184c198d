"""Latency and energy of networks on a device as search sees them: predicted from what was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.energy_model import EnergyModel
from edgewright.latency.model import LatencyModel
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.tables import (
    DEFAULT_Z,
    choose_precision,
    find_energy,
    find_predictor,
    require_accurate,
    require_usable,
)
from edgewright.search.budget import device_of_energy
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class MeasuredCost(ABC):
    """What was measured on a device, and what it predicts of every network of a space.

    Attributes:
        profile: the device.
        precision: of what was measured.
        table: what was measured: operators, or whole networks alone.
        predictor: additive over a table, corrected; of a model, a regression of encodings.
        z: standard deviations that a budget is held with.
    """

    profile: DeviceProfile
    precision: str
    table: LatencyTable | LatencyModel | EnergyModel
    predictor: LatencyPredictor | EncodingPredictor
    z: float

    @abstractmethod
    def predict(self, X: IntArray) -> FloatArray:
        """Return the cost of encodings ``(n, n_var)`` as ``(n,)``."""

    @abstractmethod
    def at_most(self, X: IntArray) -> FloatArray:
        """Return what a budget is held against: the cost and ``z`` standard deviations, ``(n,)``."""

    @property
    def sensor(self) -> str | None:
        """What counted an energy; None of a latency."""
        return self.table.sensor if isinstance(self.table, EnergyModel) else None

    def to_json(self) -> dict[str, Any]:
        """Return what a report needs, as JSON values."""
        return {
            "device": self.profile.name,
            # Absolute, so that the run can be verified from another folder.
            "profile": str(self.profile.path.resolve()),
            "precision": self.precision,
            "table": str(self.table.path.resolve()) if self.table.path else None,
            "table_id": self.table.table_id,
            **({} if self.sensor is None else {"sensor": self.sensor}),
            "z": self.z,
        }


@dataclass(frozen=True, slots=True)
class LatencyCost(MeasuredCost):
    """Latency on a device, in ms."""

    table: LatencyTable | LatencyModel

    def predict(self, X: IntArray) -> FloatArray:
        """Return the latency of encodings ``(n, n_var)`` in ms as ``(n,)``."""
        return self.predictor.predict_ms(X)

    def at_most(self, X: IntArray) -> FloatArray:
        """Return the latency and ``z`` standard deviations in ms, ``(n,)``."""
        return self.predictor.at_most_ms(X, self.z)


@dataclass(frozen=True, slots=True)
class EnergyCost(MeasuredCost):
    """Energy of an inference on a device, in mJ."""

    table: EnergyModel
    predictor: EncodingPredictor

    def predict(self, X: IntArray) -> FloatArray:
        """Return the energy of encodings ``(n, n_var)`` in mJ as ``(n,)``."""
        return self.predictor.predict(X).mean

    def at_most(self, X: IntArray) -> FloatArray:
        """Return the energy and ``z`` standard deviations in mJ, ``(n,)``."""
        return self.predictor.at_most(X, self.z)


def latency_cost(
    name: str,
    space: MobileSpace,
    *,
    tables: Path,
    precision: str | None,
    allow_foreign: bool,
    allow_inaccurate: bool = False,
    z: float = DEFAULT_Z,
) -> LatencyCost:
    """Return the latency of a device that a budget or an objective names.

    Args:
        name: name, alias or path of its profile.
        space: the networks.
        tables: folder of latency tables.
        precision: of the artifacts; the profile's first where ``None``.
        allow_foreign: take a table of another machine or runtime as it is.
        allow_inaccurate: take one that misses its held-out networks by more than
            :data:`~edgewright.pipeline.tables.MAX_ERROR`.
        z: standard deviations that a budget is held with.

    Raises:
        ProfileError: no device has that name or alias.
        TableError: no table covers the space, or it is faulty.
        ForeignTableError: the table was measured on another machine or runtime.
        InaccurateTableError: the table's own error is too large for a budget to mean anything.
    """
    profile = DeviceProfile.find(name)
    chosen = choose_precision(profile, precision)
    table = find_predictor(tables, profile, space, chosen)
    require_usable(table, profile, chosen, space, allow_foreign=allow_foreign)
    predictor = (
        LatencyPredictor(table, space) if isinstance(table, LatencyTable) else EncodingPredictor(table, space)
    )
    require_accurate(table, predictor.error, allow_inaccurate=allow_inaccurate)
    return LatencyCost(profile, chosen, table, predictor, z)


def energy_cost(
    name: str,
    space: MobileSpace,
    *,
    tables: Path,
    precision: str | None,
    allow_foreign: bool,
    allow_inaccurate: bool = False,
    z: float = DEFAULT_Z,
) -> EnergyCost:
    """Return the energy that a budget or an objective such as ``cpu.energy`` names.

    Arguments and errors are those of :func:`latency_cost`, with an energy model in place of a table.
    """
    profile = DeviceProfile.find(device_of_energy(name))
    chosen = choose_precision(profile, precision)
    model = find_energy(tables, profile, space, chosen)
    require_usable(model, profile, chosen, space, allow_foreign=allow_foreign)
    predictor = EncodingPredictor(model, space)
    require_accurate(model, predictor.error, allow_inaccurate=allow_inaccurate)
    return EnergyCost(profile, chosen, model, predictor, z)

"""The energy of networks on a device as search sees it: a model of whole networks that a sensor measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import InaccurateTableError, TableError
from edgewright.latency.encoding_predictor import EncodingPredictor, model_covers
from edgewright.latency.energy_model import EnergyModel, energy_command
from edgewright.pipeline.tables import (
    DEFAULT_Z,
    MAX_ERROR,
    choose_precision,
    require_made_for,
    require_measured_here,
    require_real,
    table_path,
)
from edgewright.search.budget import device_of_energy
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class EnergyCost:
    """Energy of an inference on a device as search sees it.

    Attributes:
        profile: the device.
        precision: of the model.
        table: what was measured.
        predictor: a regression of encodings.
        z: standard deviations that a budget is held with.
    """

    profile: DeviceProfile
    precision: str
    table: EnergyModel
    predictor: EncodingPredictor
    z: float

    def predict_mj(self, X: IntArray) -> FloatArray:
        """Return the energy of encodings ``(n, n_var)`` in mJ as ``(n,)``."""
        return self.predictor.predict(X).mean

    def at_most_mj(self, X: IntArray) -> FloatArray:
        """Return what a budget is held against: the energy and ``z`` standard deviations in mJ, ``(n,)``."""
        return self.predictor.at_most(X, self.z)

    def to_json(self) -> dict[str, Any]:
        """Return what a report needs, as JSON values."""
        return {
            "device": self.profile.name,
            "profile": str(self.profile.path.resolve()),
            "precision": self.precision,
            "table": str(self.table.path.resolve()) if self.table.path else None,
            "table_id": self.table.table_id,
            "sensor": self.table.sensor,
            "z": self.z,
        }


def energy_path(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> Path:
    """Return where an energy model belongs: beside the latency table, as ``….energy.json``."""
    return table_path(tables, profile, space, precision).with_suffix(".energy.json")


def find_energy(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> EnergyModel:
    """Return the energy model of a device that covers a space: the space's own, or that of a wider one.

    Raises:
        TableError: there is none, or it is faulty; the message has the command that makes it.
    """
    exact = energy_path(tables, profile, space, precision)
    others = sorted(exact.parent.glob(f"{space.base_name}*-{profile.runtime}-{precision}.energy.json"))
    for path in dict.fromkeys([exact, *others]):
        if not path.is_file():
            continue
        model = EnergyModel.load(path)
        if path == exact or model_covers(model, space):
            return model
    raise TableError(
        f"no energy model of {profile.name} covers {space.name} in {tables}; where the device has an energy "
        f"sensor, measure one with: {energy_command(profile.name, space.name, precision)} --tables {tables}"
    )


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

    The arguments are those of :func:`edgewright.pipeline.tables.device_cost`.

    Raises:
        ProfileError: no device has that name or alias.
        TableError: no energy model covers the space, or it is faulty.
        ForeignTableError: the model was measured on another machine or runtime.
        InaccurateTableError: the model's own error is too large for a budget to mean anything.
    """
    profile = DeviceProfile.find(device_of_energy(name))
    chosen = choose_precision(profile, precision)
    model = find_energy(tables, profile, space, chosen)
    require_made_for(model, profile, chosen, allow_foreign=allow_foreign)
    require_real(model, allow_foreign=allow_foreign)
    require_measured_here(model, profile, allow_foreign=allow_foreign)
    predictor = EncodingPredictor(model, space)
    if predictor.error > MAX_ERROR and not allow_inaccurate:
        raise InaccurateTableError(
            f"{model.described()} is {predictor.error:.0%} off on networks that it has not seen, at most "
            f"{MAX_ERROR:.0%} is taken; measure more of them on a quieter machine with `{model.command()} "
            "--samples N --again`, or use it as it is with --allow-inaccurate"
        )
    return EnergyCost(profile, chosen, model, predictor, z)

"""Latency tables as the verbs use them: where they lie, whether they may be used, what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgewright.backends.registry import runtime
from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import (
    ForeignTableError,
    InaccurateTableError,
    OutputExistsError,
    PrecisionError,
    TableError,
    UsageError,
)
from edgewright.latency.encoding_predictor import EncodingPredictor, model_covers
from edgewright.latency.energy_model import EnergyModel, energy_command
from edgewright.latency.model import LatencyModel, NetworkModel
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.runner import Runner
from edgewright.latency.table import LatencyTable
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray

Model = TypeVar("Model", bound=NetworkModel)

MAX_ERROR = 0.15  # mean relative error of a table above which a budget means nothing
DEFAULT_Z = 1.96


def choose_precision(profile: DeviceProfile, precision: str | None) -> str:
    """Return ``precision``, or the profile's first. Raises ``PrecisionError``."""
    if precision is None:
        return profile.precisions[0]
    if precision not in profile.precisions:
        raise PrecisionError(
            f"device {profile.name} has no precision {precision!r}; it has {', '.join(profile.precisions)}"
        )
    return precision


def table_path(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> Path:
    """Return where a table belongs: ``<tables>/<device>/<space>-<runtime>-<precision>.json``."""
    return tables / profile.name / f"{space.slug}-{profile.runtime}-{precision}.json"


def _search_table(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str
) -> LatencyTable | None:
    exact = table_path(tables, profile, space, precision)
    others = sorted(exact.parent.glob(f"{space.base_name}*-{profile.runtime}-{precision}.json"))
    for path in dict.fromkeys([exact, *others]):
        if not path.is_file():
            continue
        table = LatencyTable.load(path)
        if path == exact or table.covers(space):
            return table
    return None


def _no_table(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> TableError:
    return TableError(
        f"no latency table of {profile.name} covers {space.name} in {tables}; measure one with: "
        f"edgewright profile {profile.name} --space {space.name} --precision {precision} --tables {tables}"
    )


def model_path(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> Path:
    """Return where a latency model belongs: beside the table, as ``….model.json``."""
    return table_path(tables, profile, space, precision).with_suffix(".model.json")


def find_predictor(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str
) -> LatencyTable | LatencyModel:
    """Return the table of a device that covers a space, or where it has none, its latency model.

    Raises:
        TableError: there is neither, or what is there is faulty.
    """
    found = search_predictor(tables, profile, space, precision)
    if found is None:
        raise _no_table(tables, profile, space, precision)
    return found


def search_predictor(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str
) -> LatencyTable | LatencyModel | None:
    """Return the table of a device that covers a space, or its latency model; ``None`` without either.

    Raises:
        TableError: what is there is faulty.
    """
    exact = model_path(tables, profile, space, precision)
    others = sorted(exact.parent.glob(f"{space.base_name}*-{profile.runtime}-{precision}.model.json"))
    models = [path for path in dict.fromkeys([exact, *others]) if path.is_file()]
    if (table := _search_table(tables, profile, space, precision)) is not None:
        return table
    for path in models:
        model = LatencyModel.load(path)
        if path == exact or model_covers(model, space):
            return model
    return None


def require_made_for(
    table: LatencyTable | NetworkModel, profile: DeviceProfile, precision: str, *, allow_foreign: bool = False
) -> None:
    """Check that a table or model measured what a profile asks for, whatever its file is called.

    Raises:
        TableError: it is of another runtime or precision.
        ForeignTableError: it is of another device or number of threads, which ``allow_foreign`` accepts.
    """
    found = (table.device, table.runtime, table.precision, table.threads)
    wanted = (profile.name, profile.runtime, precision, profile.threads)
    if found == wanted:
        _require_affinity(table, profile, allow_foreign=allow_foreign)
        return
    kind = "latency table" if isinstance(table, LatencyTable) else table.kind
    text = "the {}{} is of {} through {}, {}, {} thread(s), and {} asks for {}, {}, {} thread(s)"
    where = f" {table.path}" if table.path else ""
    message = text.format(kind, where, *found, *wanted)
    mend = f"measure it with: {_measuring(table, profile, precision)}"
    if found[1:3] != wanted[1:3]:
        raise TableError(f"{message}; {mend}")
    if not allow_foreign:
        raise ForeignTableError(f"{message}; {mend}, or use it as it is with --allow-foreign")


def _measuring(table: LatencyTable | NetworkModel, profile: DeviceProfile, precision: str) -> str:
    """Return the command that measures what a table or model is of on a device."""
    if isinstance(table, EnergyModel):
        return energy_command(profile.name, table.space_name, precision)
    return f"edgewright profile {profile.name} --precision {precision}"


def _require_affinity(
    table: LatencyTable | NetworkModel, profile: DeviceProfile, *, allow_foreign: bool
) -> None:
    """Check the processors that a table was measured on; an imported one does not tell.

    A model tells what its process might use, so only a profile that pins can be held against it.
    """
    if allow_foreign or (isinstance(table, LatencyTable) and table.is_imported):
        return
    if isinstance(table, LatencyTable):
        measured, kind = table.affinity, "latency table"
    else:
        measured, kind = (table.conditions_before.affinity if profile.affinity else ()), table.kind
    if set(measured) == set(profile.affinity):
        return
    where, kernel = f" {table.path}" if table.path else "", "those that the kernel chooses"
    there, here = (", ".join(map(str, cpus)) or kernel for cpus in (measured, profile.affinity))
    raise ForeignTableError(
        f"the {kind}{where} was measured on processors {there}, and {profile.name} asks for {here}; measure "
        f"it with: {_measuring(table, profile, table.precision)} --again, or use it as it is with "
        "--allow-foreign"
    )


def require_real(table: LatencyTable | NetworkModel, *, allow_foreign: bool = False) -> None:
    """Raise ``ForeignTableError`` where a table or model was measured on an emulated device."""
    if table.fingerprint.emulated and not allow_foreign:
        where = f" ({table.path})" if table.path else ""
        command = f"edgewright profile {table.device}"
        if isinstance(table, EnergyModel):
            command = table.command()
        raise ForeignTableError(
            f"the {_measures(table)} of {table.device!r}{where} were measured on an emulated device and mean "
            f"nothing; measure the device itself with `{command}`, or use them as they are with "
            "--allow-foreign"
        )


def require_measured_here(
    table: LatencyTable | NetworkModel, profile: DeviceProfile, *, allow_foreign: bool = False
) -> None:
    """Raise ``ForeignTableError`` where a local device's table or model is of another machine or runtime."""
    if profile.is_local:
        table.require_device(probe(), allow_foreign=allow_foreign)
        table.require_runtime(runtime(profile.runtime).version, allow_foreign=allow_foreign)


def emulated_lines(table: LatencyTable | NetworkModel) -> list[str]:
    """Return the line that a user is told of what was measured on an emulated device; none otherwise."""
    if not table.fingerprint.emulated:
        return []
    return [f"measured on an emulated device: its {_measures(table)} mean nothing, and search refuses them"]


def _measures(table: LatencyTable | NetworkModel) -> str:
    return "energies" if isinstance(table, EnergyModel) else "latencies"


def error_lines(model: NetworkModel) -> list[str]:
    """Return the lines that a user is told of a new model's error."""
    found, lines = model.validation, list[str]()
    if model.leave_one_out_percent is not None:
        lines.append(f"each of them from the others: {model.leave_one_out_percent:.1f} % off on average")
    if found is None:
        return [*lines, "no network was held out to judge it; --validate N measures N more"]
    lines.append(
        f"error on {found.n} networks that it has not seen: {found.mape_percent:.1f} % on average "
        f"({found.raw_mape_percent:.1f} % without learning), {found.within_10_percent:.0f} % of them "
        f"within ±10 %, Spearman {found.spearman:.3f}"
    )
    return lines


def present_model(
    kind: type[Model],
    path: Path,
    profile: DeviceProfile,
    precision: str,
    space: MobileSpace,
    runner: Runner,
    *,
    elsewhere: str,
) -> Model:
    """Return the model at ``path`` if it is of what would be measured.

    Args:
        kind: of model.
        path: of a file that is there.
        profile: the device.
        precision: of the artifacts.
        space: of the networks.
        runner: that would measure them.
        elsewhere: what a user gives for another place.

    Raises:
        OutputExistsError: it is faulty or of something else; it is kept.
    """
    try:
        model = kind.load(path)
        require_made_for(model, profile, precision)
        model.require_device(runner.fingerprint())
        model.require_runtime(runner.version)
        if model.space_digest != space.digest:
            raise TableError(f"it is of {model.space_name}, not of {space.name}")
    except UsageError as error:
        raise OutputExistsError(
            f"{path} is there already and is kept: {error}; give {elsewhere}, or --again to replace it"
        ) from error
    return model


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """Latency on a device as search sees it.

    Attributes:
        profile: the device.
        precision: of the table.
        table: what was measured: operators, or whole networks alone.
        predictor: additive over the table, corrected; of a model, a regression of encodings.
        z: standard deviations that a budget is held with.
    """

    profile: DeviceProfile
    precision: str
    table: LatencyTable | LatencyModel
    predictor: LatencyPredictor | EncodingPredictor
    z: float

    def predict_ms(self, X: IntArray) -> FloatArray:
        """Return the latency of encodings ``(n, n_var)`` as ``(n,)``."""
        return self.predictor.predict_ms(X)

    def at_most_ms(self, X: IntArray) -> FloatArray:
        """Return what a budget is held against: the latency and ``z`` standard deviations, ``(n,)``."""
        return self.predictor.at_most_ms(X, self.z)

    def to_json(self) -> dict[str, Any]:
        """Return what a report needs, as JSON values."""
        return {
            "device": self.profile.name,
            # Absolute, so that the run can be verified from another folder.
            "profile": str(self.profile.path.resolve()),
            "precision": self.precision,
            "table": str(self.table.path.resolve()) if self.table.path else None,
            "table_id": self.table.table_id,
            "z": self.z,
        }


def device_cost(
    name: str,
    space: MobileSpace,
    *,
    tables: Path,
    precision: str | None,
    allow_foreign: bool,
    allow_inaccurate: bool = False,
    z: float = DEFAULT_Z,
) -> DeviceCost:
    """Return the latency of a device that a budget names.

    Args:
        name: name, alias or path of its profile.
        space: the networks.
        tables: folder of latency tables.
        precision: of the artifacts; the profile's first where ``None``.
        allow_foreign: take a table of another machine or runtime as it is.
        allow_inaccurate: take one that misses its held-out networks by more than :data:`MAX_ERROR`.
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
    if isinstance(table, LatencyTable) and table.is_imported and not allow_foreign:
        raise ForeignTableError(
            f"the latency table {table.path} was imported: nobody here saw the device, and its error on "
            f"whole networks is unknown; measure with: edgewright profile {profile.name} --again, or use it "
            "as it is with --allow-foreign"
        )
    require_made_for(table, profile, chosen, allow_foreign=allow_foreign)
    if isinstance(table, LatencyTable):
        table.require_space(space)
    require_real(table, allow_foreign=allow_foreign)
    require_measured_here(table, profile, allow_foreign=allow_foreign)
    predictor: LatencyPredictor | EncodingPredictor
    if isinstance(table, LatencyTable):
        predictor, kind = LatencyPredictor(table, space), "table"
        mend = (
            f"measure again on a quieter machine with `edgewright profile {table.device} --space "
            f"'{table.space_name}' --again`, more thoroughly with --preset thorough"
        )
    else:
        predictor, kind = EncodingPredictor(table, space), "model"
        mend = (
            f"give more samples or other sources to `edgewright table transfer --device {table.device} "
            f"--space '{table.space_name}' --again`"
        )
    if predictor.error > MAX_ERROR and not allow_inaccurate:
        raise InaccurateTableError(
            f"the latency {kind} of {table.device!r} ({table.path}) is {predictor.error:.0%} off on "
            f"networks that it has not seen, at most {MAX_ERROR:.0%} is taken; {mend}, or use it as it is "
            "with --allow-inaccurate"
        )
    return DeviceCost(profile, chosen, table, predictor, z)

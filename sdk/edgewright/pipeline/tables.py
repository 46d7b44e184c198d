"""Tables and models of devices as the verbs use them: where they lie, and whether they may be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

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
from edgewright.latency.encoding_predictor import model_covers
from edgewright.latency.energy_model import EnergyModel, energy_command
from edgewright.latency.model import LatencyModel, NetworkModel
from edgewright.latency.runner import Runner
from edgewright.latency.table import LatencyTable
from edgewright.spaces import MobileSpace

Found = TypeVar("Found")
Measured = TypeVar("Measured", LatencyTable, LatencyModel, EnergyModel)

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


def model_path(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> Path:
    """Return where a latency model belongs: beside the table, as ``….model.json``."""
    return table_path(tables, profile, space, precision).with_suffix(".model.json")


def energy_path(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> Path:
    """Return where an energy model belongs: beside the latency table, as ``….energy.json``."""
    return table_path(tables, profile, space, precision).with_suffix(".energy.json")


def find_predictor(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str
) -> LatencyTable | LatencyModel:
    """Return the table of a device that covers a space, or where it has none, its latency model.

    Raises:
        TableError: there is neither, or what is there is faulty; the message has the command that makes it.
    """
    found = search_predictor(tables, profile, space, precision)
    if found is None:
        raise TableError(
            f"no latency table of {profile.name} covers {space.name} in {tables}; measure one with: "
            f"edgewright profile {profile.name} --space {space.name} --precision {precision} "
            f"--tables {tables}"
        )
    return found


def search_predictor(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str
) -> LatencyTable | LatencyModel | None:
    """Return the table of a device that covers a space, or its latency model; ``None`` without either.

    Raises:
        TableError: what is there is faulty.
    """
    path = table_path(tables, profile, space, precision)
    if (table := _covering(path, space, LatencyTable.load, LatencyTable.covers)) is not None:
        return table
    path = model_path(tables, profile, space, precision)
    return _covering(path, space, LatencyModel.load, model_covers)


def find_energy(tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str) -> EnergyModel:
    """Return the energy model of a device that covers a space.

    Raises:
        TableError: there is none, or it is faulty; the message has the command that makes it.
    """
    path = energy_path(tables, profile, space, precision)
    model = _covering(path, space, EnergyModel.load, model_covers)
    if model is None:
        raise TableError(
            f"no energy model of {profile.name} covers {space.name} in {tables}; where the device has an "
            "energy sensor, measure one with: "
            f"{energy_command(profile.name, space.name, precision)} --tables {tables}"
        )
    return model


def _covering(
    exact: Path,
    space: MobileSpace,
    load: Callable[[Path], Found],
    covers: Callable[[Found, MobileSpace], bool],
) -> Found | None:
    """Return what lies at ``exact``, whatever it is of, or beside it, of a wider space, and covers ``space``.

    Raises:
        TableError: what is there is faulty.
    """
    others = sorted(exact.parent.glob(f"{space.base_name}*{exact.name.removeprefix(space.slug)}"))
    for path in dict.fromkeys([exact, *others]):
        if not path.is_file():
            continue
        found = load(path)
        if path == exact or covers(found, space):
            return found
    return None


def require_usable(
    table: LatencyTable | NetworkModel,
    profile: DeviceProfile,
    precision: str,
    space: MobileSpace,
    *,
    allow_foreign: bool = False,
) -> None:
    """Check that search may take a table or model for what a device does with the networks of a space.

    Raises:
        TableError: it is of another runtime, precision or space.
        ForeignTableError: it is of another device or machine, of another version of the runtime, of an
            emulated device, or imported; ``allow_foreign`` accepts that.
    """
    if isinstance(table, LatencyTable) and table.is_imported and not allow_foreign:
        raise ForeignTableError(
            f"the latency table {table.path} was imported: nobody here saw the device, and its error on "
            f"whole networks is unknown; measure with: edgewright profile {profile.name} --again, or use it "
            "as it is with --allow-foreign"
        )
    require_made_for(table, profile, precision, allow_foreign=allow_foreign)
    if isinstance(table, LatencyTable):
        table.require_space(space)
    require_real(table, allow_foreign=allow_foreign)
    require_measured_here(table, profile, allow_foreign=allow_foreign)


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
    text = "the {}{} is of {} through {}, {}, {} thread(s), and {} asks for {}, {}, {} thread(s)"
    where = f" {table.path}" if table.path else ""
    message = text.format(_kind(table), where, *found, *wanted)
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
        measured = table.affinity
    else:
        measured = table.conditions_before.affinity if profile.affinity else ()
    if set(measured) == set(profile.affinity):
        return
    where, kernel = f" {table.path}" if table.path else "", "those that the kernel chooses"
    there, here = (", ".join(map(str, cpus)) or kernel for cpus in (measured, profile.affinity))
    raise ForeignTableError(
        f"the {_kind(table)}{where} was measured on processors {there}, and {profile.name} asks for {here}; "
        f"measure it with: {_measuring(table, profile, table.precision)} --again, or use it as it is with "
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


def require_accurate(
    table: LatencyTable | NetworkModel, error: float, *, allow_inaccurate: bool = False
) -> None:
    """Raise ``InaccurateTableError`` where a prediction's own error, a share, is above :data:`MAX_ERROR`."""
    if error > MAX_ERROR and not allow_inaccurate:
        raise InaccurateTableError(
            f"the {_kind(table)} of {table.device!r} ({table.path}) is {error:.0%} off on networks that it "
            f"has not seen, at most {MAX_ERROR:.0%} is taken; {_more_accurate(table)}, or use it as it is "
            "with --allow-inaccurate"
        )


def _more_accurate(table: LatencyTable | NetworkModel) -> str:
    """Return how a table or model becomes more accurate."""
    if isinstance(table, LatencyTable):
        return (
            f"measure again on a quieter machine with `edgewright profile {table.device} --space "
            f"'{table.space_name}' --again`, more thoroughly with --preset thorough"
        )
    if isinstance(table, EnergyModel):
        return f"measure more of them on a quieter machine with `{table.command()} --samples N --again`"
    return f"give more samples or other sources to `{table.command(table.space_name)} --again`"


def emulated_lines(table: LatencyTable | NetworkModel) -> list[str]:
    """Return the line that a user is told of what was measured on an emulated device; none otherwise."""
    if not table.fingerprint.emulated:
        return []
    return [f"measured on an emulated device: its {_measures(table)} mean nothing, and search refuses them"]


def _kind(table: LatencyTable | NetworkModel) -> str:
    return "latency table" if isinstance(table, LatencyTable) else table.kind


def _measures(table: LatencyTable | NetworkModel) -> str:
    return "energies" if isinstance(table, EnergyModel) else "latencies"


def present(
    kind: type[Measured],
    path: Path,
    profile: DeviceProfile,
    precision: str,
    space: MobileSpace,
    runner: Runner,
    *,
    elsewhere: str,
) -> Measured:
    """Return the table or model at ``path`` if it is of what would be measured.

    Args:
        kind: table, or which model.
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
        found = kind.load(path)
        require_made_for(found, profile, precision)
        found.require_device(runner.fingerprint())
        found.require_runtime(runner.version)
        if isinstance(found, LatencyTable):
            found.require_space(space)
        elif found.space_digest != space.digest:
            raise TableError(f"it is of {found.space_name}, not of {space.name}")
    except UsageError as error:
        raise OutputExistsError(
            f"{path} is there already and is kept: {error}; give {elsewhere}, or --again to replace it"
        ) from error
    return found

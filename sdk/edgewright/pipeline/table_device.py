"""Whether a table or a model is of the device as it is now: this machine, or one behind ssh."""

from __future__ import annotations

from edgewright.backends.registry import runtime
from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ForeignTableError, ProfileError
from edgewright.latency.model import NetworkModel
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import require_attached, runner_on
from edgewright.pipeline.tables import require_made_for

THIS_MACHINE = "this machine"


def require_its_device(
    table: LatencyTable | NetworkModel,
    device: str | DeviceProfile | None = None,
    *,
    progress: Progress = SILENT,
) -> str:
    """Compare what was measured with the device that it names; return what that is, for a sentence.

    Args:
        table: a table or a model.
        device: a profile, or its name, alias or path; the one of the table's own name where ``None``.
            Where there is none of that name, the table is compared with this machine.
        progress: told what is asked.

    Raises:
        ForeignTableError: it was measured on another machine or with another version of its runtime.
        TableError: the profile asks for another runtime.
        ProfileError: no device has the name that was given.
        DeviceUnavailableError: the device is not attached, cannot be reached, or is being measured.
        MissingExtraError: the runtime is not installed there.
    """
    profile = device if isinstance(device, DeviceProfile) else _find(table, device)
    if profile is None:
        try:
            table.require_device(probe())
            table.require_runtime(runtime(table.runtime).version)
        except ForeignTableError as error:
            raise ForeignTableError(
                f"{error}; no profile here is named {table.device!r}: if that is a device behind ssh, give "
                "its profile with --on PROFILE.toml"
            ) from error
        return THIS_MACHINE
    require_attached(profile)
    require_made_for(table, profile, table.precision)
    with (
        progress.task(f"looking at {profile.name}"),
        runner_on(profile, progress=progress) as runner,
    ):
        table.require_device(runner.fingerprint())
        table.require_runtime(runner.version)
    return THIS_MACHINE if profile.is_local else f"{profile.name} as it is now ({profile.reach})"


def _find(table: LatencyTable | NetworkModel, device: str | None) -> DeviceProfile | None:
    if device is not None:
        return DeviceProfile.find(device)
    try:
        return DeviceProfile.find(table.device)
    except ProfileError:
        return None

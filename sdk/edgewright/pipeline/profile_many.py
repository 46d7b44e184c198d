"""Measure a space on several devices: those behind ssh at the same time, this machine's own one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import SDKError, UsageError
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline.profile import ProfileResult, profile_device
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.spaces import MobileSpace


@dataclass(frozen=True, slots=True)
class ProfileResults:
    """What became of each device.

    Attributes:
        by_device: a table, or why there is none, by the name of the profile.
    """

    by_device: Mapping[str, ProfileResult | SDKError]

    def to_json(self) -> dict[str, Any]:
        """Return the main facts as JSON values."""
        return {
            "devices": {
                name: {"error": str(found), "exit_code": found.exit_code}
                if isinstance(found, SDKError)
                else found.to_json()
                for name, found in self.by_device.items()
            }
        }

    def text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(
            f"{name}: no table: {found}" if isinstance(found, SDKError) else found.text()
            for name, found in self.by_device.items()
        )

    def require(self) -> None:
        """Raise the first error, with how many devices had one."""
        failed = {name: found for name, found in self.by_device.items() if isinstance(found, SDKError)}
        if failed:
            name, error = next(iter(failed.items()))
            raise type(error)(
                f"{len(failed)} of {len(self.by_device)} devices have no table: {name}: {error}"
            )


def profile_devices(
    devices: Sequence[str | DeviceProfile],
    space: MobileSpace,
    *,
    precision: str | None = None,
    tables: Path = Path("latency_tables"),
    preset: str | ProfileConfig = "default",
    seed: int = 0,
    again: bool = False,
    progress: Progress = SILENT,
) -> ProfileResults:
    """Measure a space on several devices; one that fails takes none of the others with it.

    What runs here comes first, one device after the other, since building artifacts for others would
    disturb it. The arguments are those of :func:`edgewright.pipeline.profile.profile_device`.

    Raises:
        UsageError: a device is named twice.
        ProfileError: no device has such a name.
    """
    profiles = [each if isinstance(each, DeviceProfile) else DeviceProfile.find(each) for each in devices]
    names = [profile.name for profile in profiles]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{', '.join(sorted(twice))} is named more than once; name each device once")
    found: dict[str, ProfileResult | SDKError | BaseException] = {}

    def measure(profile: DeviceProfile) -> None:
        try:
            found[profile.name] = profile_device(
                profile,
                space,
                precision=precision,
                tables=tables,
                preset=preset,
                seed=seed,
                again=again,
                progress=progress,
            )
        except SDKError as error:
            found[profile.name] = error

    with progress.task(f"measuring {space.name} on {len(profiles)} devices", len(profiles)) as task:
        for profile in profiles:
            if profile.is_local:
                measure(profile)
                task.update(len(found))
        _at_once([profile for profile in profiles if not profile.is_local], measure, found)
        task.update(len(found))
    return ProfileResults({name: _known(found[name]) for name in names})


def _at_once(
    profiles: Sequence[DeviceProfile],
    measure: Callable[[DeviceProfile], None],
    found: dict[str, ProfileResult | SDKError | BaseException],
) -> None:
    """Measure on all of ``profiles`` in threads that Ctrl-C does not wait for: each journal is whole."""

    def run(profile: DeviceProfile) -> None:
        try:
            measure(profile)
        except BaseException as error:  # raised again where it is seen
            found[profile.name] = error

    threads = [threading.Thread(target=run, args=(profile,), daemon=True) for profile in profiles]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # in steps, so that Ctrl-C is heard


def _known(outcome: ProfileResult | SDKError | BaseException) -> ProfileResult | SDKError:
    if isinstance(outcome, (ProfileResult, SDKError)):
        return outcome
    raise outcome

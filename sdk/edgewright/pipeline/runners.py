"""Where a device's artifacts are timed: in this process, or by the agent that ssh reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgewright.backends.registry import runtime
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError
from edgewright.latency.local_runner import LocalRunner
from edgewright.latency.runner import Runner
from edgewright.pipeline.card import require_card
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.remote.client import Client
from edgewright.remote.runner import RemoteRunner

# Why the vendor's own tool is not asked there: it would have to be installed and run beside the agent.
BEHIND_SSH = "the device is behind ssh, where the vendor's tool is not run"


@contextmanager
def runner_on(
    profile: DeviceProfile,
    *,
    progress: Progress = SILENT,
    note: Callable[[str], object] = lambda text: None,
) -> Iterator[Runner]:
    """Open the runner of a device; leaving the block lets the device go.

    Args:
        profile: of the device.
        progress: told what a user should see, such as a link that broke and is made again.
        note: told what a device behind ssh is doing.

    Raises:
        DeviceUnavailableError: it is not attached or cannot be reached, or this machine has another GPU.
        DeviceBusyError: another host measures on it.
        MissingExtraError: its runtime is not installed.
    """
    require_attached(profile)
    if profile.is_local:
        require_card(profile)
        yield LocalRunner(
            runtime(profile.runtime),
            threads=profile.threads,
            emulated=profile.emulated,
            affinity=profile.affinity,
        )
        return
    client = client_of(profile)
    try:
        yield RemoteRunner(
            client,
            profile.runtime,
            threads=profile.threads,
            affinity=profile.affinity,
            emulated=profile.emulated,
            note=note,
            say=progress.say,
        )
    finally:
        client.close()


def client_of(profile: DeviceProfile) -> Client:
    """Return the client of a device behind ssh, not yet connected. Raises ``DeviceUnavailableError``."""
    if profile.ssh is None:
        raise DeviceUnavailableError(
            f"device {profile.name} is not behind ssh (reach = {profile.reach!r} in {profile.path}); write "
            'reach = "ssh://user@host" in a copy of the profile'
        )
    return Client(profile.ssh, name=profile.name, python=profile.python)


def require_attached(profile: DeviceProfile) -> None:
    """Raise ``DeviceUnavailableError`` unless the device is this machine or behind ssh."""
    if not profile.is_local and profile.ssh is None:
        # What TensorRT runs it also builds, so that for most of its work ssh is no way.
        ssh = 'write reach = "ssh://user@host" in a copy of the profile, or '
        raise DeviceUnavailableError(
            f"device {profile.name} is not attached to this machine (reach = {profile.reach!r} in "
            f"{profile.path}); {'' if profile.runtime == 'tensorrt' else ssh}run this on the device itself "
            "with a profile whose reach is 'local'"
        )

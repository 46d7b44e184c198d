"""Which NVIDIA card an engine is for: what can be built here, and what can be run here.

TensorRT times kernels on the card that it builds for, so its engines come from the device itself.
TensorRT-RTX builds ahead of time for a compute capability, on any machine.
"""

from __future__ import annotations

from typing import NamedTuple

from edgewright.backends.tensorrt import cuda
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError, ProfileError

_OF_NVIDIA = ("tensorrt", "tensorrt-rtx")


class Fault(NamedTuple):
    """What is in the way, and the mend."""

    found: str
    mend: str

    def __str__(self) -> str:
        return f"{self.found}; {self.mend}"


def engine_capability(profile: DeviceProfile) -> str:
    """Return the compute capability that engines for a device are built for; empty for other runtimes.

    A profile of this machine may leave it to the card that is here.
    """
    if profile.runtime not in _OF_NVIDIA:
        return ""
    return profile.compute_capability or (cuda.compute_capability() if profile.is_local else "")


def builder_fault(profile: DeviceProfile) -> Fault | None:
    """Return why this machine cannot build artifacts for a device; ``None`` where it can."""
    if profile.runtime == "tensorrt-rtx":
        if engine_capability(profile):
            return None
        return Fault(
            f"{profile.path} names no compute capability, and tensorrt-rtx builds an engine for one",
            'write compute_capability = "8.9" into it, as developer.nvidia.com/cuda-gpus lists the card',
        )
    if profile.runtime != "tensorrt":
        return None
    if profile.ssh is not None:
        return Fault(
            f"tensorrt builds an engine on the card that runs it, and {profile.name} is behind ssh "
            f"(reach = {profile.reach!r} in {profile.path})",
            _elsewhere(profile),
        )
    return _card_fault(profile, "tensorrt builds an engine on the card that runs it")


def require_builder(profile: DeviceProfile) -> None:
    """Raise unless artifacts for a device can be built on this machine.

    Raises:
        DeviceUnavailableError: an engine must be built on the device itself, and that is not this machine.
        ProfileError: the profile does not say what card it is.
    """
    if (fault := builder_fault(profile)) is not None:
        unknown = profile.runtime == "tensorrt-rtx"
        raise (ProfileError if unknown else DeviceUnavailableError)(str(fault))


def card_fault(profile: DeviceProfile) -> Fault | None:
    """Return why a device that is said to be this machine is not; ``None`` where it is, or needs no card."""
    if profile.runtime not in _OF_NVIDIA or not profile.is_local:
        return None
    return _card_fault(profile, f"{profile.runtime} runs on an NVIDIA GPU")


def require_card(profile: DeviceProfile) -> None:
    """Raise ``DeviceUnavailableError`` where a device of this machine has another card, or none."""
    if (fault := card_fault(profile)) is not None:
        raise DeviceUnavailableError(str(fault))


def other_card(profile: DeviceProfile) -> str:
    """Return the compute capability of the card here where an engine is for another one; empty otherwise.

    Where there is no card, the runtime says so itself.
    """
    here, there = cuda.compute_capability(), profile.compute_capability
    return here if profile.runtime in _OF_NVIDIA and there and here != there else ""


def _card_fault(profile: DeviceProfile, why: str) -> Fault | None:
    if cuda.n_devices() == 0:
        return Fault(f"{why}, and this machine has no NVIDIA GPU for {profile.name}", _elsewhere(profile))
    if here := other_card(profile):
        return Fault(
            f"{why}, and the GPU of this machine has compute capability {here} where {profile.name} has "
            f"{profile.compute_capability} ({profile.path})",
            _elsewhere(profile),
        )
    return None


def _elsewhere(profile: DeviceProfile) -> str:
    mend = "run edgewright on the device itself, with a profile whose reach is 'local'"
    if profile.kind == "jetson" or profile.runtime != "tensorrt":
        return mend
    return f"{mend}, or build ahead of time with runtime = 'tensorrt-rtx', which takes GeForce and RTX cards"

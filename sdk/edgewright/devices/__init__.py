"""Devices: what a profile states of a target, what this machine is, and how it is now."""

from edgewright.devices.conditions import Conditions, check_gates, read_conditions
from edgewright.devices.probe import Fingerprint, probe
from edgewright.devices.profile import DeviceProfile, Figure, Gates, list_profiles

__all__ = [
    "Conditions",
    "DeviceProfile",
    "Figure",
    "Fingerprint",
    "Gates",
    "check_gates",
    "list_profiles",
    "probe",
    "read_conditions",
]

"""Shared-weight networks: elastic layers, extraction to plain ones, calibration."""

from edgewright.supernet.calibrate import calibrate
from edgewright.supernet.extract import extract
from edgewright.supernet.fold import fold_norms
from edgewright.supernet.plain import module_from_operator, network_from_architecture
from edgewright.supernet.supernet import Supernet

__all__ = [
    "Supernet",
    "calibrate",
    "extract",
    "fold_norms",
    "module_from_operator",
    "network_from_architecture",
]

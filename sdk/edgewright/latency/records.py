"""What a latency table holds of operators and networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edgewright.latency.measurement import Measurement
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.operator import Operator


@dataclass(frozen=True, slots=True)
class Entry:
    """What was measured of one operator, behind its lead (:attr:`Operator.lead`).

    Attributes:
        warm: calls that follow calls of the same operator.
        cold: calls that follow one of another operator.
    """

    warm: Measurement
    cold: Measurement

    @property
    def median_ms(self) -> float:
        """Median of the warm calls."""
        return self.warm.median_ms

    @property
    def verdict(self) -> str:
        """``ok`` or ``noisy``, of the warm calls."""
        return self.warm.verdict


class NetCost(NamedTuple):
    """What an operator adds to a network, without its lead.

    Attributes:
        warm_ms: of warm calls.
        cold_ms: of cold calls.
        spilled: share of its working set that the core's own cache cannot hold, from 0 to 1.
        is_fixed: whether every network has it: depth adds residual blocks only.
    """

    warm_ms: float
    cold_ms: float
    spilled: float = 0.0
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """An operator that the runtime would not build or run."""

    reason: str


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A whole network that was measured.

    Attributes:
        architecture: the network.
        measurement: calls that follow calls of the same network, as in ``edgewright bench``.
        role: ``fit`` if the correction saw it, ``validate`` if it did not.
    """

    architecture: Architecture
    measurement: Measurement
    role: str

    @property
    def value(self) -> float:
        """Median latency in ms: what a model predicts."""
        return self.measurement.median_ms

    @property
    def noisy(self) -> bool:
        """Whether its own measurement is."""
        return self.measurement.verdict == "noisy"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "architecture": self.architecture.to_json(),
            "role": self.role,
            "measurement": self.measurement.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkRecord:
        """Return what ``to_json`` described. Raises ``TableError`` for absurd samples."""
        arch = architecture_from_json(data["architecture"])
        return cls(arch, Measurement.from_json(data["measurement"]), data["role"])


@dataclass(frozen=True, slots=True)
class Anchor:
    """One operator measured again in every segment, to see the machine drift.

    Attributes:
        operator: which.
        medians_ms: warm median of each segment, in order of time.
    """

    operator: Operator
    medians_ms: tuple[float, ...]

    @property
    def drift_percent(self) -> float:
        """Distance of the quartiles of the medians over their median, in percent."""
        if not self.medians_ms:
            return 0.0
        low, middle, high = np.percentile(self.medians_ms, [25, 50, 75])
        return float((high - low) / middle * 100)


def architecture_from_json(data: Mapping[str, Any]) -> Architecture:
    """Return the architecture that ``Architecture.to_json`` described."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Architecture(**values)

"""A table's second witness: one of its networks, measured by the vendor's own tool too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck
from edgewright.errors import TableError
from edgewright.latency.records import architecture_from_json
from edgewright.spaces.architecture import Architecture

# Has the vendor's tool measure an artifact, or says why there is nothing to ask.
VendorTool = Callable[[Path], CrossCheck | NoCrossCheck] | NoCrossCheck
_KEYS = {"network", "measured_ms", "vendor", "ratio", "reason"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCrossCheck:
    """What the vendor's tool says of one network of a table.

    Attributes:
        found: the tool's figures, or why there are none.
        network: that both measured; ``None`` without figures.
        measured_ms: our own median of it, of samples taken right before and right after the tool ran,
            or the table's where these could not be taken; ``None`` without figures.
    """

    found: CrossCheck | NoCrossCheck
    network: Architecture | None = None
    measured_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        """The tool's median over ours, of the same runs where it ran ours; ``None`` without figures."""
        if isinstance(self.found, NoCrossCheck) or self.measured_ms is None:
            return None
        return self.found.ratio(self.measured_ms)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        found = self.found
        return {
            "network": self.network.to_json() if self.network else None,
            "measured_ms": self.measured_ms,
            "vendor": found.to_json() if isinstance(found, CrossCheck) else None,
            "ratio": self.ratio,
            "reason": found.reason if isinstance(found, NoCrossCheck) else "",
        }

    @classmethod
    def from_json(cls, data: Any) -> NetworkCrossCheck:
        """Return what ``to_json`` described. Raises ``TableError`` where it is none."""
        if not isinstance(data, dict) or set(data) != _KEYS:
            raise TableError(f"a network's cross-check needs exactly the keys {sorted(_KEYS)}")
        if data["vendor"] is None:
            if not isinstance(data["reason"], str) or not data["reason"]:
                raise TableError("a cross-check without figures needs its reason")
            return cls(found=NoCrossCheck(data["reason"]))
        ours = data["measured_ms"]
        if isinstance(ours, bool) or not isinstance(ours, (int, float)) or not 0 < ours < 1e7:
            raise TableError(f"a cross-check needs our own median, a number of ms, got {ours!r:.40}")
        try:
            network = architecture_from_json(data["network"])
            if not all(type(value) is int for value in (network.resolution, *network.depths)):
                raise TypeError(f"its network is of {network.resolution!r} px and {network.depths!r} blocks")
            return cls(found=CrossCheck.from_json(data["vendor"]), network=network, measured_ms=float(ours))
        except (TypeError, ValueError, AttributeError) as error:
            raise TableError(f"the cross-check by the vendor's tool cannot be read: {error}") from error

    def text(self) -> str:
        """Return a line: both figures side by side and of which network, or why there are none."""
        if isinstance(self.found, NoCrossCheck):
            return f"no figure: {self.found.reason}"
        assert self.network is not None
        assert self.measured_ms is not None
        plain = f", {self.measured_ms:.4g} ms without the tool" if self.found.same_runs_ms is not None else ""
        return (
            f"{self.found.line(self.measured_ms)}{plain}, on a network of {self.network.resolution} px and "
            f"{sum(self.network.depths)} blocks"
        )

"""What the verbs that measure whole networks give back: a model, where it lies, and how far it is off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from edgewright.latency.model import NetworkModel

Model = TypeVar("Model", bound=NetworkModel)


@dataclass(frozen=True, slots=True)
class ModelResult(Generic[Model]):
    """A model of whole networks and where it lies.

    Attributes:
        path: the file.
        model: what was measured, and its error.
        reused: whether it was there already.
    """

    path: Path
    model: Model
    reused: bool

    def to_json(self) -> dict[str, Any]:
        """Return the main facts as JSON values."""
        return {"model": str(self.path), "reused": self.reused, **self.model.summary()}

    def headline(self, behind: str) -> str:
        """Return what was measured of what.

        Args:
            behind: what is known of the device beside the networks.
        """
        model = self.model
        n_fit = sum(record.role == "fit" for record in model.networks)
        when = ", measured earlier; --again measures anew" if self.reused else f" in {model.seconds:.0f} s"
        return (
            f"{self.path}: {n_fit} whole networks of {model.space_name} on {model.device} "
            f"({model.runtime_version}, {model.precision}, {model.threads} thread), "
            f"{behind} behind them{when}"
        )

    def error_lines(self) -> list[str]:
        """Return what is known of the model's error, a line each."""
        model, found, lines = self.model, self.model.validation, list[str]()
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

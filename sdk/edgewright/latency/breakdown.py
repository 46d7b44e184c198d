"""What each operator adds to the predicted latency of one network."""

from __future__ import annotations

from dataclasses import dataclass

from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import Operator


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """One operator of a network.

    Attributes:
        label: its place: ``stem``, ``block 2.1`` (second stage, first block), ``head``.
        operator: which.
        cost_ms: that it adds to the network's latency, corrected.
        noisy: whether its own measurement is.
    """

    label: str
    operator: Operator
    cost_ms: float
    noisy: bool


def breakdown(table: LatencyTable, space: MobileSpace, arch: Architecture) -> tuple[OperatorCost, ...]:
    """Return the costs of a network's operators in order of execution; they sum to its prediction.

    Raises:
        MissingEntryError: the table does not cover the space.
        ArchitectureError: the network is not one of the space.
    """
    predictor = LatencyPredictor(table, space)
    return tuple(
        OperatorCost(
            label,
            operator,
            predictor.cost_ms(operator),
            operator in table.entries and table.entries[operator].verdict == "noisy",
        )
        for label, operator in zip(places(arch), space.operators(arch), strict=True)
    )


def places(arch: Architecture) -> tuple[str, ...]:
    """Return what each operator of a network is called, in order of execution."""
    blocks = (f"block {s}.{b}" for s, depth in enumerate(arch.depths, 1) for b in range(1, depth + 1))
    return ("stem", "block 0", *blocks, "head")

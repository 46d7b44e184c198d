"""Whether the numbers of a table can be milliseconds of the operators that they are given for.

Bounds are wide: they are meant for mistakes of a unit (a factor of 1000) and for single absurd
entries, never for noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgewright.errors import UsageError
from edgewright.spaces import find_space
from edgewright.spaces.operator import Operator

if TYPE_CHECKING:
    from edgewright.latency.table import LatencyTable

# Sums of operators lie between 0.3 and 5 times their network, launch overheads included.
_NETWORK_FACTOR = 50.0
# An operator against those of about its size: squeeze-and-excitation and 7x7 kernels cost up to five times.
_NEIGHBOUR_FACTOR = 100.0
_N_NEIGHBOURS = 10


def implausible(table: LatencyTable) -> list[str]:
    """Return what cannot be true of a table's entries, in sentences; empty where all is plausible."""
    return [*_unit_faults(table), *_entry_faults(table)]


def _unit_faults(table: LatencyTable) -> list[str]:
    """Return whether operators and whole networks can be in the same unit."""
    try:
        space = find_space(table.space_name)
        networks = [(record.measurement, space.operators(record.architecture)) for record in table.networks]
    except UsageError:  # a space that this edgewright does not know: nothing to compare with
        return []
    sums = [
        sum(net.warm_ms for net in costs) / measurement.median_ms
        for measurement, operators in networks
        if len(costs := [net for op in operators if (net := table.net_ms(op)) is not None]) == len(operators)
    ]
    if not sums:
        return []
    factor = float(np.median(sums))
    if factor > _NETWORK_FACTOR:
        return [
            f"its operators sum to {factor:.3g} times what whole networks measured: entries look like "
            f"{_unit(factor)} given as ms"
        ]
    if factor < 1 / _NETWORK_FACTOR:
        return [
            f"its whole networks measured {1 / factor:.3g} times the sum of their operators: networks look "
            f"like {_unit(1 / factor)} given as ms"
        ]
    return []


def _entry_faults(table: LatencyTable) -> list[str]:
    """Return single entries that are far from the operators of about their size."""
    operators = sorted(table.entries, key=lambda operator: (operator.macs, operator))
    if len(operators) < _N_NEIGHBOURS:
        return []
    cost_ms = np.array([table.entries[operator].median_ms for operator in operators])
    return [
        text
        for index, operator in enumerate(operators)
        if (text := _far_from(cost_ms, index, operator)) is not None
    ]


def _far_from(cost_ms: np.ndarray, index: int, operator: Operator) -> str | None:
    start = min(max(0, index - _N_NEIGHBOURS // 2), len(cost_ms) - _N_NEIGHBOURS)
    usual = float(np.median(cost_ms[start : start + _N_NEIGHBOURS]))
    found = float(cost_ms[index])
    if usual / _NEIGHBOUR_FACTOR <= found <= usual * _NEIGHBOUR_FACTOR:
        return None
    return f"{operator.key} takes {found:.3g} ms, operators of its size take {usual:.3g} ms"


def _unit(factor: float) -> str:
    return "ns" if factor > 3e4 else "µs"

"""Predicted latency of any network of a space, from a table of its operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from edgewright.errors import ArchitectureError
from edgewright.latency.correction import (
    BYTES_OF_A_VALUE,
    FEATURES,
    Correction,
    cold_share,
    features,
    fit,
    in_context,
)
from edgewright.latency.records import NetCost, NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.latency.validation import validate
from edgewright.spaces.architecture import Architecture, CostTable, FloatArray, IntArray, Space
from edgewright.spaces.operator import Operator

Nets = Mapping[Operator, NetCost]
# Above every budget, and finite: a cost table multiplies the costs of unused slots by zero.
NEVER_MS = 1e12


class LatencyPredictor:
    """Sums the corrected costs of a network's operators.

    Networks with an operator that failed on the device are predicted to take :data:`NEVER_MS`.

    Args:
        table: of the device; may be that of a wider space.
        space: whose encodings are predicted.

    Raises:
        MissingEntryError: the table does not cover the space.
    """

    def __init__(self, table: LatencyTable, space: Space) -> None:
        table.require_space(space)
        self.table = table
        self.space = space
        self._nets = _nets(table)
        self._cost = space.tabulate(self.cost_ms)

    def cost_ms(self, operator: Operator) -> float:
        """Return what an operator adds to the latency of a network."""
        net = self._nets.get(operator)
        return NEVER_MS if net is None else self.table.correction.cost_ms(net)

    def predict_ms(self, X: IntArray) -> FloatArray:
        """Return the latency of encodings ``(n, n_var)`` as ``(n,)``."""
        return self._cost(X)

    def std_ms(self, X: IntArray) -> FloatArray:
        """Return the standard deviation of :meth:`predict_ms`, ``(n,)``; NaN where no network was measured.

        The measured latency lies within 1.96 of it 95 times in a hundred; how often it did for
        networks that the correction has not seen is ``table.validation.coverage_95_percent``.
        """
        return self._std_ms(X, self.predict_ms(X))

    def _std_ms(self, X: IntArray, predicted_ms: FloatArray) -> FloatArray:
        F = np.stack([cost(X) for cost in self._feature_costs], axis=1)
        return self.table.correction.std_ms(F, predicted_ms)

    def at_most_ms(self, X: IntArray, z: float) -> FloatArray:
        """Return ``mean + z·std``, ``(n,)``: what to hold against a budget.

        A search looks for the networks that a table flatters (the optimiser's curse, Smith and Winkler
        2006), so a budget is held with a margin. The mean where the standard deviation is unknown.
        """
        mean = self.predict_ms(X)
        return mean + z * np.nan_to_num(self._std_ms(X, mean), nan=0.0)

    @cached_property
    def _feature_costs(self) -> list[CostTable]:
        def cost_of(name: str) -> CostTable:
            return self.space.tabulate(lambda operator: self._features(operator)[name])

        return [cost_of(name) for name in FEATURES]

    def _features(self, operator: Operator) -> dict[str, float]:
        net = self._nets.get(operator)
        return dict.fromkeys(FEATURES, 0.0) if net is None else features(net)

    def predict_one(self, arch: Architecture) -> float:
        """Return the latency of one architecture. Raises ``ArchitectureError``."""
        return float(self.predict_ms(self.space.encode(arch)[None])[0])

    @property
    def error(self) -> float:
        """Mean absolute relative error on networks that the correction has not seen; NaN if unknown."""
        validation = self.table.validation
        return float("nan") if validation is None else validation.mape_percent / 100


def corrected(table: LatencyTable, space: Space) -> LatencyTable:
    """Return the table with its correction fitted on, and its error taken from, its own networks.

    Networks with role ``fit`` make the correction; those with role ``validate`` judge it.
    """
    nets = _nets(table)
    measurable = [record for record in table.networks if _is_covered(record, nets, space)]
    fitted = [record for record in measurable if record.role == "fit"]
    held_out = [record for record in measurable if record.role == "validate"]
    plain = _plain(table, space)
    correction = fit(_feature_matrix(fitted, nets, space), _medians(fitted), plain)
    table = replace(table, correction=correction)
    if not held_out:
        return replace(table, validation=None)
    F = _feature_matrix(held_out, nets, space)
    predicted = np.array([_predict(record, correction, nets, space) for record in held_out])
    validation = validate(
        [record.architecture for record in held_out],
        _medians(held_out),
        predicted,
        F @ plain.vector,
        correction.std_ms(F, predicted),
    )
    return replace(table, validation=validation)


def _plain(table: LatencyTable, space: Space) -> Correction:
    """Return the sum of operators as they are called in a network of the space, on the table's machine."""
    ends = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    params = space.tabulate(lambda operator: float(operator.params))(ends)
    weight_bytes = float(np.sqrt(params.prod())) * BYTES_OF_A_VALUE[table.precision]
    return in_context(cold_share(weight_bytes, table.fingerprint.core_cache_bytes))


def _nets(table: LatencyTable) -> Nets:
    """Return the net cost of every operator that has one: medians of samples, taken once."""
    return {op: net for op in table.entries if (net := table.net_ms(op)) is not None}


def _is_covered(record: NetworkRecord, nets: Nets, space: Space) -> bool:
    try:
        operators = space.operators(record.architecture)
    except ArchitectureError:  # of a wider space
        return False
    return all(operator in nets for operator in operators)


def _medians(records: list[NetworkRecord]) -> FloatArray:
    return np.array([record.measurement.median_ms for record in records])


def _feature_matrix(records: list[NetworkRecord], nets: Nets, space: Space) -> FloatArray:
    """Return the features of networks, ``(n, n_features)``."""
    F = np.zeros((len(records), len(FEATURES)))
    for row, record in zip(F, records, strict=True):
        for operator in space.operators(record.architecture):
            values = features(nets[operator])
            row += [values[name] for name in FEATURES]
    return F


def _predict(record: NetworkRecord, correction: Correction, nets: Nets, space: Space) -> float:
    return sum(correction.cost_ms(nets[operator]) for operator in space.operators(record.architecture))

"""Predicted latency of any network of a space, from a table of its operators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgewright.errors import ArchitectureError
from edgewright.latency.correction import FEATURES, Correction, features, fit
from edgewright.latency.records import NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.latency.validation import validate
from edgewright.spaces.architecture import Architecture, FloatArray, IntArray, Space
from edgewright.spaces.operator import Operator

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
        self._cost = space.tabulate(self.cost_ms)

    def cost_ms(self, operator: Operator) -> float:
        """Return what an operator adds to the latency of a network."""
        if operator in self.table.failures:
            return NEVER_MS
        entry = self.table.entries[operator]
        return self.table.correction.cost_ms(operator, entry.warm, entry.cold)

    def predict_ms(self, X: IntArray) -> FloatArray:
        """Return the latency of encodings ``(n, n_var)`` as ``(n,)``."""
        return self._cost(X)

    def predict_one(self, arch: Architecture) -> float:
        """Return the latency of one architecture. Raises ``ArchitectureError``."""
        return float(self.predict_ms(self.space.encode(arch)[None])[0])

    @property
    def error(self) -> float:
        """Mean absolute relative error on networks that the correction has not seen; NaN if unknown."""
        validation = self.table.validation
        return float("nan") if validation is None else validation.mape_percent / 100

    @property
    def error_p95(self) -> float:
        """Relative error that 95 % of such networks stay below; 0 if none was measured."""
        validation = self.table.validation
        return 0.0 if validation is None else validation.p95_percent / 100


def corrected(table: LatencyTable, space: Space) -> LatencyTable:
    """Return the table with its correction fitted on, and its error taken from, its own networks.

    Networks with role ``fit`` make the correction; those with role ``validate`` judge it.
    """
    measurable = [record for record in table.networks if _is_covered(record, table, space)]
    fitted = [record for record in measurable if record.role == "fit"]
    held_out = [record for record in measurable if record.role == "validate"]
    correction = fit(_feature_matrix(fitted, table, space), _medians(fitted))
    table = replace(table, correction=correction)
    if not held_out:
        return replace(table, validation=None)
    F = _feature_matrix(held_out, table, space)
    predicted = np.array([_predict(record, table, space, correction) for record in held_out])
    validation = validate(
        [record.architecture for record in held_out],
        _medians(held_out),
        predicted,
        F[:, FEATURES.index("warm")],
    )
    return replace(table, validation=validation)


def _is_covered(record: NetworkRecord, table: LatencyTable, space: Space) -> bool:
    try:
        operators = space.operators(record.architecture)
    except ArchitectureError:  # of a wider space
        return False
    return all(operator in table.entries for operator in operators)


def _medians(records: list[NetworkRecord]) -> FloatArray:
    return np.array([record.measurement.median_ms for record in records])


def _feature_matrix(records: list[NetworkRecord], table: LatencyTable, space: Space) -> FloatArray:
    """Return the features of networks, ``(n, n_features)``."""
    F = np.zeros((len(records), len(FEATURES)))
    for row, record in zip(F, records, strict=True):
        for operator in space.operators(record.architecture):
            entry = table.entries[operator]
            values = features(operator, entry.warm.median_ms, entry.cold.median_ms)
            row += [values[name] for name in FEATURES]
    return F


def _predict(record: NetworkRecord, table: LatencyTable, space: Space, correction: Correction) -> float:
    return sum(
        correction.cost_ms(operator, table.entries[operator].warm, table.entries[operator].cold)
        for operator in space.operators(record.architecture)
    )

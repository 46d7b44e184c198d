"""How far predicted latencies are from measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgewright.spaces.architecture import Architecture, FloatArray

N_WORST = 5
NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A network that the table gets most wrong."""

    architecture: dict[str, Any]
    measured_ms: float
    predicted_ms: float
    error_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Error of a table on networks that its correction has not seen.

    Errors are shares of the measured latency, in percent.

    Attributes:
        n: networks.
        mape_percent: mean absolute error.
        raw_mape_percent: the same for the plain sum of operators, before any correction.
        within_5_percent: share of networks within ±5 %, in percent.
        within_10_percent: share of networks within ±10 %, in percent.
        p95_percent: absolute error that 95 % of the networks stay below.
        spearman: rank correlation of predicted and measured.
        coverage_95_percent: share of networks inside their 95 % interval, in percent; ``None`` where
            the predictions came without standard deviation.
        bias_percent: mean signed error; positive where the table promises more than is measured.
        worst: the networks with the largest absolute errors, worst first.
    """

    n: int
    mape_percent: float
    raw_mape_percent: float
    within_5_percent: float
    within_10_percent: float
    p95_percent: float
    spearman: float
    coverage_95_percent: float | None
    bias_percent: float
    worst: tuple[Worst, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"worst": [asdict(worst) for worst in self.worst]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Validation:
        """Return what ``to_json`` described. Raises ``TypeError`` where keys are missing or unknown."""
        return cls(**{**data, "worst": tuple(Worst(**worst) for worst in data["worst"])})


def validate(
    architectures: Sequence[Architecture],
    measured_ms: FloatArray,
    predicted_ms: FloatArray,
    raw_ms: FloatArray,
    std_ms: FloatArray | None = None,
) -> Validation:
    """Return the error of predictions ``(n,)`` against measurements ``(n,)``; n >= 1.

    Args:
        architectures: the networks, ``(n,)``.
        measured_ms: medians.
        predicted_ms: of the corrected table.
        raw_ms: sums of the operators' medians.
        std_ms: standard deviations of the predictions; NaN or ``None`` where they are unknown.
    """
    inside = None
    if std_ms is not None and np.isfinite(std_ms).all():
        inside = float((np.abs(measured_ms - predicted_ms) <= NORMAL_95 * std_ms).mean() * 100)
    error = (predicted_ms / measured_ms - 1) * 100
    size = np.abs(error)
    order = np.argsort(-size)[:N_WORST]
    return Validation(
        n=len(measured_ms),
        mape_percent=float(size.mean()),
        raw_mape_percent=float(np.abs(raw_ms / measured_ms - 1).mean() * 100),
        within_5_percent=float((size <= 5).mean() * 100),
        within_10_percent=float((size <= 10).mean() * 100),
        p95_percent=float(np.percentile(size, 95)),
        spearman=spearman(predicted_ms, measured_ms),
        coverage_95_percent=inside,
        bias_percent=float(error.mean()),
        worst=tuple(
            Worst(
                architecture=architectures[i].to_json(),
                measured_ms=float(measured_ms[i]),
                predicted_ms=float(predicted_ms[i]),
                error_percent=float(error[i]),
            )
            for i in order
        ),
    )


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Return the rank correlation of two vectors ``(n,)``; 0 where one of them is constant."""
    ranks = [_ranks(np.asarray(values)) for values in (a, b)]
    deviations = [rank - rank.mean() for rank in ranks]
    norm = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return float(deviations[0] @ deviations[1]) / norm if norm > 0 else 0.0


def _ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 0; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: FloatArray = last - (counts + 1) / 2
    return shared[inverse]

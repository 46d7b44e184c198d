"""From sums of operators to latencies of networks: an additive correction fitted on whole networks.

The sum of operators measured by themselves is not the latency of a network: each carries the cost
of a call and of its borders, and its data lies in other caches than in a network. What is missing
is itself nearly additive, so the corrected cost of an operator is ``Σ_j c_j · feature_j`` and stays
a table lookup. With no network measured the correction is the plain sum.

``c`` is the ridge estimate around that plain sum (Bayesian linear regression whose prior mean says
that the measured operators are right): it minimises ``Σ_i ((F c)_i / y_i - 1)² + λ n Σ_j (s_j (c_j -
p_j))²`` with the prior ``p``, ``s_j`` the root mean square of ``F_j / y`` and ``λ`` chosen by
leave-one-out error. Errors are relative, since budgets are met or missed relatively, and weighted
after Huber.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgewright.errors import TableError
from edgewright.latency.measure import Measurement
from edgewright.spaces.architecture import FloatArray
from edgewright.spaces.operator import Operator

# Unit of each feature, chosen so that coefficients are of the order of one.
FEATURES = ("warm", "cold", "calls", "macs", "params")
PRIOR: dict[str, float] = {"warm": 1.0, "cold": 0.0, "calls": 0.0, "macs": 0.0, "params": 0.0}
_LAMBDAS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
_HUBER = 1.345  # 95 % as efficient as least squares on normal errors
_REWEIGHTINGS = 8
MIN_NETWORKS = 4  # below that leave-one-out says nothing
# A corrected operator may not cost less than this share of what it measured warm: a deeper network
# must never be predicted faster.
MIN_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Coefficients of an operator's features.

    Attributes:
        coefficients: by name of :data:`FEATURES`; ms per unit.
        ridge: the λ that was chosen; 0 where nothing was fitted.
        n: networks that were fitted.
        leave_one_out_percent: mean absolute error on each network by a fit of the others.
    """

    coefficients: Mapping[str, float]
    ridge: float
    n: int
    leave_one_out_percent: float

    def cost_ms(self, operator: Operator, warm: Measurement, cold: Measurement) -> float:
        """Return the corrected cost of an operator."""
        values = features(operator, warm.median_ms, cold.median_ms)
        total = sum(self.coefficients[name] * value for name, value in values.items())
        return max(total, MIN_SHARE * warm.median_ms)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "coefficients": dict(self.coefficients),
            "ridge": self.ridge,
            "n": self.n,
            "leave_one_out_percent": self.leave_one_out_percent,
        }

    @classmethod
    def from_json(cls, data: Any) -> Correction:
        """Return what ``to_json`` described. Raises ``TableError``."""
        keys = {"coefficients", "ridge", "n", "leave_one_out_percent"}
        if not isinstance(data, dict) or set(data) != keys:
            raise TableError(f"a correction needs exactly the keys {sorted(keys)}")
        coefficients = data["coefficients"]
        if not isinstance(coefficients, dict) or set(coefficients) != set(FEATURES):
            raise TableError(f"a correction needs coefficients of {', '.join(FEATURES)}")
        if not all(isinstance(value, (int, float)) and np.isfinite(value) for value in coefficients.values()):
            raise TableError("the coefficients of a correction must be finite numbers")
        return cls(**data)


NO_CORRECTION = Correction(coefficients=PRIOR, ridge=0.0, n=0, leave_one_out_percent=0.0)


def features(operator: Operator, warm_ms: float, cold_ms: float) -> dict[str, float]:
    """Return what an operator adds to each feature of its network."""
    return {
        "warm": warm_ms,
        "cold": cold_ms,
        "calls": 1e-2,  # 10 µs
        "macs": operator.macs * 1e-8,  # ms at 100 G multiply-accumulates a second
        "params": operator.params * 1e-6,
    }


def fit(F: FloatArray, measured_ms: FloatArray) -> Correction:
    """Return the correction of networks with features ``F`` ``(n, n_features)`` and latencies ``(n,)``.

    Columns are in the order of :data:`FEATURES`. With fewer than :data:`MIN_NETWORKS` networks
    nothing is fitted.
    """
    if len(measured_ms) < MIN_NETWORKS:
        return NO_CORRECTION
    prior = np.array([PRIOR[name] for name in FEATURES])
    W = F / measured_ms[:, None]  # (n, n_features), the ideal row sum is 1
    scale = np.sqrt((W**2).mean(axis=0))
    Z, residual = W / scale, 1 - W @ prior
    best: tuple[float, float, FloatArray] | None = None
    for ridge in _LAMBDAS:
        c, loo = _robust_ridge(Z, residual, ridge)
        # Within a percent of the best, the stronger ridge is the safer one.
        if best is None or loo <= best[0] * 1.01:
            best = (loo if best is None else min(loo, best[0]), ridge, c)
    assert best is not None
    coefficients = prior + best[2] / scale
    return Correction(
        coefficients={name: float(value) for name, value in zip(FEATURES, coefficients, strict=True)},
        ridge=best[1],
        n=len(measured_ms),
        leave_one_out_percent=best[0] * 100,
    )


def _robust_ridge(Z: FloatArray, target: FloatArray, ridge: float) -> tuple[FloatArray, float]:
    """Return coefficients ``(n_features,)`` and the mean absolute leave-one-out error.

    Huber's weights by iterated reweighting: a network that met a busy machine may not bend the fit.
    """
    n, n_features = Z.shape
    weight = np.ones(n)
    for _ in range(_REWEIGHTINGS):
        V = Z * weight[:, None]
        gram = Z.T @ V + ridge * n * np.eye(n_features)
        c = np.linalg.solve(gram, V.T @ target)
        error = target - Z @ c
        spread = 1.4826 * float(np.median(np.abs(error)))  # the standard deviation of a normal law
        weight = np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(error), 1e-12))
    leverage = np.einsum("ij,ji->i", Z, np.linalg.solve(gram, V.T))
    return c, float(np.abs(error / np.maximum(1 - leverage, 1e-3)).mean())

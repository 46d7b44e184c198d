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

The posterior of that regression also says how far a prediction may be trusted: what is left of each
network when the others predict it gives the noise, the networks' features the uncertainty of ``c``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edgewright.errors import TableError
from edgewright.latency.records import NetCost
from edgewright.latency.validation import NORMAL_95
from edgewright.spaces.architecture import FloatArray
from edgewright.spaces.operator import Operator

# Their units are chosen so that coefficients are of the order of one. ``once`` is what every network has
# alike, shared among the operators that none lacks, so that none becomes free; ``spilled`` the warm time
# of operators in so far as the core's own cache cannot hold what they work on: those a loop keeps no
# warmer than a network does (docs/adr/0011).
FEATURES = ("warm", "cold", "calls", "once", "spilled")
BYTES_OF_A_VALUE = {"fp32": 4, "fp16": 2, "int8": 1}
# Of a network larger than the caches, an operator finds most of its data as a stranger's call left
# it, and some as its predecessor just wrote it (measured on seven tables: docs/adr/0008).
COLD_SHARE = 0.7
_FIRST = 3  # features of the first tables
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
        noise: standard deviation of a network around its prediction, over the prediction; ``None``
            where nothing was fitted.
        covariance: of the coefficients, rows and columns in the order of :data:`FEATURES`.
    """

    coefficients: Mapping[str, float]
    ridge: float
    n: int
    leave_one_out_percent: float
    noise: float | None = None
    covariance: tuple[tuple[float, ...], ...] = ()

    @property
    def vector(self) -> FloatArray:
        """The coefficients in the order of :data:`FEATURES`."""
        return np.array([self.coefficients[name] for name in FEATURES])

    def cost_ms(self, net: NetCost) -> float:
        """Return the corrected cost of an operator that costs ``net`` as measured."""
        values = features(net)
        total = sum(self.coefficients[name] * value for name, value in values.items())
        return max(total, MIN_SHARE * net.warm_ms)

    def std_ms(self, F: FloatArray, predicted_ms: FloatArray) -> FloatArray:
        """Return the standard deviation of predictions ``(n,)`` of networks with features ``F``.

        It is that of a normal law with the same 95 % interval as the predictive Student law. NaN
        where nothing was fitted.
        """
        if self.noise is None:
            return np.full(len(F), np.nan)
        W = F / predicted_ms[:, None]
        relative = np.sqrt(self.noise**2 + np.einsum("ij,jk,ik->i", W, np.array(self.covariance), W))
        std: FloatArray = predicted_ms * relative * _student_95(self.n - len(FEATURES)) / NORMAL_95
        return std

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "coefficients": dict(self.coefficients),
            "ridge": self.ridge,
            "n": self.n,
            "leave_one_out_percent": self.leave_one_out_percent,
            "noise": self.noise,
            "covariance": [list(row) for row in self.covariance],
        }

    @classmethod
    def from_json(cls, data: Any) -> Correction:
        """Return what ``to_json`` described. Raises ``TableError``."""
        keys = {"coefficients", "ridge", "n", "leave_one_out_percent", "noise", "covariance"}
        if not isinstance(data, dict) or set(data) != keys:
            raise TableError(f"a correction needs exactly the keys {sorted(keys)}")
        coefficients = data["coefficients"]
        if isinstance(coefficients, dict) and set(coefficients) == set(FEATURES[:_FIRST]):
            data, coefficients = _grown(data)  # a table made before the others
        if not isinstance(coefficients, dict) or set(coefficients) != set(FEATURES):
            raise TableError(f"a correction needs coefficients of {', '.join(FEATURES)}")
        if not all(isinstance(value, (int, float)) and np.isfinite(value) for value in coefficients.values()):
            raise TableError("the coefficients of a correction must be finite numbers")
        covariance = np.array(data["covariance"], dtype=np.float64)
        if data["noise"] is not None and covariance.shape != (len(FEATURES), len(FEATURES)):
            raise TableError(f"the covariance of a correction must be square in {', '.join(FEATURES)}")
        return cls(**{**data, "covariance": tuple(tuple(row) for row in data["covariance"])})


def _grown(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields, and the coefficients among them, with later features that add nothing."""
    later = FEATURES[_FIRST:]
    coefficients = {**data["coefficients"], **dict.fromkeys(later, 0.0)}
    covariance = [[*row, *[0.0] * len(later)] for row in data["covariance"]]
    covariance += [[0.0] * len(FEATURES) for _ in later if covariance]
    return {**data, "coefficients": coefficients, "covariance": covariance}, coefficients


def cold_share(weight_bytes: float, cache_bytes: float) -> float:
    """Return how cold an operator is called in a network with so many weights, from 0 to 1.

    A network that fits into the core's own cache is all warm: its operators cost what they cost in
    a loop by themselves.
    """
    return COLD_SHARE * spilled_share(weight_bytes, cache_bytes)


def working_set_bytes(operator: Operator, precision: str) -> int:
    """Return the bytes of an operator's activations, those inside it among them, and of its weights.

    The head's weights are not counted: every network has them alike.
    """
    inside = operator.mid_channels * (operator.in_size**2 + operator.out_size**2)
    ends = operator.in_channels * operator.in_size**2 + operator.out_channels * operator.out_size**2
    weights = 0 if operator.kind == "head" else operator.params
    return (inside + ends + weights) * BYTES_OF_A_VALUE.get(precision, 4)


def spilled_share(needed_bytes: float, cache_bytes: float) -> float:
    """Return the share of what is needed that a cache cannot hold, from 0 to 1."""
    return max(0.0, 1 - cache_bytes / max(needed_bytes, 1))


def in_context(share: float) -> Correction:
    """Return the plain sum of operators between warm and cold: what is known before networks are measured."""
    coefficients = {**dict.fromkeys(FEATURES, 0.0), "warm": 1 - share, "cold": share}
    return Correction(coefficients=coefficients, ridge=0.0, n=0, leave_one_out_percent=0.0)


NO_CORRECTION = in_context(0.0)


def features(net: NetCost) -> dict[str, float]:
    """Return what an operator that costs ``net`` as measured adds to each feature of its network."""
    return {
        "warm": net.warm_ms,
        "cold": net.cold_ms,
        "calls": 1e-2,  # 10 µs
        "once": 1e-2 if net.is_fixed else 0.0,  # 10 µs
        "spilled": net.spilled * net.warm_ms,
    }


def fit(F: FloatArray, measured_ms: FloatArray, plain: Correction = NO_CORRECTION) -> Correction:
    """Return the correction of networks with features ``F`` ``(n, n_features)`` and latencies ``(n,)``.

    Columns are in the order of :data:`FEATURES`. With fewer than :data:`MIN_NETWORKS` networks
    nothing is fitted: the result is ``plain``, around which the others are fitted.
    """
    if len(measured_ms) < MIN_NETWORKS:
        return plain
    prior = plain.vector
    W = F / measured_ms[:, None]  # (n, n_features), the ideal row sum is 1
    scale = np.sqrt((W**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    Z, residual = W / scale, 1 - W @ prior
    best: tuple[float, float, _Ridge] | None = None
    for ridge in _LAMBDAS:
        found = _robust_ridge(Z, residual, ridge)
        loo = float(np.abs(found.left_out).mean())
        # Within a percent of the best, the stronger ridge is the safer one.
        if best is None or loo <= best[0] * 1.01:
            best = (loo if best is None else min(loo, best[0]), ridge, found)
    assert best is not None
    loo, ridge, found = best
    noise = _noise(found.left_out, found.leverage)
    covariance = noise**2 * np.linalg.inv(found.gram) / np.outer(scale, scale)
    coefficients = prior + found.coefficients / scale
    return Correction(
        coefficients={name: float(value) for name, value in zip(FEATURES, coefficients, strict=True)},
        ridge=ridge,
        n=len(measured_ms),
        leave_one_out_percent=loo * 100,
        noise=noise,
        covariance=tuple(tuple(map(float, row)) for row in covariance),
    )


class _Ridge(NamedTuple):
    """A fit; ``left_out`` is what is left of each row when the others predict it."""

    coefficients: FloatArray
    left_out: FloatArray
    leverage: FloatArray
    gram: FloatArray


def _robust_ridge(Z: FloatArray, target: FloatArray, ridge: float) -> _Ridge:
    """Return the ridge fit of ``target`` ``(n,)`` on ``Z`` ``(n, n_features)``.

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
    leverage = np.clip(np.einsum("ij,ji->i", Z, np.linalg.solve(gram, V.T)), 0.0, 0.999)
    return _Ridge(c, error / (1 - leverage), leverage, gram)


def _noise(left_out: FloatArray, leverage: FloatArray) -> float:
    """Return the standard deviation of the noise, from errors on networks that were left out.

    Such an error has the variance ``noise² / (1 - leverage)``. One wild network counts as three
    standard deviations, however wild it is.
    """
    errors = np.abs(left_out) * np.sqrt(1 - leverage)
    limit = 3 * 1.4826 * float(np.median(errors))
    return float(np.sqrt((np.minimum(errors, max(limit, 1e-6)) ** 2).mean()))


def _student_95(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's law (Abramowitz and Stegun 1964, 26.7.5)."""
    z, v = NORMAL_95, max(freedom, 3)
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)

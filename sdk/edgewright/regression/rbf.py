"""Radial basis functions with a linear tail, the surrogate of MSuNAS on ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class _Fitted:
    standardiser: Standardiser
    centres: FloatArray  # (n, n_kept)
    weights: FloatArray  # (n,)
    tail: FloatArray  # (1 + n_kept,)


class RadialBasis:
    """Cubic radial basis functions and a linear tail (MSuNAS, arXiv:2007.10396, section 4.2).

    The tail is a lightly penalised linear fit and the cubic part interpolates what it leaves, with
    a ridge: with more features than samples, as in one-hot encodings, the textbook's saddle
    system has no solution.

    Args:
        smoothing: added to the diagonal, relative to the mean kernel value; 0 interpolates.
    """

    def __init__(self, smoothing: float = 1e-3) -> None:
        self.smoothing = smoothing
        self._fitted: _Fitted | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        standardiser = Standardiser.of(X, y)
        Z, t = standardiser.features(X), (y - standardiser.y_mean) / standardiser.y_scale
        A = np.column_stack([np.ones(len(Z)), Z])
        tail = np.asarray(
            np.linalg.solve(A.T @ A + 1e-1 * len(Z) * np.eye(A.shape[1]), A.T @ t), dtype=np.float64
        )
        K = cdist(Z, Z) ** 3
        # Cubic kernels are conditionally positive definite of the other sign; least squares with
        # a ridge needs neither sign.
        ridge = self.smoothing * float(K.mean()) if K.any() else 1.0
        weights = np.linalg.lstsq(K.T @ K + ridge**2 * np.eye(len(K)), K.T @ (t - A @ tail), rcond=None)[0]
        self._fitted = _Fitted(standardiser, Z, weights, tail)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without uncertainty. Raises ``NotFittedError``."""
        if self._fitted is None:
            raise NotFittedError("RadialBasis.predict needs fit first")
        known = self._fitted
        Z = known.standardiser.features(X)
        A = np.column_stack([np.ones(len(Z)), Z])
        t = A @ known.tail + cdist(Z, known.centres) ** 3 @ known.weights
        return Prediction(t * known.standardiser.y_scale + known.standardiser.y_mean)

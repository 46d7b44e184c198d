"""Radial basis functions with a linear tail, the surrogate of MSuNAS on ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser, check
from edgewright.regression.ridge import Ridge

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class _Fitted:
    standardiser: Standardiser  # of the features and of what the tail leaves
    tail: Ridge
    centres: FloatArray  # (n, n_kept)
    weights: FloatArray  # (n,)


class RadialBasis:
    """Cubic radial basis functions and a linear tail (MSuNAS, arXiv:2007.10396, section 4.2).

    The tail is a ridge regression and the cubic part fits what it leaves, with a ridge of its own:
    with more features than samples, as in one-hot encodings, the textbook's saddle system has no
    solution.

    Args:
        smoothing: added to the diagonal, relative to the mean kernel value; small values interpolate.
    """

    def __init__(self, smoothing: float = 1.0) -> None:
        self.smoothing = smoothing
        self._fitted: _Fitted | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        check(X, y)
        tail = Ridge().fit(X, y)
        standardiser = Standardiser.of(X, y - tail.predict(X).mean)
        Z = standardiser.features(X)
        left = (y - tail.predict(X).mean - standardiser.y_mean) / standardiser.y_scale
        K = cdist(Z, Z) ** 3
        # Cubic kernels are conditionally positive definite of the other sign; least squares with
        # a ridge needs neither sign.
        ridge = self.smoothing * float(K.mean()) if K.any() else 1.0
        weights = linalg.lstsq(
            K.T @ K + ridge**2 * np.eye(len(K)),
            K.T @ left,
            lapack_driver="gelsy",  # for ridge.py's reason
        )[0]
        self._fitted = _Fitted(standardiser, tail, Z, np.asarray(weights, dtype=np.float64))
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without uncertainty. Raises ``NotFittedError``."""
        if self._fitted is None:
            raise NotFittedError("RadialBasis.predict needs fit first")
        known = self._fitted
        cubic = cdist(known.standardiser.features(X), known.centres) ** 3 @ known.weights
        scale, shift = known.standardiser.y_scale, known.standardiser.y_mean
        return Prediction(known.tail.predict(X).mean + cubic * scale + shift)

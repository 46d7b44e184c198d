"""Gaussian process regression: a linear and a smooth part, with learned noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, optimize

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser

if TYPE_CHECKING:
    from typing import Self

# Logarithms of: linear variance, smooth variance, length scale, noise variance; for standardised
# targets and distances that are about 1 between random points.
START = np.log([0.5, 0.5, 1.0, 0.05])
BOUNDS = ((-9.0, 5.0), (-9.0, 5.0), (-2.5, 4.0), (-14.0, 1.0))
SQRT5 = float(np.sqrt(5.0))


@dataclass(frozen=True, slots=True)
class _Fitted:
    standardiser: Standardiser
    Z: FloatArray  # (n, n_kept)
    theta: FloatArray  # (4,)
    cholesky: FloatArray  # (n, n)
    alpha: FloatArray  # (n,)


class GaussianProcess:
    """Kernel = linear + Matern 5/2 on standardised features, divided by their number.

    The linear part is Bayesian ridge regression: it carries few samples far. The smooth part adds
    interactions once there are samples to show them. Hyperparameters maximise the marginal
    likelihood (Rasmussen & Williams 2006, eq. 5.8 and 5.9).

    Args:
        max_fitted: hyperparameters are learned from at most this many samples, evenly spread over
            the rows; all samples are used for prediction.
        max_iterations: of the optimiser.
    """

    def __init__(self, max_fitted: int = 200, max_iterations: int = 40) -> None:
        self.max_fitted = max_fitted
        self.max_iterations = max_iterations
        self._fitted: _Fitted | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        standardiser = Standardiser.of(X, y)
        Z, t = self._scaled(standardiser, X), (y - standardiser.y_mean) / standardiser.y_scale
        picked = np.unique(np.linspace(0, len(y) - 1, min(len(y), self.max_fitted)).astype(int))
        inner, distance = _compare(Z[picked], Z[picked])
        found = optimize.minimize(
            _negative_log_likelihood,
            START,
            args=(inner, distance, t[picked]),
            jac=True,
            method="L-BFGS-B",
            bounds=BOUNDS,
            options={"maxiter": self.max_iterations},
        )
        theta = np.asarray(found.x, dtype=np.float64)
        K = _kernel(theta, *_compare(Z, Z)) + (np.exp(theta[3]) + 1e-8) * np.eye(len(Z))
        cholesky = linalg.cholesky(K, lower=True)
        alpha = linalg.cho_solve((cholesky, True), t)
        self._fitted = _Fitted(standardiser, Z, theta, cholesky, alpha)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)`` with the deviation of the noise-free mean.

        Raises:
            NotFittedError: before the first ``fit``.
        """
        if self._fitted is None:
            raise NotFittedError("GaussianProcess.predict needs fit first")
        known = self._fitted
        Z = self._scaled(known.standardiser, X)
        K = _kernel(known.theta, *_compare(Z, known.Z))  # (m, n)
        prior = np.exp(known.theta[0]) * (Z**2).sum(axis=1) + np.exp(known.theta[1])
        explained = linalg.solve_triangular(known.cholesky, K.T, lower=True)  # (n, m)
        variance = np.maximum(prior - (explained**2).sum(axis=0), 0.0)
        scale = known.standardiser.y_scale
        return Prediction(K @ known.alpha * scale + known.standardiser.y_mean, np.sqrt(variance) * scale)

    @staticmethod
    def _scaled(standardiser: Standardiser, X: FloatArray) -> FloatArray:
        Z = standardiser.features(X)
        return np.asarray(Z / np.sqrt(max(1, Z.shape[1])), dtype=np.float64)


def _compare(A: FloatArray, B: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return inner products and distances of the rows of ``A`` and ``B``, ``(m, n)`` each.

    Distances come from the products: several times faster than subtracting, and what cancellation
    costs is below the jitter on the diagonal.
    """
    inner: FloatArray = A @ B.T
    squared = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1) - 2.0 * inner
    return inner, np.sqrt(np.maximum(squared, 0.0))


def _kernel(theta: FloatArray, inner: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the noise-free covariance for inner products and distances ``(m, n)``."""
    linear, smooth, length = np.exp(theta[:3])
    r = SQRT5 / length * distance
    K: FloatArray = linear * inner + smooth * (1.0 + r + r**2 / 3.0) * np.exp(-r)
    return K


def _negative_log_likelihood(
    theta: FloatArray, inner: FloatArray, distance: FloatArray, t: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log marginal likelihood and its gradient, ``(4,)``."""
    linear, smooth, length, noise = np.exp(theta)
    n = len(t)
    r = SQRT5 / length * distance
    decay = np.exp(-r)
    matern = smooth * (1.0 + r + r**2 / 3.0) * decay
    K = linear * inner + matern
    K[np.diag_indices(n)] += noise + 1e-8
    try:
        cholesky = linalg.cholesky(K, lower=True)
    except linalg.LinAlgError:  # the optimiser steps back from a value this high
        return 1e25, np.zeros(4)
    inverse = linalg.cho_solve((cholesky, True), np.eye(n))
    alpha = inverse @ t
    value = 0.5 * float(t @ alpha) + float(np.log(np.diag(cholesky)).sum()) + 0.5 * n * np.log(2 * np.pi)
    W = inverse - np.outer(alpha, alpha)  # (n, n); dL/dtheta = tr(W dK/dtheta) / 2
    by_length = smooth * (r**2 * (1.0 + r) / 3.0) * decay
    gradient = 0.5 * np.array(
        [(W * inner).sum() * linear, (W * matern).sum(), (W * by_length).sum(), np.trace(W) * noise]
    )
    return value, gradient

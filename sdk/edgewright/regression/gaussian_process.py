"""Gaussian process regression: linear and smooth parts by group of features, with learned noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from edgewright.errors import UsageError
from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser, check

if TYPE_CHECKING:
    from typing import Self

SQRT5 = float(np.sqrt(5.0))
JITTER = 1e-6
# Priors of the hyperparameters' logarithms, and where their search starts: for standardised targets,
# and distances of about 1 between random points in a group.
LINEAR_VARIANCE, RELEVANCE, SMOOTH_VARIANCE, NOISE = np.log([0.5, 0.3, 0.3, 0.03])
GROUP_WIDTH, SMOOTH_WIDTH, NOISE_WIDTH = 2.0, 3.0, 4.0
BOUND = 9.0  # on each logarithm, from where it starts


@dataclass(frozen=True, slots=True)
class _Fitted:
    used: NDArray[np.bool_]  # (n_features,)
    standardiser: Standardiser  # of the used
    columns: tuple[NDArray[np.int64], ...]  # of each group, among the kept
    Z: FloatArray  # (n, n_kept)
    theta: FloatArray  # (2 * n_groups + 2,)
    cholesky: FloatArray  # (n, n)
    alpha: FloatArray  # (n,)
    left_out: FloatArray  # (n,)


class GaussianProcess:
    """Kernel = sum of linear kernels + Matern 5/2, either with a weight for each group of features.

    The linear part is Bayesian ridge regression: it carries few samples far. The smooth part adds
    interactions once there are samples to show them. Features come in groups that matter alike, say
    all one-hot kernels; automatic relevance by group (Rasmussen & Williams 2006, section 5.1) takes a
    few hyperparameters where one a feature would need as many samples as features. They maximise the
    marginal likelihood (eq. 5.8 and 5.9) and a broad prior. One-hot columns in a group make the kernel
    one of Hamming distance, so that categories mix with numbers.

    Args:
        groups: group of each feature, ``(n_features,)``; one for all where None. Features of a negative
            group are left out.
        max_fitted: hyperparameters are learned from at most this many samples, evenly spread over
            the rows; all samples are used for prediction.
        max_iterations: of the optimiser.
    """

    def __init__(
        self, groups: Sequence[int] | None = None, max_fitted: int = 400, max_iterations: int = 40
    ) -> None:
        self.groups = None if groups is None else np.asarray(groups, dtype=np.int64)
        self.max_fitted = max_fitted
        self.max_iterations = max_iterations
        self._fitted: _Fitted | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``.

        Raises:
            UsageError: the data cannot be fitted, or the groups are of another number of features.
        """
        check(X, y)
        groups = np.zeros(X.shape[1], dtype=np.int64) if self.groups is None else self.groups
        if groups.shape != (X.shape[1],):
            raise UsageError(
                f"{len(groups)} features are in groups, but X has {X.shape[1]}; give one for each"
            )
        used = groups >= 0
        standardiser = Standardiser.of(X[:, used], y)
        kept = groups[used][standardiser.kept]
        columns = tuple(np.flatnonzero(kept == group) for group in np.unique(kept))
        Z, t = standardiser.features(X[:, used]), (y - standardiser.y_mean) / standardiser.y_scale
        picked = np.unique(np.linspace(0, len(y) - 1, min(len(y), self.max_fitted)).astype(int))
        theta = _learned(columns, Z[picked], t[picked], self.max_iterations)
        K = _kernel(theta, columns, Z, Z) + (np.exp(theta[-1]) + JITTER) * np.eye(len(Z))
        cholesky = linalg.cholesky(K, lower=True)
        alpha = linalg.cho_solve((cholesky, True), t)
        inverse = linalg.cho_solve((cholesky, True), np.eye(len(Z)))
        left_out = (t - alpha / np.diag(inverse)) * standardiser.y_scale + standardiser.y_mean
        self._fitted = _Fitted(used, standardiser, columns, Z, theta, cholesky, alpha, left_out)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)`` with the deviation of the noise-free mean.

        Raises:
            NotFittedError: before the first ``fit``.
        """
        known, Z = self._known("predict"), self._features(X)
        K = _kernel(known.theta, known.columns, Z, known.Z)  # (m, n)
        prior = _variance(known.theta, known.columns, Z)
        explained = linalg.solve_triangular(known.cholesky, K.T, lower=True)  # (n, m)
        variance = np.maximum(prior - (explained**2).sum(axis=0), 0.0)
        scale = known.standardiser.y_scale
        return Prediction(K @ known.alpha * scale + known.standardiser.y_mean, np.sqrt(variance) * scale)

    def predict_mean(self, X: FloatArray) -> FloatArray:
        """Return the mean of :meth:`predict` alone, ``(m,)``, at a fraction of its time."""
        known = self._known("predict_mean")
        K = _kernel(known.theta, known.columns, self._features(X), known.Z)
        mean: FloatArray = K @ known.alpha * known.standardiser.y_scale + known.standardiser.y_mean
        return mean

    def covariance(self, X: FloatArray) -> FloatArray:
        """Return the posterior covariance of the noise-free values of ``X``, ``(m, m)``.

        Raises:
            NotFittedError: before the first ``fit``.
        """
        known, Z = self._known("covariance"), self._features(X)
        K = _kernel(known.theta, known.columns, Z, known.Z)  # (m, n)
        explained = linalg.solve_triangular(known.cholesky, K.T, lower=True)  # (n, m)
        result: FloatArray = _kernel(known.theta, known.columns, Z, Z) - explained.T @ explained
        return result * known.standardiser.y_scale**2

    @property
    def left_out(self) -> FloatArray:
        """What the samples are predicted as without themselves, ``(n,)`` (eq. 5.12), in closed form."""
        return self._known("left_out").left_out

    def _known(self, wanted: str) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(f"GaussianProcess.{wanted} needs fit first")
        return self._fitted

    def _features(self, X: FloatArray) -> FloatArray:
        known = self._known("predict")
        return known.standardiser.features(X[:, known.used])


def _learned(
    columns: tuple[NDArray[np.int64], ...], Z: FloatArray, t: FloatArray, max_iterations: int
) -> FloatArray:
    """Return the hyperparameters of highest posterior, ``(2 * n_groups + 2,)``."""
    n_groups = len(columns)
    start = _start(n_groups)
    found = optimize.minimize(
        _negative_log_posterior,
        start,
        args=(*_compare(columns, Z), t),
        jac=True,
        method="L-BFGS-B",
        bounds=[(value - BOUND, value + BOUND) for value in start],
        options={"maxiter": max_iterations},
    )
    return np.asarray(found.x, dtype=np.float64)


def _start(n_groups: int) -> FloatArray:
    """Return the mode of the prior, ``(2 * n_groups + 2,)``; the groups share what is expected."""
    share = np.log(max(1, n_groups))
    groups = [LINEAR_VARIANCE - share] * n_groups + [RELEVANCE - share] * n_groups
    return np.array([*groups, SMOOTH_VARIANCE, NOISE])


def _compare(columns: tuple[NDArray[np.int64], ...], Z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return inner products and squared distances within each group, ``(n_groups, n, n)`` each.

    Either is divided by the group's number of features. Distances come from the products: several
    times faster than subtracting, and what cancellation costs is below the jitter on the diagonal.
    """
    inner = np.array([Z[:, c] @ Z[:, c].T / len(c) for c in columns]).reshape(-1, len(Z), len(Z))
    own = np.diagonal(inner, axis1=1, axis2=2)
    return inner, np.maximum(own[:, :, None] + own[:, None, :] - 2.0 * inner, 0.0)


def _weights(theta: FloatArray, columns: tuple[NDArray[np.int64], ...]) -> tuple[FloatArray, FloatArray]:
    """Return what each kept feature is scaled by in the linear and the smooth part, ``(n_kept,)``."""
    n_groups = len(columns)
    linear, smooth = np.zeros(sum(map(len, columns))), np.zeros(sum(map(len, columns)))
    for group, c in enumerate(columns):
        linear[c] = np.sqrt(np.exp(theta[group]) / len(c))
        smooth[c] = np.sqrt(np.exp(theta[n_groups + group]) / len(c))
    return linear, smooth


def _kernel(
    theta: FloatArray, columns: tuple[NDArray[np.int64], ...], A: FloatArray, B: FloatArray
) -> FloatArray:
    """Return the noise-free covariance of the rows of ``A`` and ``B``, ``(m, n)``."""
    linear, relevance = _weights(theta, columns)
    a, b = A * relevance, B * relevance
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * (a @ b.T)
    r = SQRT5 * np.sqrt(np.maximum(squared, 0.0))
    K: FloatArray = (A * linear) @ (B * linear).T
    K += np.exp(theta[-2]) * (1.0 + r + r**2 / 3.0) * np.exp(-r)
    return K


def _variance(theta: FloatArray, columns: tuple[NDArray[np.int64], ...], Z: FloatArray) -> FloatArray:
    """Return the diagonal of :func:`_kernel`, ``(m,)``."""
    linear, _ = _weights(theta, columns)
    result: FloatArray = ((Z * linear) ** 2).sum(axis=1) + np.exp(theta[-2])
    return result


def _negative_log_posterior(
    theta: FloatArray, inner: FloatArray, squared: FloatArray, t: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log of marginal likelihood and prior, and its gradient, as ``theta``."""
    n_groups, n = len(inner), len(t)
    linear, relevance = np.exp(theta[:n_groups]), np.exp(theta[n_groups : 2 * n_groups])
    smooth, noise = np.exp(theta[-2:])
    r = SQRT5 * np.sqrt(np.maximum(np.tensordot(relevance, squared, 1), 0.0))
    decay = np.exp(-r)
    matern = smooth * (1.0 + r + r**2 / 3.0) * decay
    K = np.tensordot(linear, inner, 1) + matern
    K[np.diag_indices(n)] += noise + JITTER
    try:
        cholesky = linalg.cholesky(K, lower=True)
    except linalg.LinAlgError:  # the optimiser steps back from a value this high
        return 1e25, np.zeros(len(theta))
    inverse = linalg.cho_solve((cholesky, True), np.eye(n))
    alpha = inverse @ t
    widths = np.array([*[GROUP_WIDTH] * (2 * n_groups), SMOOTH_WIDTH, NOISE_WIDTH])
    off = (theta - _start(n_groups)) / widths
    value = 0.5 * float(t @ alpha) + float(np.log(np.diag(cholesky)).sum()) + 0.5 * float(off @ off)
    W = inverse - np.outer(alpha, alpha)  # (n, n); dL/dtheta = tr(W dK/dtheta) / 2
    by_squared = -(5.0 / 6.0) * smooth * (1.0 + r) * decay  # of the Matern part
    gradient = 0.5 * np.concatenate(
        [
            np.tensordot(inner, W, 2) * linear,
            np.tensordot(squared, W * by_squared, 2) * relevance,
            [(W * matern).sum(), np.trace(W) * noise],
        ]
    )
    return value, gradient + off / widths

"""Ridge regression whose penalty is chosen by exact leave-one-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser

if TYPE_CHECKING:
    from typing import Self


PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3)


@dataclass(frozen=True, slots=True)
class _Fitted:
    standardiser: Standardiser
    weights: FloatArray  # (n_kept,)
    penalty: float
    left_out: FloatArray  # (n,)


class Ridge:
    """Linear regression with an L2 penalty on standardised features.

    Args:
        penalties: relative to the number of samples; the one of least leave-one-out error is
            taken, by the closed form of generalised cross-validation's exact cousin (PRESS).
    """

    def __init__(self, penalties: tuple[float, ...] = PENALTIES) -> None:
        self.penalties = penalties
        self._fitted: _Fitted | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        from scipy import linalg  # devices that import this have numpy alone, and fit nothing

        standardiser = Standardiser.of(X, y)
        Z, t = standardiser.features(X), (y - standardiser.y_mean) / standardiser.y_scale
        # LAPACK's default, gesdd, does not converge on some features of deficient rank (OpenBLAS on Zen).
        U, s, Vt = linalg.svd(Z, full_matrices=False, lapack_driver="gesvd")
        projected = U.T @ t
        best = (np.inf, 0.0, np.zeros(len(s)), t)
        for relative in self.penalties:
            penalty = relative * len(y)
            shrink = s**2 / (s**2 + penalty)
            # The intercept takes 1/n of each point's leverage.
            leverage = (U**2 * shrink).sum(axis=1) + 1.0 / len(y)
            residual = (t - U @ (shrink * projected)) / np.maximum(1.0 - leverage, 1e-6)
            error = float((residual**2).mean())
            if error < best[0]:
                best = (error, penalty, s / (s**2 + penalty) * projected, t - residual)
        left_out = best[3] * standardiser.y_scale + standardiser.y_mean
        self._fitted = _Fitted(standardiser, Vt.T @ best[2], best[1], left_out)
        return self

    @property
    def left_out(self) -> FloatArray:
        """What the samples are predicted as without themselves, ``(n,)``, in closed form."""
        if self._fitted is None:
            raise NotFittedError("Ridge.left_out needs fit first")
        return self._fitted.left_out

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without uncertainty. Raises ``NotFittedError``."""
        if self._fitted is None:
            raise NotFittedError("Ridge.predict needs fit first")
        known = self._fitted.standardiser
        return Prediction(known.features(X) @ self._fitted.weights * known.y_scale + known.y_mean)

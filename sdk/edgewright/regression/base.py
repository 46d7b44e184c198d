"""What every regression model here offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import UsageError

if TYPE_CHECKING:
    from typing import Self

FloatArray = NDArray[np.float64]


class NotFittedError(UsageError):
    """A model was asked to predict before it was fitted."""


class Prediction(NamedTuple):
    """What a model says of ``m`` points."""

    mean: FloatArray  # (m,), in the unit of the fitted ``y``
    std: FloatArray | None = None  # (m,), None where the model gives no uncertainty


class Regressor(Protocol):
    """Predicts one number from features.

    As in scikit-learn, ``__init__`` takes hyperparameters and ``fit`` takes data. Satisfied by
    shape: a model need not import this module. The same data give the same model, bit for bit.
    """

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Forget earlier data and fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``; return ``self``.

        Raises:
            UsageError: shapes differ, there are no rows, or a value is not finite.
        """
        ...

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``.

        Raises:
            NotFittedError: before the first ``fit``.
        """
        ...


@runtime_checkable
class Covariant(Protocol):
    """A model that also says how its errors on several points go together."""

    def covariance(self, X: FloatArray) -> FloatArray:
        """Return the covariance of the noise-free values of ``X`` ``(m, n_features)``, ``(m, m)``."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A model that knows from its fit how it would have predicted samples that it had not seen."""

    @property
    def left_out(self) -> FloatArray:
        """What the samples of the last ``fit`` are predicted as without themselves, ``(n,)``."""
        ...


@runtime_checkable
class MeanAlone(Protocol):
    """A model whose mean is had at a fraction of the time that its deviation takes."""

    def predict_mean(self, X: FloatArray) -> FloatArray:
        """Return the mean of ``predict`` for ``X`` ``(m, n_features)``, ``(m,)``."""
        ...


class Standardiser(NamedTuple):
    """Shift and scale of data; columns that are constant are left out."""

    mean: FloatArray  # (n_features,)
    scale: FloatArray  # (n_kept,)
    kept: NDArray[np.bool_]  # (n_features,)
    y_mean: float
    y_scale: float

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray) -> Standardiser:
        """Return the standardiser of ``X`` ``(n, n_features)`` and ``y`` ``(n,)``, both checked."""
        check(X, y)
        spread = X.std(axis=0)
        kept = spread > 1e-12
        y_scale = float(y.std())
        return cls(X.mean(axis=0), spread[kept], kept, float(y.mean()), y_scale if y_scale > 1e-15 else 1.0)

    def features(self, X: FloatArray) -> FloatArray:
        """Return ``X`` ``(m, n_features)`` with mean 0 and variance 1, ``(m, n_kept)``."""
        Z: FloatArray = (X - self.mean)[:, self.kept] / self.scale
        return Z


def check(X: FloatArray, y: FloatArray) -> None:
    """Raise ``UsageError`` unless ``X`` and ``y`` can be fitted."""
    if X.ndim != 2 or y.shape != (len(X),) or len(X) == 0:
        raise UsageError(f"fit needs X (n, n_features) and y (n,) with n > 0, got {X.shape} and {y.shape}")
    if not (np.isfinite(X).all() and np.isfinite(y).all()):
        raise UsageError("fit needs finite X and y; leave failed evaluations out")

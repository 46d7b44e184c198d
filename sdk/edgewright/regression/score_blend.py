"""Boosted trees and a Gaussian process on normal scores: for ranking all of a space after few samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, check
from edgewright.regression.gaussian_process import GaussianProcess
from edgewright.regression.lightgbm import LightGbm

if TYPE_CHECKING:
    from typing import Self

TREES = 2.0 / 3.0  # share of the trees in the sum of the two
MIN_SAMPLES = 8  # fewer have no quantiles to speak of; their mean is all that is known
_BEYOND = 8.0  # scores that no prediction reaches


class _Scale(NamedTuple):
    """Shift and scale of a model's scores, as it gives them to samples that it has not seen."""

    mean: float
    spread: float

    @classmethod
    def of(cls, left_out: FloatArray) -> _Scale:
        spread = float(left_out.std())
        return cls(float(left_out.mean()), spread if spread > 1e-12 else 1.0)

    def __call__(self, scores: FloatArray) -> FloatArray:
        result: FloatArray = (scores - self.mean) / self.spread
        return result


class ScoreBlend:
    """The sum of LightGBM's and a Gaussian process's normal scores, told in the unit of ``y``.

    Accuracies of a space crowd at the top and trail off below, so a process of squared errors sees the
    trail alone. It learns normal scores instead: ``y`` replaced by the normal quantile of its rank
    (as Salinas et al. 2020, arXiv:1909.13595, do over many tasks). The trees learn
    ``y`` itself, and their predictions are read as scores. Either is scaled by what it predicts of samples
    that it has not seen. It states no deviation.

    Args:
        groups: of the features, ``(n_features,)``, for the Gaussian process; one for all where None.
    """

    def __init__(self, groups: Sequence[int] | None = None) -> None:
        self.groups = groups
        self._trees, self._process = LightGbm(), GaussianProcess(groups)
        self._scales = (_Scale(0.0, 1.0), _Scale(0.0, 1.0))
        self._y = self._u = np.zeros(0)  # samples and their scores, ascending, each value once
        self._line = (0.0, 1.0)  # from the blend's scores to those of y
        self._left_out = np.zeros(0)
        self._mean: float | None = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        check(X, y)
        self._mean = float(y.mean())
        self._y, self._left_out = np.zeros(0), np.full(len(y), self._mean)
        if len(y) < MIN_SAMPLES or np.ptp(y) <= 1e-12:
            return self
        u = ndtri((rankdata(y) - 0.5) / len(y))
        self._y, first = np.unique(y, return_index=True)
        self._u = u[first]
        self._trees.fit(X, y)
        self._process.fit(X, u)
        trees, process = self._read(self._trees.left_out), self._process.left_out
        self._scales = (_Scale.of(trees), _Scale.of(process))
        blend = self._blend(trees, process)
        slope = max(float(np.cov(blend, u)[0, 1] / max(blend.var(ddof=1), 1e-12)), 1e-3)
        self._line = (float(u.mean() - slope * blend.mean()), slope)
        self._left_out = self._told(blend)
        return self

    @property
    def left_out(self) -> FloatArray:
        """What the samples are predicted as by models that did not see them, ``(n,)``."""
        return self._left_out

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without a deviation. Raises ``NotFittedError``."""
        if self._mean is None:
            raise NotFittedError("ScoreBlend.predict needs fit first")
        if len(self._y) == 0 or len(X) == 0:
            return Prediction(np.full(len(X), self._mean))
        trees = self._read(self._trees.predict(X).mean)
        return Prediction(self._told(self._blend(trees, self._process.predict_mean(X))))

    def _read(self, y: FloatArray) -> FloatArray:
        """Return the scores of values of ``y``."""
        scores: FloatArray = np.interp(y, self._y, self._u)
        return scores

    def _blend(self, trees: FloatArray, process: FloatArray) -> FloatArray:
        return TREES * self._scales[0](trees) + (1.0 - TREES) * self._scales[1](process)

    def _told(self, blend: FloatArray) -> FloatArray:
        """Return the blend's scores in the unit of ``y``; beyond the samples in a straight line."""
        slope = _BEYOND * (self._y[-1] - self._y[0]) / (self._u[-1] - self._u[0])
        u = np.concatenate([[self._u[0] - _BEYOND], self._u, [self._u[-1] + _BEYOND]])
        y = np.concatenate([[self._y[0] - slope], self._y, [self._y[-1] + slope]])
        told: FloatArray = np.interp(self._line[0] + self._line[1] * blend, u, y)
        return told

"""LightGBM's boosted trees, bagged over folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, check

if TYPE_CHECKING:
    from typing import Self

# Fewer samples than this make no tree worth splitting; their mean is all that is known.
MIN_SAMPLES = 4


class LightGbm:
    """The mean of trees boosted on all folds but one, for each fold, under the Huber loss.

    NATv2's surrogate (arXiv:2307.00960): ten folds, Huber. Trees have few leaves and see part of
    the features, as tens to hundreds of samples ask for. Its deviation is that between the folds'
    models, which is less than the error where all of them lack the same samples.

    Args:
        n_folds: models, each fitted without one of as many parts of the samples.
        n_trees: boosting rounds of each.
        learning_rate: shrinkage of each round.
        max_leaves: of a tree.
        min_leaf: samples in a leaf, at least.
        feature_share: of the features, drawn anew for each tree.
        seed: of folds and features.
    """

    def __init__(
        self,
        n_folds: int = 10,
        n_trees: int = 200,
        learning_rate: float = 0.07,
        max_leaves: int = 15,
        min_leaf: int = 3,
        feature_share: float = 0.4,
        seed: int = 0,
    ) -> None:
        self.n_folds = n_folds
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.min_leaf = min_leaf
        self.feature_share = feature_share
        self.seed = seed
        self._models: list[Any] = []
        self._shift, self._scale = 0.0, 1.0
        self._fitted = False
        self._left_out = np.zeros(0)

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        check(X, y)
        spread = float(y.std())
        # LightGBM keeps labels as float32: shifted and scaled, no digit that counts is lost.
        self._shift, self._scale = float(y.mean()), spread if spread > 1e-12 else 1.0
        self._models, self._fitted = [], True
        left_out = np.zeros(len(y))
        if len(y) >= MIN_SAMPLES and spread > 1e-12:
            t = (y - self._shift) / self._scale
            n_folds = min(self.n_folds, len(y) // 2)
            fold = np.random.default_rng(self.seed).permutation(len(y)) % max(1, n_folds)
            for k in range(n_folds):
                kept = fold != k if n_folds > 1 else np.ones(len(y), dtype=np.bool_)
                self._models.append(self._boosted(X[kept], t[kept], k))
                if n_folds > 1:
                    left_out[~kept] = self._models[-1].predict(X[~kept], num_threads=1)
        self._left_out = left_out * self._scale + self._shift
        return self

    @property
    def left_out(self) -> FloatArray:
        """What the samples are predicted as by the model that did not see their fold, ``(n,)``."""
        return self._left_out

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)`` with the deviation between folds. Raises ``NotFittedError``."""
        if not self._fitted:
            raise NotFittedError("LightGbm.predict needs fit first")
        if not self._models or len(X) == 0:
            return Prediction(np.full(len(X), self._shift), np.zeros(len(X)))
        found = np.stack([model.predict(X, num_threads=1) for model in self._models])
        return Prediction(found.mean(axis=0) * self._scale + self._shift, found.std(axis=0) * self._scale)

    def _boosted(self, X: FloatArray, t: FloatArray, k: int) -> Any:
        # Imported here: a search that never asks for it does without.
        import lightgbm

        parameters = {
            "objective": "huber",
            "learning_rate": self.learning_rate,
            "num_leaves": self.max_leaves,
            "min_data_in_leaf": self.min_leaf,
            "feature_fraction": self.feature_share,
            "seed": self.seed + k,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            # Bins of one sample: without it, no feature splits so few.
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
        }
        return lightgbm.train(parameters, lightgbm.Dataset(X, t, params=parameters), self.n_trees)

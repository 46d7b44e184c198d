"""CatBoost's boosted trees; needs ``pip install 'edgewright[catboost]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.errors import MissingExtraError
from edgewright.regression.base import FloatArray, NotFittedError, Prediction, check

if TYPE_CHECKING:
    from typing import Self


class CatBoost:
    """Ordered boosting of symmetric trees (CatBoost, arXiv:1706.09516).

    With LightGBM the best surrogate of NATv2's study (arXiv:2307.00960), and several times slower.

    Args:
        n_trees: boosting rounds.
        depth: of a tree, which has ``2**depth`` leaves.
        learning_rate: shrinkage of each round.
        feature_share: of the features, drawn anew for each split.
        seed: of its permutations and draws.
    """

    def __init__(
        self,
        n_trees: int = 300,
        depth: int = 5,
        learning_rate: float = 0.06,
        feature_share: float = 0.4,
        seed: int = 0,
    ) -> None:
        self.n_trees = n_trees
        self.depth = depth
        self.learning_rate = learning_rate
        self.feature_share = feature_share
        self.seed = seed
        self._model: Any = None
        self._constant: float | None = None  # CatBoost refuses targets and features without variance

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``.

        Raises:
            UsageError: the data cannot be fitted.
            MissingExtraError: CatBoost is not installed.
        """
        check(X, y)
        try:
            import catboost
        except ImportError as error:
            raise MissingExtraError(
                "the surrogate 'catboost' needs catboost, which is not installed; "
                "run `pip install 'edgewright[catboost]'`"
            ) from error
        self._constant = float(y.mean()) if np.ptp(y) == 0 or not np.ptp(X, axis=0).any() else None
        if self._constant is None:
            self._model = catboost.CatBoostRegressor(
                iterations=self.n_trees,
                depth=self.depth,
                learning_rate=self.learning_rate,
                rsm=self.feature_share,
                random_seed=self.seed,
                thread_count=1,
                allow_writing_files=False,
                verbose=False,
            ).fit(X, y)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without uncertainty. Raises ``NotFittedError``."""
        if self._constant is not None:
            return Prediction(np.full(len(X), self._constant))
        if self._model is None:
            raise NotFittedError("CatBoost.predict needs fit first")
        found: FloatArray = self._model.predict(X, thread_count=1)
        return Prediction(found)

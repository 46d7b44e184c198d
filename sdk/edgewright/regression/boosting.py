"""Gradient boosting of trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, check

if TYPE_CHECKING:
    from typing import Self


class Boosting:
    """Scikit-learn's boosted trees, sized for tens to thousands of samples.

    Rows and columns are subsampled, so that few samples are not fitted by the same splits again.

    Args:
        n_trees: boosting rounds.
        learning_rate: shrinkage of each.
        max_leaves: of a tree.
        min_leaf: samples in a leaf, at least.
        seed: of the subsampling.
    """

    def __init__(
        self,
        n_trees: int = 150,
        learning_rate: float = 0.08,
        max_leaves: int = 8,
        min_leaf: int = 3,
        seed: int = 0,
    ) -> None:
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.max_leaves = max_leaves
        self.min_leaf = min_leaf
        self.seed = seed
        self._model: Any = None

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        check(X, y)
        self._model = self._new_model(len(y))
        self._model.fit(X, y)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``, without uncertainty. Raises ``NotFittedError``."""
        if self._model is None:
            raise NotFittedError("Boosting.predict needs fit first")
        return Prediction(self._model.predict(X))

    def _new_model(self, n: int) -> Any:
        # Imported here: heavy, and a search that never asks for boosting does without.
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(
            loss="squared_error",
            n_estimators=self.n_trees,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaves,
            min_samples_leaf=self.min_leaf,
            subsample=0.8 if n >= 10 else 1.0,  # of one sample, 80 % would be none
            max_features=0.3,
            random_state=self.seed,
        )

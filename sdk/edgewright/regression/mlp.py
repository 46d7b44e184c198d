"""Several small neural networks as one model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.regression.base import FloatArray, NotFittedError, Prediction, Standardiser

if TYPE_CHECKING:
    from typing import Self


class MlpEnsemble:
    """The mean of multilayer perceptrons that start from other weights (as BANANAS, arXiv:1910.11858).

    Each has one hidden layer on standardised features and is fitted by L-BFGS, which few samples
    allow; without standardising, NATv2's study (arXiv:2307.00960) found an MLP to rank nothing. Its
    deviation is that between the members.

    Args:
        n_members: networks.
        n_hidden: units of the hidden layer.
        penalty: on the squared weights.
        max_iterations: of L-BFGS.
        seed: of the first member; the others count on.
    """

    def __init__(
        self,
        n_members: int = 5,
        n_hidden: int = 32,
        penalty: float = 1.0,
        max_iterations: int = 200,
        seed: int = 0,
    ) -> None:
        self.n_members = n_members
        self.n_hidden = n_hidden
        self.penalty = penalty
        self.max_iterations = max_iterations
        self.seed = seed
        self._standardiser: Standardiser | None = None
        self._members: list[Any] = []

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit ``X`` ``(n, n_features)`` to ``y`` ``(n,)``. Raises ``UsageError``."""
        # Imported here: heavy, and a search that never asks for it does without.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        known = Standardiser.of(X, y)
        Z, t = known.features(X), (y - known.y_mean) / known.y_scale
        self._standardiser, self._members = known, []
        if Z.shape[1] == 0 or np.ptp(t) == 0:
            return self
        for seed in range(self.seed, self.seed + self.n_members):
            member = MLPRegressor(
                hidden_layer_sizes=(self.n_hidden,),
                activation="tanh",
                solver="lbfgs",
                alpha=self.penalty,
                max_iter=self.max_iterations,
                random_state=seed,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # it is meant to stop early
                self._members.append(member.fit(Z, t))
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)`` with the deviation between members. Raises ``NotFittedError``."""
        if self._standardiser is None:
            raise NotFittedError("MlpEnsemble.predict needs fit first")
        known = self._standardiser
        if not self._members or len(X) == 0:
            return Prediction(np.full(len(X), known.y_mean), np.zeros(len(X)))
        Z = known.features(X)
        found = np.stack([member.predict(Z) for member in self._members]) * known.y_scale
        return Prediction(found.mean(axis=0) + known.y_mean, found.std(axis=0))

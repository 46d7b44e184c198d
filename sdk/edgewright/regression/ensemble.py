"""Several models as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgewright.errors import UsageError
from edgewright.regression.base import Covariant, FloatArray, Prediction, Regressor

if TYPE_CHECKING:
    from typing import Self


class Ensemble:
    """The mean of several models.

    Its deviation joins that between the members with the mean of those they state.

    Args:
        members: fitted together, in order.
    """

    def __init__(self, members: Sequence[Regressor]) -> None:
        if not members:
            raise UsageError("an ensemble needs at least one model")
        self.members = tuple(members)

    def fit(self, X: FloatArray, y: FloatArray) -> Self:
        """Fit every member to ``X`` ``(n, n_features)`` and ``y`` ``(n,)``. Raises ``UsageError``."""
        for member in self.members:
            member.fit(X, y)
        return self

    def predict(self, X: FloatArray) -> Prediction:
        """Predict ``X`` ``(m, n_features)``. Raises ``NotFittedError``."""
        predictions = [member.predict(X) for member in self.members]
        means = np.stack([p.mean for p in predictions])  # (n_members, m)
        stated = [p.std**2 for p in predictions if p.std is not None]
        variance = means.var(axis=0) + (np.mean(stated, axis=0) if stated else 0.0)
        return Prediction(means.mean(axis=0), np.sqrt(variance))

    def covariance(self, X: FloatArray) -> FloatArray:
        """Return how far the members disagree together, and what they state, ``(m, m)``.

        The covariance of the mixture that :meth:`predict` gives the deviation of, with members that
        state a deviation and no covariance left at their disagreement. Raises ``NotFittedError``.
        """
        means = np.stack([member.predict(X).mean for member in self.members])
        apart = means - means.mean(axis=0)
        stated = [member.covariance(X) for member in self.members if isinstance(member, Covariant)]
        between: FloatArray = apart.T @ apart / len(means)
        return between + np.mean(stated, axis=0) if stated else between

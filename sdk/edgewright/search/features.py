"""Features: what a surrogate sees of an encoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from edgewright.search.config import Problem
from edgewright.search.features_cell import cell_features, cell_groups
from edgewright.search.features_mobile import mobile_features, mobile_groups
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace
from edgewright.spaces.cell import CellSpace


class OwnFeatures(NamedTuple):
    """What a type of space knows of its own structure."""

    of: Callable[[Any, IntArray], FloatArray]  # the space and encodings (n, n_var) to (n, n_features)
    groups: Callable[[Any], list[int]]  # features of a group matter alike; the space to (n_features,)


#: By type of space. Subclasses share their parent's; any other space gets one-hot choices.
FEATURES: dict[type, OwnFeatures] = {
    MobileSpace: OwnFeatures(mobile_features, mobile_groups),
    CellSpace: OwnFeatures(cell_features, cell_groups),
}


class Features:
    """Maps encodings ``(n, n_var)`` to features ``(n, n_features)``.

    A space's own stand in :data:`FEATURES`. Where there are none, choices are one-hot, and the logarithms
    of exact costs tell a network's size. Beside features of structure they would mislead: error follows
    cost so closely that a model explains all by it, and no longer tells apart networks of one cost.

    Attributes:
        groups: of each feature, ``(n_features,)``; those of a group matter alike.
    """

    def __init__(self, space: SearchSpace, problem: Problem) -> None:
        self._space = space
        self._own = next((FEATURES[kind] for kind in type(space).__mro__ if kind in FEATURES), None)
        costs = {} if self._own else {**problem.objectives, **problem.constraints}
        self._costs = tuple(costs.values())
        own = [0] * int(space.n_choices.sum()) if self._own is None else self._own.groups(space)
        self.groups = (*own, *(max(own) + 1 + i for i in range(len(self._costs))))

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the features of ``X`` ``(n, n_var)``, ``(n, n_features)``."""
        own = one_hot(X, self._space.n_choices) if self._own is None else self._own.of(self._space, X)
        costs = [np.log(np.maximum(cost(X), 1e-12))[:, None] for cost in self._costs]
        return np.concatenate([own, *costs], axis=1)


def features_of(space: SearchSpace, problem: Problem) -> Features:
    """Return the features of a space's networks."""
    return Features(space, problem)


def one_hot(X: IntArray, n_choices: IntArray) -> FloatArray:
    """Return indicators of each choice, ``(n, sum of n_choices)``."""
    codes = X + np.concatenate([[0], np.cumsum(n_choices)[:-1]])
    result = np.zeros((len(X), int(n_choices.sum())))
    np.put_along_axis(result, codes, 1.0, axis=1)
    return result

"""Features: what a surrogate sees of an encoding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgewright.search.config import Problem
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

#: Maps encodings ``(n, n_var)`` to features ``(n, n_features)``.
Features = Callable[[IntArray], FloatArray]


def features_of(space: SearchSpace, problem: Problem) -> Features:
    """Return the features of a space's networks.

    Choices are one-hot, and blocks that are not built have none. Mobile spaces add what each stage
    sums up to. The logarithms of exact costs tell any model a network's size.
    """
    costs = tuple({**problem.objectives, **problem.constraints}.values())

    def features(X: IntArray) -> FloatArray:
        parts = [_mobile(space, X) if isinstance(space, MobileSpace) else one_hot(X, space.n_choices)]
        parts += [np.log(np.maximum(cost(X), 1e-12))[:, None] for cost in costs]
        return np.concatenate(parts, axis=1)

    return features


def one_hot(X: IntArray, n_choices: IntArray) -> FloatArray:
    """Return indicators of each choice, ``(n, sum of n_choices)``."""
    codes = X + np.concatenate([[0], np.cumsum(n_choices)[:-1]])
    result = np.zeros((len(X), int(n_choices.sum())))
    np.put_along_axis(result, codes, 1.0, axis=1)
    return result


def _mobile(space: MobileSpace, X: IntArray) -> FloatArray:
    """Return the features of a mobile space.

    They are the resolution, one-hot kernels and expansions of active blocks, and for each stage
    its depth, mean kernel and mean expansion.
    """
    n_stages, n_slots = len(space.stages), space.n_slots
    start = 1 + n_stages
    active = space.active_slots(X)  # (n, n_slots)
    parts = [(X[:, :1] / max(1, len(space.resolutions) - 1)).astype(np.float64)]
    depth = active.reshape(len(X), n_stages, -1).sum(axis=2).astype(np.float64)
    parts.append(depth)
    for begin, choices in ((start, space.kernel_sizes), (start + n_slots, space.expands)):
        codes = X[:, begin : begin + n_slots]
        hot = (codes[:, :, None] == np.arange(len(choices))) & active[:, :, None]
        parts.append(hot.reshape(len(X), -1).astype(np.float64))
        value = np.asarray(choices, dtype=np.float64)[codes] * active
        parts.append(value.reshape(len(X), n_stages, -1).sum(axis=2) / depth)
    return np.concatenate(parts, axis=1)

"""Features of mobile spaces: blocks, and what each stage sums up to."""

from __future__ import annotations

import numpy as np

from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray


def mobile_features(space: MobileSpace, X: IntArray) -> FloatArray:
    """Return the features of a mobile space.

    They are the resolution, one-hot kernels and expansions of active blocks, and for each stage
    its depth, mean kernel and mean expansion.
    """
    n_stages, n_slots = len(space.stages), space.n_slots
    start = 1 + n_stages
    active = space.active_slots(X)  # (n, n_slots)
    parts = [(X[:, :1] / max(1, len(space.resolutions) - 1)).astype(np.float64)]
    depth = active.reshape(len(X), n_stages, space.max_depth).sum(axis=2).astype(np.float64)
    parts.append(depth)
    for begin, choices in ((start, space.kernel_sizes), (start + n_slots, space.expands)):
        codes = X[:, begin : begin + n_slots]
        hot = (codes[:, :, None] == np.arange(len(choices))) & active[:, :, None]
        parts.append(hot.reshape(len(X), n_slots * len(choices)).astype(np.float64))
        value = np.asarray(choices, dtype=np.float64)[codes] * active
        parts.append(value.reshape(len(X), n_stages, space.max_depth).sum(axis=2) / depth)
    return np.concatenate(parts, axis=1)


def mobile_groups(space: MobileSpace) -> list[int]:
    """Return the group of each feature: resolution, depths, and of kernels and expansions each and means."""
    n_stages, n_slots = len(space.stages), space.n_slots
    sizes = [1, n_stages]
    for choices in (space.kernel_sizes, space.expands):
        sizes += [n_slots * len(choices), n_stages]
    return [group for group, size in enumerate(sizes) for _ in range(size)]

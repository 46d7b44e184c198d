"""Features of mobile spaces: blocks, and what each stage sums up to."""

from __future__ import annotations

import numpy as np

from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray

#: Group of what a Gaussian process leaves out.
LEFT_OUT = -1


def mobile_features(space: MobileSpace, X: IntArray) -> FloatArray:
    """Return the features of a mobile space.

    They are the resolution as a number and one-hot, which blocks are active, one-hot kernels and
    expansions of those, and for each stage its depth, mean kernel and mean expansion.
    """
    n_stages, n_slots = len(space.stages), space.n_slots
    start = 1 + n_stages
    active = space.active_slots(X)  # (n, n_slots)
    resolution = X[:, :1]
    parts = [
        resolution / max(1, len(space.resolutions) - 1),
        resolution == np.arange(len(space.resolutions)),
        active,
    ]
    depth = active.reshape(len(X), n_stages, space.max_depth).sum(axis=2)
    sums = [depth]
    for begin, choices in ((start, space.kernel_sizes), (start + n_slots, space.expands)):
        codes = X[:, begin : begin + n_slots]
        hot = (codes[:, :, None] == np.arange(len(choices))) & active[:, :, None]
        parts.append(hot.reshape(len(X), n_slots * len(choices)))
        value = np.asarray(choices, dtype=np.float64)[codes] * active
        sums.append(value.reshape(len(X), n_stages, space.max_depth).sum(axis=2) / depth)
    return np.concatenate([*parts, *sums], axis=1, dtype=np.float64)


def mobile_groups(space: MobileSpace) -> list[int]:
    """Return the group of each feature: resolution twice, blocks, kernels and expansions.

    What a stage sums up to is for trees. A Gaussian process leaves it out: it would explain by depths
    and means what it knows of the blocks themselves, and is the worse for it after a hundred samples
    (``docs/adr/0010-*.md``).
    """
    n_stages, n_slots = len(space.stages), space.n_slots
    blocks = [n_slots, n_slots * len(space.kernel_sizes), n_slots * len(space.expands)]
    sizes = [1, len(space.resolutions), *blocks]
    return [group for group, size in enumerate(sizes) for _ in range(size)] + [LEFT_OUT] * (3 * n_stages)

"""Outlying errors: networks that learned nothing must not decide what the others are told by."""

from __future__ import annotations

import numpy as np

from edgewright.spaces.architecture import FloatArray

# Tukey's: quartile ranges beyond the third quartile.
REACH = 1.5
MIN_SAMPLES = 8  # quartiles of fewer say little


def upper_fence(y: FloatArray) -> float:
    """Return the value above which samples ``(n,)`` are outliers: Tukey's fence; infinite if unknown."""
    if len(y) < MIN_SAMPLES:
        return float("inf")
    first, third = np.quantile(y, [0.25, 0.75])
    return float(third + REACH * (third - first)) if third > first else float("inf")


def tamed(y: FloatArray) -> FloatArray:
    """Return ``y`` ``(n,)`` with what lies beyond the fence drawn in to a logarithm of its distance.

    Order is kept. A network that answers by chance is as far from the good ones as all of them are
    from each other many times over; a model of squared errors would see nothing else.
    """
    fence = upper_fence(y)
    if not np.isfinite(fence):
        return y
    first, third = np.quantile(y, [0.25, 0.75])
    beyond = np.log1p(np.maximum(y - fence, 0.0) / (third - first)) * (third - first)
    return np.where(y > fence, fence + beyond, y)

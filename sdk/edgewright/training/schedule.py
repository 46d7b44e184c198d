"""The learning rate over a run."""

from __future__ import annotations

import math


def warmup_cosine(position: float, *, length: float, warmup: float) -> float:
    """Return the factor on the peak learning rate: a linear rise, then a cosine to zero.

    Args:
        position: epochs done since the schedule started, in ``[0, length]``.
        length: epochs of the schedule.
        warmup: epochs of the rise; at most a fifth of ``length`` is used.
    """
    warmup = min(warmup, length / 5)
    if position < warmup:
        return position / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (position - warmup) / (length - warmup))))

"""Exact costs of every network of a space. Workers load this too, so it imports little."""

from __future__ import annotations

from collections.abc import Callable

from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import FloatArray, IntArray

#: Maps encodings ``(n, n_var)`` to what each network costs, ``(n,)``.
Cost = Callable[[IntArray], FloatArray]


def macs(space: MobileSpace) -> Cost:
    """Return the multiply-accumulates of encodings, at batch 1."""
    return space.tabulate(lambda op: float(op.macs))


def params(space: MobileSpace) -> Cost:
    """Return the learned parameters of encodings."""
    return space.tabulate(lambda op: float(op.params))

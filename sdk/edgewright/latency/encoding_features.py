"""What a regression of latency sees of an encoding, for any space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgewright.spaces.architecture import FloatArray, IntArray, Space
from edgewright.spaces.operator import Operator


def moved_elements(operator: Operator) -> float:
    """Return the elements that an operator reads and writes, as activations between its layers."""
    read, written = operator.in_size**2, operator.out_size**2
    inside = operator.mid_channels * (2 * read + 2 * written)
    return float(read * operator.in_channels + inside + written * operator.out_channels)


AGGREGATES: tuple[Callable[[Operator], float], ...] = (
    lambda operator: float(operator.macs),
    lambda operator: float(operator.params),
    moved_elements,
    lambda operator: 1.0,
    lambda operator: float(operator.se),
    lambda operator: float(operator.kernel_size > 3),
)


class EncodingFeatures:
    """Maps encodings ``(n, n_var)`` to features ``(n, n_features)``.

    Three groups: logarithms of what a network sums up to (arithmetic, parameters, activations, and
    operators in all, with squeeze-and-excitation, with large kernels), which carry a few measurements
    far; each choice as a step of its range; each choice one-hot.

    Args:
        space: of the encodings.
    """

    def __init__(self, space: Space) -> None:
        self.n_choices = space.n_choices
        self._sums = [space.tabulate(cost) for cost in AGGREGATES]
        self._elastic = self.n_choices > 1

    @property
    def groups(self) -> tuple[int, ...]:
        """Columns of each group."""
        return len(self._sums), int(self._elastic.sum()), int(self.n_choices[self._elastic].sum())

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the features of encodings."""
        sums = np.stack([np.log1p(total(X)) for total in self._sums], axis=1)
        chosen, n_choices = X[:, self._elastic], self.n_choices[self._elastic]
        steps = chosen / np.maximum(n_choices - 1, 1)
        codes = chosen + np.concatenate([[0], np.cumsum(n_choices)[:-1]]).astype(np.int64)
        one_hot = np.zeros((len(X), int(n_choices.sum())))
        np.put_along_axis(one_hot, codes, 1.0, axis=1)
        return np.concatenate([sums, steps, one_hot], axis=1)

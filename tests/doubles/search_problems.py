"""Search problems whose truth is a formula, to search without training anything."""

from __future__ import annotations

import numpy as np

from edgewright.errors import ArchitectureError
from edgewright.spaces import Architecture, MobileSpace, find_space


class SyntheticProblem:
    """Validation error of a made-up supernet over a named space, with its exact costs.

    As in real supernets the error falls with size and saturates, every block's choice has its own
    gain, some choices interact, and networks of equal cost differ.
    """

    def __init__(self, spec: str = "mobilenetv3-small-image") -> None:
        self.space: MobileSpace = find_space(spec)
        self.macs = self.space.tabulate(lambda op: float(op.macs))
        self.params = self.space.tabulate(lambda op: float(op.params))
        self.latency = self.space.tabulate(
            lambda op: op.macs * 1e-7 + op.params * 2e-7 + 0.01 * op.kernel_size
        )
        rng = np.random.default_rng(7)
        space = self.space
        self._gain_k = rng.uniform(0.0, 1.0, size=(space.n_slots, 3)).cumsum(axis=1)
        self._gain_e = rng.uniform(0.0, 1.5, size=(space.n_slots, 3)).cumsum(axis=1)
        self._pair = rng.normal(0.0, 0.3, size=(space.n_slots, 3, 3))

    def error(self, X: np.ndarray) -> np.ndarray:
        """Return the validation error as a fraction, ``(n,)``."""
        space, slots = self.space, np.arange(self.space.n_slots)
        start = 1 + len(space.stages)
        k, e = X[:, start : start + space.n_slots], X[:, start + space.n_slots :]
        gain = (
            self._gain_k[slots, k] + self._gain_e[slots, e] + self._pair[slots, k, e]
        ) * space.active_slots(X)
        capacity = gain.sum(axis=1) / space.n_slots + 0.6 * X[:, 0] / len(space.resolutions)
        return 0.05 + 0.6 * np.exp(-capacity)


class ListSpace:
    """A space of ``n`` networks in one variable: no structure, small enough to exhaust."""

    name = slug = "list"
    version = 1

    def __init__(self, n: int) -> None:
        self.n_choices = np.array([n], dtype=np.int64)
        self.digest = f"list of {n}"

    def encode(self, arch: Architecture) -> np.ndarray:
        return np.array([arch.resolution - 1], dtype=np.int64)

    def decode(self, x: np.ndarray) -> Architecture:
        if len(x) != 1 or not 0 <= x[0] < self.n_choices[0]:
            raise ArchitectureError(f"an encoding of list is one of [0, {self.n_choices[0]}), got {x}")
        return Architecture(int(x[0]) + 1, (), (), ())

    def repair(self, X: np.ndarray) -> np.ndarray:
        return np.array(X, dtype=np.int64)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.integers(0, self.n_choices, size=(n, 1))

    def neighbours(self, x: np.ndarray) -> np.ndarray:
        return np.setdiff1d(np.arange(self.n_choices[0]), x)[:, None]

    def smallest(self) -> Architecture:
        return Architecture(1, (), (), ())

    def largest(self) -> Architecture:
        return Architecture(int(self.n_choices[0]), (), (), ())

"""An architecture, and what every search space offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgewright.spaces.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

#: Spaces up to this many encodings are listed, so that a search of one can end by having seen all.
MAX_ENUMERATED = 50_000


@dataclass(frozen=True, slots=True)
class Architecture:
    """A subnet: one choice per elastic dimension. Hashable, so it can key a cache.

    Attributes:
        resolution: pixels per side of the input image.
        depths: active blocks of each stage, ``(n_stages,)``.
        kernel_sizes: one per block slot, stage by stage, inactive slots included.
        expands: expansion ratios, likewise.
    """

    resolution: int
    depths: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    expands: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "resolution": self.resolution,
            "depths": list(self.depths),
            "kernel_sizes": list(self.kernel_sizes),
            "expands": list(self.expands),
        }


class SearchSpace(Protocol):
    """What a search needs of a family of networks.

    Encodings are integer vectors of choice indices, ``(n_var,)``, each in ``[0, n_choices)``.
    They are canonical: two architectures that build the same subnet have the same encoding. An
    architecture is whatever the space says, a hashable value with ``to_json``.
    """

    @property
    def name(self) -> str:
        """Name and restriction, in one word."""
        ...

    @property
    def version(self) -> int:
        """Raised when the same name starts to mean other networks."""
        ...

    @property
    def slug(self) -> str:
        """The name in a form that every file system takes."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides which networks exist."""
        ...

    @property
    def n_choices(self) -> IntArray:
        """Choices of each variable, ``(n_var,)``."""
        ...

    def encode(self, arch: Any) -> IntArray:
        """Return the canonical encoding, ``(n_var,)``. Raises ``ArchitectureError``."""
        ...

    def decode(self, x: Sequence[int] | IntArray) -> Any:
        """Return the architecture of an encoding ``(n_var,)``. Raises ``ArchitectureError``."""
        ...

    def repair(self, X: IntArray) -> IntArray:
        """Return ``X`` ``(n, n_var)`` made canonical; values must be within ``n_choices``."""
        ...

    def sample(self, rng: np.random.Generator, n: int) -> IntArray:
        """Return ``n`` random canonical encodings, ``(n, n_var)``; duplicates may occur."""
        ...

    def neighbours(self, x: IntArray) -> IntArray:
        """Return every network that one changed choice makes of ``x`` ``(n_var,)``, ``(m, n_var)``.

        Canonical, each once, ``x`` itself not among them.
        """
        ...

    def smallest(self) -> Any:
        """Return the network with the least of every elastic dimension."""
        ...

    def largest(self) -> Any:
        """Return the network with the most of every elastic dimension."""
        ...


class Space(SearchSpace, Protocol):
    """A search space whose networks are rows of operators, so that latency tables can price them."""

    @property
    def name(self) -> str:
        """Name and restriction, as :func:`edgewright.spaces.find_space` reads them."""
        ...

    def encode(self, arch: Architecture) -> IntArray:
        """Return the canonical encoding, ``(n_var,)``. Raises ``ArchitectureError``."""
        ...

    def decode(self, x: Sequence[int] | IntArray) -> Architecture:
        """Return the architecture of an encoding ``(n_var,)``. Raises ``ArchitectureError``."""
        ...

    def smallest(self) -> Architecture:
        """Return the network with the least of every elastic dimension."""
        ...

    def largest(self) -> Architecture:
        """Return the network with the most of every elastic dimension."""
        ...

    def operators(self, arch: Architecture) -> tuple[Operator, ...]:
        """Return the subnet's operators in order of execution, with their input shapes."""
        ...

    def all_operators(self) -> tuple[Operator, ...]:
        """Return every distinct operator of the space, sorted."""
        ...

    def tabulate(self, cost: Callable[[Operator], float]) -> CostTable:
        """Return the additive cost of every network, given that of an operator."""
        ...


class CostTable(Protocol):
    """A cost that is a sum over operators, for many encodings at once."""

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the cost of each row of ``X`` ``(n, n_var)`` as ``(n,)``."""
        ...


def changed_once(x: IntArray, n_choices: IntArray) -> IntArray:
    """Return every encoding that differs from ``x`` ``(n_var,)`` in one variable, ``(m, n_var)``."""
    variable = np.repeat(np.arange(len(n_choices)), n_choices)
    value = np.arange(len(variable)) - np.repeat(np.cumsum(n_choices) - n_choices, n_choices)
    other = value != x[variable]
    moved = np.tile(x, (int(other.sum()), 1))
    moved[np.arange(len(moved)), variable[other]] = value[other]
    return moved


def neighbours_of(space: SearchSpace, x: IntArray) -> IntArray:
    """Return every canonical encoding but ``x`` ``(n_var,)`` that one change makes of it, ``(m, n_var)``."""
    X = np.unique(space.repair(changed_once(x, space.n_choices)), axis=0)
    near: IntArray = X[(x != X).any(axis=1)]
    return near


def enumerate_space(space: SearchSpace) -> IntArray | None:
    """Return every canonical encoding, ``(n, n_var)``, or None where they are too many to list."""
    if float(np.prod(space.n_choices.astype(np.float64))) > MAX_ENUMERATED:
        return None
    grid = np.indices(tuple(int(n) for n in space.n_choices)).reshape(len(space.n_choices), -1).T
    return np.unique(space.repair(grid.astype(np.int64)), axis=0)

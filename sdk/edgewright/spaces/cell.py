"""NAS-Bench-201's cells (arXiv:2001.00326, section 2.1): six edges among four nodes, five operations.

Node 0 is the cell's input and node 3 its output; a node is the sum of its incoming edges. An edge is
dead where no path from input to output runs through it without a ``none``: whatever its operation,
the cell computes the same. So 15,625 cells are 9,445 networks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import ArchitectureError
from edgewright.files import digest_of
from edgewright.spaces.architecture import IntArray, changed_once

#: Operations in the order of their codes, as NAS-Bench-201 names and orders them.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV_1X1, CONV_3X3, AVG_POOL = range(5)
#: From and to, in the order of an encoding.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
N_NODES = 4

_PLACES = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)  # of each edge in a cell's number


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: one operation for each of :data:`EDGES`. Hashable, so it can key a cache."""

    operations: tuple[str, ...]

    def __str__(self) -> str:
        """Return the cell as NAS-Bench-201 writes it: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        nodes: dict[int, list[str]] = {}
        for (source, target), operation in zip(EDGES, self.operations, strict=True):
            nodes.setdefault(target, []).append(f"{operation}~{source}")
        return "+".join(f"|{'|'.join(edges)}|" for edges in nodes.values())

    @classmethod
    def from_text(cls, text: str) -> Cell:
        """Return the cell that NAS-Bench-201 writes so. Raises ``ArchitectureError``."""
        found = re.findall(r"([a-z0-9_]+)~\d", text)
        if len(found) != len(EDGES) or str(cls(tuple(found))) != text.strip():
            raise ArchitectureError(
                f"cannot read the cell {text!r}; write it as {cls((OPERATIONS[SKIP],) * len(EDGES))}"
            )
        return cls(tuple(found))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"operations": list(self.operations), "cell": str(self)}


@dataclass(frozen=True)
class CellSpace:
    """The cells of NAS-Bench-201; an encoding is the operation of each edge, ``(6,)``.

    Attributes:
        distinct: take cells that compute the same for one: dead edges encode as ``none``. Without it
            all 15,625 cells stand for themselves, as in tables where each was trained and measured.
        version: raised when the same name starts to mean other networks.
    """

    distinct: bool = True
    version: int = 1

    @property
    def name(self) -> str:
        """``nas-bench-201``, and ``-as-written`` where equal cells are told apart."""
        return "nas-bench-201" if self.distinct else "nas-bench-201-as-written"

    @property
    def slug(self) -> str:
        """The name in a form that every file system takes."""
        return self.name

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides which networks exist."""
        return digest_of([self.name, self.version, OPERATIONS, EDGES])

    @cached_property
    def n_choices(self) -> IntArray:
        """Choices of each variable, ``(6,)``."""
        return np.full(len(EDGES), len(OPERATIONS), dtype=np.int64)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of an encoding."""
        return tuple(f"edge {source} to {target}" for source, target in EDGES)

    @cached_property
    def members(self) -> IntArray:
        """Every canonical encoding, ``(9445, 6)`` or ``(15625, 6)``, ascending."""
        return cells_from_numbers(np.unique(self._canonical))

    def encode(self, arch: Cell) -> IntArray:
        """Return the canonical encoding, ``(6,)``. Raises ``ArchitectureError``."""
        unknown = [name for name in arch.operations if name not in OPERATIONS]
        if unknown or len(arch.operations) != len(EDGES):
            raise ArchitectureError(
                f"a cell of {self.name} has {len(EDGES)} operations out of {', '.join(OPERATIONS)}, "
                f"got {', '.join(arch.operations) or 'none at all'}"
            )
        x = np.array([OPERATIONS.index(name) for name in arch.operations], dtype=np.int64)
        canonical: IntArray = self.repair(x[None])[0]
        return canonical

    def decode(self, x: Sequence[int] | IntArray) -> Cell:
        """Return the cell of an encoding ``(6,)``. Raises ``ArchitectureError``."""
        codes = np.asarray(x)
        if codes.shape != (len(EDGES),) or not np.issubdtype(codes.dtype, np.integer):
            raise ArchitectureError(
                f"an encoding of {self.name} is {len(EDGES)} integers, got {codes.dtype} {codes.shape}"
            )
        outside = (codes < 0) | (codes >= self.n_choices)
        if bool(outside.any()):
            bad = int(np.flatnonzero(outside)[0])
            raise ArchitectureError(
                f"variable {bad} ({self.variables[bad]}) of {self.name} lies in "
                f"[0, {len(OPERATIONS)}), got {codes[bad]}"
            )
        return Cell(tuple(OPERATIONS[i] for i in self.repair(codes[None].astype(np.int64))[0]))

    def repair(self, X: IntArray) -> IntArray:
        """Return ``X`` ``(n, 6)`` with dead edges set to ``none`` where the space is ``distinct``."""
        return cells_from_numbers(self._canonical[numbers_from_cells(X)])

    def sample(self, rng: np.random.Generator, n: int) -> IntArray:
        """Return ``n`` of :attr:`members` at random, ``(n, 6)``; each is as likely as any other."""
        return self.members[rng.integers(0, len(self.members), size=n)]

    def neighbours(self, x: IntArray) -> IntArray:
        """Return every network that one changed edge makes of ``x`` ``(6,)``, ``(m, 6)``.

        In a ``distinct`` space the edge may be one of any cell that computes what ``x`` does: an
        operation on a dead edge can be what makes the next change count.
        """
        number = self._canonical[numbers_from_cells(np.asarray(x)[None])[0]]
        equal = cells_from_numbers(np.flatnonzero(self._canonical == number))
        moved = np.concatenate([changed_once(cell, self.n_choices) for cell in equal])
        near = np.unique(self._canonical[numbers_from_cells(moved)])
        return cells_from_numbers(near[near != number])

    def smallest(self) -> Cell:
        """Return the cell that hands its input through: the least whose output depends on it."""
        return self.decode(np.array([NONE, NONE, NONE, SKIP, NONE, NONE]))

    def largest(self) -> Cell:
        """Return the cell with a 3x3 convolution on every edge."""
        return self.decode(np.full(len(EDGES), CONV_3X3))

    @cached_property
    def _canonical(self) -> IntArray:
        """Number of the canonical cell of each cell, ``(15625,)``."""
        every = np.arange(len(OPERATIONS) ** len(EDGES), dtype=np.int64)
        return _pruned_numbers() if self.distinct else every


def live_edges(X: IntArray) -> NDArray[np.bool_]:
    """Return which edges lie on a path from input to output that has no ``none``, ``(n, 6)``."""
    on = np.asarray(X) != NONE
    reached = np.zeros((len(on), N_NODES), dtype=np.bool_)
    leads = np.zeros_like(reached)
    reached[:, 0] = leads[:, -1] = True
    for edge, (source, target) in enumerate(EDGES):  # edges into a node come before those out of it
        reached[:, target] |= on[:, edge] & reached[:, source]
    for edge, (source, target) in reversed(list(enumerate(EDGES))):
        leads[:, source] |= on[:, edge] & leads[:, target]
    sources, targets = np.array(EDGES).T
    live: NDArray[np.bool_] = on & reached[:, sources] & leads[:, targets]
    return live


def pruned(X: IntArray) -> IntArray:
    """Return cells ``(n, 6)`` with ``none`` on every dead edge."""
    return np.where(live_edges(X), X, NONE).astype(np.int64)


def numbers_from_cells(X: IntArray) -> IntArray:
    """Return each cell's place among all 15,625 in ascending order, ``(n,)``."""
    numbers: IntArray = np.asarray(X, dtype=np.int64) @ _PLACES
    return numbers


def cells_from_numbers(numbers: IntArray) -> IntArray:
    """Return the cells ``(n, 6)`` of their numbers ``(n,)``."""
    cells: IntArray = np.asarray(numbers, dtype=np.int64)[:, None] // _PLACES % len(OPERATIONS)
    return cells


@cache
def _pruned_numbers() -> IntArray:
    every = np.arange(len(OPERATIONS) ** len(EDGES), dtype=np.int64)
    return numbers_from_cells(pruned(cells_from_numbers(every)))

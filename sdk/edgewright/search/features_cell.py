"""Features of cells: counts, degrees and paths, after GRAF (arXiv:2404.16551, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.spaces.cell import (
    EDGES,
    N_NODES,
    OPERATIONS,
    CellSpace,
    cells_from_numbers,
    numbers_from_cells,
    pruned,
)


def cell_features(space: CellSpace, X: IntArray) -> FloatArray:
    """Return the features of cells ``(n, 6)``, ``(n, 221)``: those of equal cells are equal.

    On the cell without its dead edges: the operation of each edge one-hot, how often each occurs,
    and for every set of operations, over the edges that have one of them: the length of the shortest
    and the longest path from input to output, how many paths there are, the degrees of input and
    output, and how many edges. Where there is no path, the shortest is longer than any and the
    longest is 0. GRAF's sets ban what ours allow; all 31 of them are taken.
    """
    return _table()[numbers_from_cells(X)].astype(np.float64)


def cell_groups(space: CellSpace) -> list[int]:
    """Return the group of each feature: operations of edges, their counts, and each kind of the others."""
    n_sets = 2 ** len(OPERATIONS) - 1
    alike = [2 + kind for _ in range(n_sets) for kind in range(6)]
    return [0] * len(EDGES) * len(OPERATIONS) + [1] * len(OPERATIONS) + alike


@cache
def _table() -> NDArray[np.int8]:
    """Return the features of every cell by its number, ``(15625, 221)``; made once, 3.5 MB."""
    every = np.arange(len(OPERATIONS) ** len(EDGES), dtype=np.int64)
    X = pruned(cells_from_numbers(every))
    hot = X[:, :, None] == np.arange(len(OPERATIONS))  # (n, n_edges, n_ops)
    parts = [hot.reshape(len(X), -1), hot.sum(axis=1)]
    paths = tuple(_paths(0))
    sources, targets = np.array(EDGES).T
    for size in range(1, len(OPERATIONS) + 1):
        for allowed in combinations(range(len(OPERATIONS)), size):
            on = hot[:, :, list(allowed)].any(axis=2)  # (n, n_edges)
            whole = np.stack([on[:, list(path)].all(axis=1) for path in paths], axis=1)
            lengths = np.array([len(path) for path in paths])
            parts.append(
                np.stack(
                    [
                        np.where(whole, lengths, N_NODES).min(axis=1),
                        np.where(whole, lengths, 0).max(axis=1),
                        whole.sum(axis=1),
                        on[:, sources == 0].sum(axis=1),
                        on[:, targets == N_NODES - 1].sum(axis=1),
                        on.sum(axis=1),
                    ],
                    axis=1,
                )
            )
    return np.concatenate(parts, axis=1).astype(np.int8)


def _paths(node: int) -> Iterator[tuple[int, ...]]:
    """Yield every path from ``node`` to the output, as edges."""
    if node == N_NODES - 1:
        yield ()
        return
    for edge, (source, target) in enumerate(EDGES):
        if source == node:
            for rest in _paths(target):
                yield (edge, *rest)

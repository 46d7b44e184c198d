"""Additive costs of many encodings of a mobile space at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edgewright.spaces.architecture import FloatArray, IntArray

_ROWS = 4096  # encodings at a time: what is made of them stays in a core's cache
_MAX_ENTRIES = 1 << 22  # of a stage's table
_EXACT = 1 << 24  # float32 holds every integer below


def active_slots(D: IntArray, depths: tuple[int, ...], max_depth: int) -> NDArray[np.bool_]:
    """Return which slots are built, ``(n, n_slots)``, for choices of depth ``D`` ``(n, n_stages)``."""
    chosen = np.asarray(depths)[D]  # (n, n_stages)
    built = np.arange(max_depth) < chosen[:, :, None]  # (n, n_stages, max_depth)
    return built.reshape(len(D), D.shape[1] * max_depth)  # -1 would fail where n is 0


@dataclass(frozen=True)
class MobileCostTable:
    """Additive costs of a ``MobileSpace`` as arrays.

    Each stage's networks are listed with their cost, so that an encoding is one lookup a stage; its
    place in the list is a sum over the encoding's variables.

    Attributes:
        fixed: stem, first block and head, ``(n_resolutions,)``.
        blocks: ``(n_resolutions, n_slots, n_kernels, n_expands)``.
        depths: choices of a stage's depth.
        max_depth: slots of a stage.
    """

    fixed: FloatArray
    blocks: FloatArray
    depths: tuple[int, ...]
    max_depth: int

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the cost of each row of ``X`` ``(n, n_var)`` as ``(n,)``."""
        if self._n_entries > min(_MAX_ENTRIES, _EXACT):
            return self._slot_by_slot(X)
        total = np.empty(len(X))
        for start in range(0, len(X), _ROWS):
            part = X[start : start + _ROWS]
            places = (part.astype(np.float32) @ self._strides).astype(np.int64)  # (n, n_stages)
            cost = self.fixed[part[:, 0]]
            for stage, table in enumerate(self._stages):
                cost += table[places[:, stage]]
            total[start : start + _ROWS] = cost
        return total

    @property
    def _n_stages(self) -> int:
        return int(self.blocks.shape[1]) // self.max_depth

    @property
    def _n_entries(self) -> int:
        n_resolutions, _, n_kernels, n_expands = self.blocks.shape
        n_networks: int = int(n_kernels * n_expands) ** self.max_depth
        return int(n_resolutions) * len(self.depths) * n_networks

    @cached_property
    def _stages(self) -> FloatArray:
        """Cost of every stage, ``(n_stages, n_entries)``; by resolution, depth, then block by block."""
        n_resolutions, _, n_kernels, n_expands = self.blocks.shape
        n_blocks = n_kernels * n_expands
        costs = self.blocks.reshape(n_resolutions, self._n_stages, self.max_depth, n_blocks)
        tables = np.zeros((self._n_stages, n_resolutions, len(self.depths)) + (n_blocks,) * self.max_depth)
        for index, depth in enumerate(self.depths):
            for slot in range(depth):
                shape = [1] * self.max_depth
                shape[slot] = n_blocks
                block = costs[:, :, slot].transpose(1, 0, 2).reshape(self._n_stages, n_resolutions, *shape)
                tables[:, :, index] += block
        return tables.reshape(self._n_stages, -1)

    @cached_property
    def _strides(self) -> NDArray[np.float32]:
        """What a unit of each variable adds to the place in each stage's list, ``(n_var, n_stages)``."""
        _, n_slots, n_kernels, n_expands = self.blocks.shape
        n_stages, n_blocks = self._n_stages, n_kernels * n_expands
        strides = np.zeros((1 + n_stages + 2 * n_slots, n_stages), dtype=np.float32)
        strides[0] = len(self.depths) * n_blocks**self.max_depth
        for stage in range(n_stages):
            strides[1 + stage, stage] = n_blocks**self.max_depth
            for position in range(self.max_depth):
                slot = stage * self.max_depth + position
                weight = n_blocks ** (self.max_depth - 1 - position)
                strides[1 + n_stages + slot, stage] = weight * n_expands
                strides[1 + n_stages + n_slots + slot, stage] = weight
        return strides

    def _slot_by_slot(self, X: IntArray) -> FloatArray:
        """Return the same where the lists would be too long."""
        n_slots, n_stages = self.blocks.shape[1], self._n_stages
        active = active_slots(X[:, 1 : 1 + n_stages], self.depths, self.max_depth)
        kernels = X[:, 1 + n_stages : 1 + n_stages + n_slots]
        expands = X[:, 1 + n_stages + n_slots :]
        costs = self.blocks[X[:, :1], np.arange(n_slots), kernels, expands]  # (n, n_slots)
        total: FloatArray = self.fixed[X[:, 0]] + (costs * active).sum(axis=1)
        return total

"""Shuffled, augmented batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgewright.training.data.images import Split


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes that keep an image's meaning.

    Attributes:
        crop_fraction: the image moves by up to this share of its side; what enters is zero. The
            usual 4 pixels of 32 are 0.125.
        flip: mirror left and right with probability one half.
    """

    crop_fraction: float = 0.125
    flip: bool = True

    def apply(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """Return changed copies of ``images`` ``(N, 3, H, W)`` uint8."""
        n, _, height, width = images.shape
        pad = round(self.crop_fraction * height)
        offsets = rng.integers(0, 2 * pad + 1, size=(n, 2))
        mirrored = rng.random(n) < 0.5 if self.flip else np.zeros(n, dtype=np.bool_)
        result = torch.empty_like(images)
        padded = functional.pad(images, (pad, pad, pad, pad))
        for i, (top, left) in enumerate(offsets.tolist()):
            crop = padded[i, :, top : top + height, left : left + width]
            result[i] = crop.flip(-1) if mirrored[i] else crop
        return result


def batches(
    split: Split,
    *,
    batch_size: int,
    rng: np.random.Generator | None = None,
    augmentation: Augmentation | None = None,
) -> Iterator[Split]:
    """Yield ``split`` in batches of uint8 images.

    Args:
        split: what to draw from.
        batch_size: images a batch.
        rng: shuffles and augments; then the last, incomplete batch is left out unless it is the
            only one. Without it batches come in order and complete the split.
        augmentation: applied where ``rng`` is given.
    """
    n = len(split)
    order = np.arange(n) if rng is None else rng.permutation(n)
    stop = n if rng is None or n < batch_size else n - n % batch_size
    for start in range(0, stop, batch_size):
        batch = split.take(order[start : min(start + batch_size, stop)])
        if rng is not None and augmentation is not None:
            batch = Split(augmentation.apply(batch.images, rng), batch.labels)
        yield batch


def n_batches(n_images: int, batch_size: int) -> int:
    """Return how many shuffled batches :func:`batches` yields."""
    return max(1, n_images // batch_size)

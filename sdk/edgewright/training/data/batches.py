"""Shuffled, augmented batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgewright.training.data.images import Split


class Share(NamedTuple):
    """The part of a batch that one of several processes works on.

    Attributes:
        start: first image.
        stop: behind the last one.
        total: images of the batch.
    """

    start: int
    stop: int
    total: int

    @property
    def weight(self) -> float:
        """The part's weight in a mean over the batch."""
        return (self.stop - self.start) / self.total

    @property
    def rows(self) -> slice:
        """Where the part lies in the batch."""
        return slice(self.start, self.stop)


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

    def apply(self, images: Tensor, rng: np.random.Generator, *, share: Share | None = None) -> Tensor:
        """Return changed copies of ``images`` ``(N, 3, H, W)`` uint8.

        Args:
            images: to change.
            rng: decides how.
            share: says that they are this part of a batch; each is changed as in the whole one.
        """
        height, width = images.shape[2:]
        share = share or Share(0, len(images), len(images))
        pad = round(self.crop_fraction * height)
        offsets = rng.integers(0, 2 * pad + 1, size=(share.total, 2))[share.rows]
        mirrored = rng.random(share.total) < 0.5 if self.flip else np.zeros(share.total, dtype=np.bool_)
        mirrored = mirrored[share.rows]
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
    share: Share | None = None,
) -> Iterator[Split]:
    """Yield ``split`` in batches of uint8 images.

    Args:
        split: what to draw from.
        batch_size: images a batch.
        rng: shuffles and augments; then the last, incomplete batch is left out unless it is the
            only one. Without it batches come in order and complete the split.
        augmentation: applied where ``rng`` is given.
        share: the part of each batch that is wanted, of batches that all have ``share.total`` images.
    """
    n = len(split)
    order = np.arange(n) if rng is None else rng.permutation(n)
    stop = n if rng is None or n < batch_size else n - n % batch_size
    for start in range(0, stop, batch_size):
        rows = order[start : min(start + batch_size, stop)]
        batch = split.take(rows if share is None else rows[share.rows])
        if rng is not None and augmentation is not None:
            batch = Split(augmentation.apply(batch.images, rng, share=share), batch.labels)
        yield batch


def n_batches(n_images: int, batch_size: int) -> int:
    """Return how many shuffled batches :func:`batches` yields."""
    return max(1, n_images // batch_size)

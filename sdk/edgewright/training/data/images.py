"""Labelled images in memory, split in three."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgewright.errors import DataError


class Split(NamedTuple):
    """Images with their labels.

    Attributes:
        images: ``(N, 3, size, size)``, uint8, RGB.
        labels: ``(N,)``, int64, indices into the class names.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> Split:
        """Return the images at ``indices``, in that order."""
        index = torch.from_numpy(np.ascontiguousarray(indices))
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """A data set: what is trained on, what the search sees, and what neither ever sees.

    Attributes:
        train: trained and calibrated on.
        val: held out of training; the search's error comes from it.
        test: for the final figures alone.
        classes: names of the labels.
        mean: of each channel over ``train``, as a fraction of 255.
        std: likewise.
        flip: whether a mirrored image keeps its meaning; the default of augmentation.
        digest: SHA-256 of images, labels and class names.
    """

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    digest: str

    @classmethod
    def from_splits(
        cls, train: Split, val: Split, test: Split, classes: tuple[str, ...], *, flip: bool
    ) -> ImageData:
        """Return the data set with its statistics and digest."""
        total = torch.zeros(3, dtype=torch.float64)
        squares = torch.zeros(3, dtype=torch.float64)
        for images in _chunks(train.images, 1024):
            x = images.to(torch.float64) / 255
            total += x.sum(dim=(0, 2, 3))
            squares += x.square().sum(dim=(0, 2, 3))
        n = len(train) * train.images.shape[2] * train.images.shape[3]
        mean = total / n
        std = (squares / n - mean.square()).clamp_min(0).sqrt().clamp_min(1e-3)  # images of one colour
        sha = hashlib.sha256("\n".join(classes).encode("utf-8"))
        for split in (train, val, test):
            sha.update(repr(tuple(split.images.shape)).encode("ascii"))
            sha.update(split.images.contiguous().numpy().data)
            sha.update(split.labels.contiguous().numpy().data)
        return cls(
            train, val, test, classes, tuple(mean.tolist()), tuple(std.tolist()), flip, sha.hexdigest()
        )

    @property
    def size(self) -> int:
        """Pixels per side of the stored images."""
        return int(self.train.images.shape[-1])

    @property
    def n_classes(self) -> int:
        """How many labels there are."""
        return len(self.classes)

    def split(self, name: str) -> Split:
        """Return ``train``, ``val`` or ``test``. Raises ``DataError`` for another name."""
        if name not in ("train", "val", "test"):
            raise DataError(f"a split is train, val or test, got {name!r}")
        chosen: Split = getattr(self, name)
        return chosen

    def filled_split(self, name: str, otherwise: str) -> Split:
        """Return a split that holds images; of an empty one ``DataError`` says what comes of it."""
        chosen = self.split(name)
        if len(chosen.labels) == 0:
            raise DataError(f"the {name} split holds no image; {otherwise}")
        return chosen

    def prepare(self, images: Tensor, resolution: int) -> Tensor:
        """Return ``images`` ``(N, 3, H, W)`` uint8 as a network reads them.

        Resized with antialiasing to ``(N, 3, resolution, resolution)``, normalised to zero mean and
        unit variance over ``train``, float32 in the ``channels_last`` memory format.
        """
        x = images.to(torch.float32).contiguous(memory_format=torch.channels_last)
        if tuple(x.shape[-2:]) != (resolution, resolution):
            x = functional.interpolate(
                x, size=(resolution, resolution), mode="bilinear", antialias=True, align_corners=False
            )
        scale = 1 / (255 * torch.tensor(self.std))
        shift = -torch.tensor(self.mean) / torch.tensor(self.std)
        x = torch.addcmul(shift.view(1, 3, 1, 1), x, scale.view(1, 3, 1, 1))
        return x.contiguous(memory_format=torch.channels_last)

    def calibration_images(self, n: int, *, seed: int = 0) -> Tensor:
        """Return at most ``n`` training images, uint8, the same ones for the same ``seed``."""
        order = np.random.default_rng(seed).permutation(len(self.train))[:n]
        return self.train.images[torch.from_numpy(order)]

    def prepared_batches(self, images: Tensor, resolution: int, batch_size: int) -> Iterator[Tensor]:
        """Yield ``images`` prepared, in order, ``batch_size`` at a time."""
        for chunk in _chunks(images, batch_size):
            yield self.prepare(chunk, resolution)


def _chunks(tensor: Tensor, size: int) -> Iterator[Tensor]:
    for start in range(0, len(tensor), size):
        yield tensor[start : start + size]


def stratified_split(
    labels: NDArray[np.int64], fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices kept and held out, ascending: ``fraction`` of each class, at least one."""
    held: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held.append(rng.permutation(members)[: max(1, round(len(members) * fraction))])
    held_out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out

"""Spaces and data small enough to train in seconds."""

from __future__ import annotations

import numpy as np
import torch

from edgewright.spaces import MobileSpace, Stage
from edgewright.supernet import Supernet
from edgewright.training.data import ImageData, Split


def tiny_space(n_classes: int = 3) -> MobileSpace:
    """Two stages with every elastic dimension, activations of both kinds, with and without SE."""
    return MobileSpace(
        base_name="tiny",
        stem_width=8,
        stem_stride=2,
        stages=(Stage(8, 1, "relu", False), Stage(16, 2, "h_swish", True)),
        final_width=16,
        hidden_width=24,
        resolutions=(8, 12),
        depths=(1, 2),
        n_classes=n_classes,
    )


def tiny_data(n_train: int = 48, *, size: int = 12, n_classes: int = 3, seed: int = 0) -> ImageData:
    """Noise whose brightest third, by rows, is the class."""
    rng = np.random.default_rng(seed)

    def split(n: int) -> Split:
        labels = np.arange(n) % n_classes
        images = rng.integers(0, 120, size=(n, 3, size, size), dtype=np.uint8)
        band = size // n_classes
        for image, label in zip(images, labels, strict=True):
            image[:, label * band : (label + 1) * band] += 100
        return Split(torch.from_numpy(images), torch.from_numpy(labels))

    names = tuple(f"class{i}" for i in range(n_classes))
    return ImageData.from_splits(split(n_train), split(24), split(24), names, flip=False)


@torch.no_grad()
def shaken(supernet: Supernet, seed: int = 0) -> Supernet:
    """Give every weight and statistic a value that a mistake could not hide behind."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in supernet.parameters():
        noise = torch.empty_like(parameter).normal_(0, 0.05, generator=generator)
        parameter.add_(noise)
    for name, buffer in supernet.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("running_mean"):
            buffer.normal_(0, 0.2, generator=generator)
    return supernet

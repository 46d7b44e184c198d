"""What a way of training decides; the loop does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation


class Recipe(Protocol):
    """One way of training; lives as long as the run.

    Each epoch: :meth:`begin_epoch`; for each batch :meth:`resolution` and :meth:`step`, before which
    gradients are cleared and after which the optimiser steps at :meth:`lr_factor`; now and then
    :meth:`evaluate`. A resumed run makes a new recipe, loads the module's weights, then
    :meth:`load_state`.
    """

    @property
    def module(self) -> nn.Module:
        """What is trained."""
        ...

    def begin_epoch(self, epoch: int) -> bool:
        """Prepare epoch ``epoch``, counted from 0; return whether a fresh optimiser is needed."""
        ...

    def lr_factor(self, position: float) -> float:
        """Return the factor on the peak learning rate after ``position`` epochs."""
        ...

    def resolution(self, rng: np.random.Generator) -> int:
        """Return the pixels per side of the next batch."""
        ...

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        """Add the gradients of one batch; return the loss of its largest network in nats.

        Args:
            x: prepared images, ``(N, 3, R, R)``.
            labels: ``(N,)``.
            rng: of this epoch.
        """
        ...

    def state(self) -> dict[str, Tensor]:
        """Return what a resumed run needs beside the module's weights."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state` returned."""
        ...

    def evaluate(self, data: ImageData) -> dict[str, Evaluation]:
        """Return the validation accuracy of telling networks, by name."""
        ...


def dropout(features: Tensor, rate: float, rng: np.random.Generator) -> Tensor:
    """Return ``features`` ``(N, C)`` with a random share of zeros, rescaled; ``rng`` alone decides."""
    if rate == 0:
        return features
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    kept = torch.empty_like(features).bernoulli_(1 - rate, generator=generator)
    return features * kept / (1 - rate)

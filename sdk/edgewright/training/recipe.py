"""What a way of training decides; the loop does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from edgewright.training.data.batches import Share
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation


class Recipe(Protocol):
    """One way of training; lives as long as the run.

    Each epoch: :meth:`begin_epoch`; for each batch :meth:`resolution` and :meth:`step`, before which
    gradients are cleared and after which the optimiser steps at :meth:`lr_factor`; now and then
    :meth:`evaluations`. A resumed run makes a new recipe, loads the module's weights, then
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

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator, share: Share) -> float:
        """Add this process's part of a batch's gradients; return its part of the loss.

        The parts of all processes sum to the gradients, and to the loss of the batch's largest network
        in nats.

        Args:
            x: prepared images of the part, ``(N, 3, R, R)``.
            labels: ``(N,)``.
            rng: of this epoch; what is drawn from it does not depend on ``share``.
            share: which part of the batch they are.
        """
        ...

    def state(self) -> dict[str, Tensor]:
        """Return what a resumed run needs beside the module's weights."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state` returned."""
        ...

    def evaluations(self, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
        """Return how to evaluate telling networks on the validation split, by name."""
        ...


def add_gradients(loss: Tensor, share: Share) -> None:
    """Add the gradients of a ``loss`` that is the mean over ``share``, as its part of the batch's mean."""
    (loss * share.weight).backward()  # type: ignore[no-untyped-call]


def dropout(features: Tensor, rate: float, rng: np.random.Generator, share: Share) -> Tensor:
    """Return ``features`` ``(N, C)`` of ``share`` with random zeros, rescaled; ``rng`` alone decides.

    Each row loses what it would lose in the whole batch.
    """
    if rate == 0:
        return features
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    kept = features.new_empty((share.total, features.shape[1])).bernoulli_(1 - rate, generator=generator)
    return features * kept[share.rows] / (1 - rate)

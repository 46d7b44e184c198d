"""The sandwich rule with in-place distillation (BigNAS, arXiv:2003.11142, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from torch import Tensor
from torch.nn import functional

from edgewright.spaces.architecture import Architecture
from edgewright.supernet.supernet import Supernet
from edgewright.training.config import TrainConfig
from edgewright.training.data.batches import Share
from edgewright.training.data.images import ImageData
from edgewright.training.distillation import soft_cross_entropy
from edgewright.training.evaluate import Evaluation, evaluate_subnet
from edgewright.training.recipe import add_gradients, dropout
from edgewright.training.schedule import warmup_cosine


def sandwich_step(
    supernet: Supernet,
    x: Tensor,
    labels: Tensor,
    archs: tuple[Architecture, ...],
    *,
    label_smoothing: float,
    dropout_rate: float,
    rng: np.random.Generator,
    share: Share | None = None,
) -> float:
    """Add the gradients of one batch to ``supernet``; return the largest subnet's loss in nats.

    The largest subnet learns from the labels, the others from its answers to the same images, which
    are at hand already. Regularisation is the largest subnet's alone ("Regularizing only the biggest
    child"). Each subnet's graph is freed before the next one runs.

    Args:
        supernet: in training mode.
        x: prepared images, ``(N, 3, R, R)``.
        labels: ``(N,)``.
        archs: the largest subnet first, then those that learn from it.
        label_smoothing: of the labels.
        dropout_rate: before the largest subnet's classifier.
        rng: decides what is dropped.
        share: says that the images are this part of a batch, and gradients and loss shall be its part.
    """
    share = share or Share(0, len(labels), len(labels))
    largest, *others = archs
    features = supernet.features(x, largest)
    logits: Tensor = supernet.head.classifier(dropout(features, dropout_rate, rng, share))
    loss = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    add_gradients(loss, share)
    for arch in others:
        add_gradients(soft_cross_entropy(supernet(x, arch), logits), share)
    return float(loss.detach()) * share.weight


class SandwichRecipe:
    """Each step trains the largest, the smallest and ``n_random`` random subnets.

    All subnets of a step see the images at one resolution, drawn from the space's.

    Args:
        supernet: is trained in place.
        config: of the run.
    """

    def __init__(self, supernet: Supernet, config: TrainConfig) -> None:
        self.supernet = supernet
        self.config = config
        self._ends = (supernet.space.largest(), supernet.space.smallest())

    @property
    def module(self) -> Supernet:
        """What is trained."""
        return self.supernet

    def begin_epoch(self, epoch: int) -> bool:
        """Return whether a fresh optimiser is needed: at the start alone."""
        return epoch == 0

    def lr_factor(self, position: float) -> float:
        """Return the factor on the peak learning rate after ``position`` epochs."""
        return warmup_cosine(position, length=self.config.epochs, warmup=self.config.warmup_epochs)

    def resolution(self, rng: np.random.Generator) -> int:
        """Return one of the space's resolutions."""
        return int(rng.choice(self.supernet.space.resolutions))

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator, share: Share) -> float:
        """Add the gradients of a batch's ``share``; return its part of the largest subnet's loss in nats."""
        space = self.supernet.space
        drawn = (space.decode(encoding) for encoding in space.sample(rng, self.config.n_random))
        return sandwich_step(
            self.supernet,
            x,
            labels,
            (*self._ends, *drawn),
            label_smoothing=self.config.label_smoothing,
            dropout_rate=self.config.dropout,
            rng=rng,
            share=share,
        )

    def state(self) -> dict[str, Tensor]:
        """Return nothing: the weights are all there is."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over nothing."""

    def evaluations(self, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
        """Return how to evaluate the largest and the smallest subnet."""
        return evaluations_of_ends(self.supernet, data)


def evaluations_of_ends(supernet: Supernet, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
    """Return how to evaluate the largest and the smallest subnet, calibrated, on the validation split."""
    space = supernet.space
    largest = replace(space.largest(), resolution=space.resolutions[-1])
    smallest = replace(space.smallest(), resolution=space.resolutions[0])
    return {
        "largest": partial(evaluate_subnet, supernet, largest, data),
        "smallest": partial(evaluate_subnet, supernet, smallest, data),
    }

"""The sandwich rule with in-place distillation (BigNAS, arXiv:2003.11142, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor
from torch.nn import functional

from edgewright.spaces.architecture import Architecture
from edgewright.supernet.supernet import Supernet
from edgewright.training.config import TrainConfig
from edgewright.training.data.images import ImageData
from edgewright.training.distillation import soft_cross_entropy
from edgewright.training.evaluate import Evaluation, evaluate_subnet
from edgewright.training.recipe import dropout
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
    """
    largest, *others = archs
    features = supernet.features(x, largest)
    logits: Tensor = supernet.head.classifier(dropout(features, dropout_rate, rng))
    loss = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    for arch in others:
        soft_cross_entropy(supernet(x, arch), logits).backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


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

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        """Add the gradients of one batch; return the largest subnet's loss in nats."""
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
        )

    def state(self) -> dict[str, Tensor]:
        """Return nothing: the weights are all there is."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over nothing."""

    def evaluate(self, data: ImageData) -> dict[str, Evaluation]:
        """Return the validation accuracy of the largest and the smallest subnet."""
        return evaluate_ends(self.supernet, data)


def evaluate_ends(supernet: Supernet, data: ImageData) -> dict[str, Evaluation]:
    """Return the validation accuracy of the largest and the smallest subnet, calibrated."""
    space = supernet.space
    largest = replace(space.largest(), resolution=space.resolutions[-1])
    smallest = replace(space.smallest(), resolution=space.resolutions[0])
    return {
        "largest": evaluate_subnet(supernet, largest, data),
        "smallest": evaluate_subnet(supernet, smallest, data),
    }

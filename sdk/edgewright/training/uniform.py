"""One network trained alone: the baseline that a supernet has to beat.

A uniformly scaled baseline is one architecture with every width multiplied (MobileNet's width
multiplier, arXiv:1704.04861, section 3.3), trained by the same loop at the same cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.errors import SpaceError
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import make_divisible
from edgewright.supernet.plain import Head, InvertedResidual, network_from_architecture
from edgewright.training.config import TrainConfig
from edgewright.training.data.batches import Share
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation, evaluate
from edgewright.training.recipe import add_gradients, dropout
from edgewright.training.schedule import warmup_cosine


def scale_widths(space: MobileSpace, factor: float) -> MobileSpace:
    """Return ``space`` with every width multiplied by ``factor`` and rounded to multiples of 8.

    Raises:
        SpaceError: ``factor`` is not positive.
    """
    if not factor > 0:
        raise SpaceError(f"a width multiplier is positive, got {factor}")
    return replace(
        space,
        base_name=f"{space.base_name}-x{factor:g}",
        stem_width=make_divisible(space.stem_width * factor),
        stages=tuple(replace(stage, width=make_divisible(stage.width * factor)) for stage in space.stages),
        final_width=make_divisible(space.final_width * factor),
        hidden_width=make_divisible(space.hidden_width * factor),
    )


def fresh_network(space: MobileSpace, arch: Architecture, *, seed: int) -> nn.Sequential:
    """Return a network to train from scratch: residual blocks start as identities, as in the supernet.

    Raises:
        ArchitectureError: ``arch`` is not of ``space``.
    """
    network = network_from_architecture(space, arch, seed=seed)
    with torch.no_grad():
        for block in network:
            if isinstance(block, InvertedResidual) and block.residual:
                norm = block.project[1]
                assert isinstance(norm, nn.BatchNorm2d)
                norm.weight.zero_()
    return network


class FixedRecipe:
    """Ordinary training of one network at its own resolution.

    Args:
        network: plain layers, as ``network_from_architecture`` returns them; is trained in place.
        resolution: of its images.
        config: of the run; ``recipe`` and ``n_random`` play no part.
    """

    def __init__(self, network: nn.Sequential, resolution: int, config: TrainConfig) -> None:
        self.network = network
        self.config = config
        self._resolution = resolution
        head = network[-1]
        assert isinstance(head, Head)
        self._head = head

    @property
    def module(self) -> nn.Sequential:
        """What is trained."""
        return self.network

    def begin_epoch(self, epoch: int) -> bool:
        """Return whether a fresh optimiser is needed: at the start alone."""
        return epoch == 0

    def lr_factor(self, position: float) -> float:
        """Return the factor on the peak learning rate after ``position`` epochs."""
        return warmup_cosine(position, length=self.config.epochs, warmup=self.config.warmup_epochs)

    def resolution(self, rng: np.random.Generator) -> int:
        """Return the network's resolution."""
        return self._resolution

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator, share: Share) -> float:
        """Add the gradients of a batch's ``share``; return its part of the loss in nats."""
        for block in list(self.network)[:-1]:
            x = block(x)
        features = dropout(self._head.features(x), self.config.dropout, rng, share)
        logits = self._head.classifier(features)
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        add_gradients(loss, share)
        return float(loss.detach()) * share.weight

    def conclude(self) -> None:
        """Leave the network as the last epoch left it."""

    def state(self) -> dict[str, Tensor]:
        """Return nothing: the weights are all there is."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over nothing."""

    def evaluations(self, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
        """Return how to evaluate the network."""
        return {"network": partial(evaluate, self.network, data, split="val", resolution=self._resolution)}

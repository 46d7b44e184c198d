"""Progressive shrinking (Once-for-All, arXiv:1908.09791, section 3.3).

1. Train the largest network from the labels; keep a copy of it as the teacher.
2. Kernel sizes become elastic; subnets learn from the teacher and the labels.
3. Depths become elastic, one choice at a time.
4. Before each further expansion, channels are sorted by importance; then expansions become elastic,
   one choice at a time.

Resolution is elastic throughout. Each phase has its own optimiser and learning rate schedule. Subnets
a step, epochs and learning rates of the phases stand in the ratios of OFA's ``train_ofa_net.py``
(1 : 2 : 4 subnets; 180, 120, 25, 120, 25, 120 epochs); the phases share one run's epochs here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.errors import UsageError
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet.extract import extract
from edgewright.supernet.plain import network_from_architecture
from edgewright.supernet.supernet import Supernet
from edgewright.training.config import TrainConfig
from edgewright.training.data.batches import Share
from edgewright.training.data.images import ImageData
from edgewright.training.distillation import soft_cross_entropy
from edgewright.training.evaluate import Evaluation
from edgewright.training.recipe import add_gradients, dropout
from edgewright.training.sandwich import evaluations_of_ends
from edgewright.training.schedule import warmup_cosine

_KERNEL_LR = 0.4  # of the full phase's


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of epochs with the same choices.

    Attributes:
        name: ``full``, ``kernel``, ``depth 3+`` …
        start: first epoch.
        epochs: how many.
        n_subnets: trained a step.
        lr_factor: peak learning rate as a share of the run's.
        lowest_kernel: index of the smallest kernel size in use.
        lowest_depth: likewise.
        lowest_expand: likewise.
    """

    name: str
    start: int
    epochs: int
    n_subnets: int
    lr_factor: float
    lowest_kernel: int
    lowest_depth: int
    lowest_expand: int


def plan_phases(space: MobileSpace, epochs: int) -> tuple[Phase, ...]:
    """Return the phases of a run. Raises ``UsageError`` when there are fewer epochs than phases."""
    kernel, depth, expand = len(space.kernel_sizes) - 1, len(space.depths) - 1, len(space.expands) - 1
    # Rows: name, share of the epochs, subnets, learning rate, lowest indices.
    rows: list[tuple[str, float, int, float, int, int, int]] = [("full", 180, 1, 1.0, kernel, depth, expand)]
    if kernel:
        rows.append(("kernel", 120, 1, _KERNEL_LR, 0, depth, expand))
    for index in reversed(range(depth)):
        share, factor = (25, _KERNEL_LR / 12) if index else (120, _KERNEL_LR / 4)
        rows.append((f"depth {space.depths[index]}+", share, 2, factor, 0, index, expand))
    for index in reversed(range(expand)):
        share, factor = (25, _KERNEL_LR / 12) if index else (120, _KERNEL_LR / 4)
        rows.append((f"expansion {space.expands[index]}+", share, 4, factor, 0, 0, index))
    if epochs < len(rows):
        raise UsageError(
            f"progressive shrinking of {space.name} has {len(rows)} phases of at least one epoch, "
            f"got {epochs} epochs; give more, or use the sandwich recipe"
        )
    spread = _apportion([row[1] for row in rows], epochs)
    phases: list[Phase] = []
    start = 0
    for (name, _, n_subnets, factor, k, d, e), length in zip(rows, spread, strict=True):
        phases.append(Phase(name, start, length, n_subnets, factor, k, d, e))
        start += length
    return tuple(phases)


def _apportion(shares: list[float], total: int) -> list[int]:
    """Return integers near the ``shares`` of ``total`` that sum to it, each at least 1."""
    spare = total - len(shares)
    exact = [spare * share / sum(shares) for share in shares]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - exact[i])
    for index in by_remainder[: spare - sum(counts)]:
        counts[index] += 1
    return [1 + count for count in counts]


class ShrinkingRecipe:
    """Progressive shrinking as a recipe of the training loop.

    Args:
        supernet: is trained in place.
        config: of the run.

    Raises:
        UsageError: there are fewer epochs than phases.
    """

    def __init__(self, supernet: Supernet, config: TrainConfig) -> None:
        self.supernet = supernet
        self.config = config
        self.phases = plan_phases(supernet.space, config.epochs)
        self._phase = self.phases[0]
        self._teacher: nn.Module | None = None

    @property
    def module(self) -> Supernet:
        """What is trained."""
        return self.supernet

    def begin_epoch(self, epoch: int) -> bool:
        """Enter the phase of ``epoch``; return whether it starts here and wants a fresh optimiser."""
        previous = self.phase_of(epoch - 1) if epoch else None
        self._phase = self.phase_of(epoch)
        if previous is self._phase:
            return False
        if previous is not None and previous.name == "full":
            self._teacher = extract(self.supernet, self.supernet.space.largest())
        if previous is not None and self._phase.lowest_expand < previous.lowest_expand:
            trained = self.supernet.space.expands[previous.lowest_expand :]
            self.supernet.sort_channels(trained_expands=trained)
        return True

    def phase_of(self, epoch: float) -> Phase:
        """Return the phase that ``epoch`` lies in."""
        return next(phase for phase in reversed(self.phases) if phase.start <= epoch)

    def lr_factor(self, position: float) -> float:
        """Return the factor on the peak learning rate after ``position`` epochs."""
        phase = self._phase
        return phase.lr_factor * warmup_cosine(
            position - phase.start, length=phase.epochs, warmup=self.config.warmup_epochs
        )

    def resolution(self, rng: np.random.Generator) -> int:
        """Return one of the space's resolutions."""
        return int(rng.choice(self.supernet.space.resolutions))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Return a random subnet of the current phase."""
        space, phase = self.supernet.space, self._phase
        low = np.concatenate(
            [
                [0],
                np.full(len(space.stages), phase.lowest_depth),
                np.full(space.n_slots, phase.lowest_kernel),
                np.full(space.n_slots, phase.lowest_expand),
            ]
        )
        return space.decode(rng.integers(low, space.n_choices))

    def step(self, x: Tensor, labels: Tensor, rng: np.random.Generator, share: Share) -> float:
        """Add the gradients of a batch's ``share``; return its part of the subnets' mean loss in nats."""
        smoothing = self.config.label_smoothing
        if self._phase.name == "full":
            features = self.supernet.features(x, self.supernet.space.largest())
            logits = self.supernet.head.classifier(dropout(features, self.config.dropout, rng, share))
            loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            add_gradients(loss, share)
            return float(loss.detach()) * share.weight
        assert self._teacher is not None
        with torch.no_grad():
            # In training mode, as in OFA's code: one set of statistics cannot fit every resolution.
            answers = self._teacher.train()(x)
        total = 0.0
        for _ in range(self._phase.n_subnets):
            logits = self.supernet(x, self.sample(rng))
            hard = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            add_gradients(hard + soft_cross_entropy(logits, answers), share)
            total += float(hard.detach())
        return total / self._phase.n_subnets * share.weight

    def state(self) -> dict[str, Tensor]:
        """Return the teacher's weights, once there is one."""
        return {} if self._teacher is None else dict(self._teacher.state_dict())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the teacher."""
        if state:
            space = self.supernet.space
            self._teacher = network_from_architecture(space, space.largest())
            self._teacher.load_state_dict(dict(state))

    def evaluations(self, data: ImageData) -> dict[str, Callable[[], Evaluation]]:
        """Return how to evaluate the largest and the smallest subnet."""
        return evaluations_of_ends(self.supernet, data)

"""How often a network is wrong on images that an adversary perturbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.errors import UsageError
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import images_at_a_time

DEFAULT_EPSILON = 2 / 255  # twice that fools networks that were trained as usual nearly always
N_STEPS = 5
N_IMAGES = 512  # a share of so many is known within 2.2 %, its standard deviation at one half
# Steps reach the border of the ball from wherever in it they begin, and can move along it.
REACH = 2.5
_MAX_IMAGES = 32  # at a time: a gradient keeps the activations of all layers
SEED = 0  # of which images are attacked and where each attack begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What an adversary may do: projected gradient descent within a ball of the maximum norm.

    Attributes:
        epsilon: most that any channel of a pixel may change, of images in [0, 1].
        n_steps: along the sign of the gradient, each of ``2.5 * epsilon / n_steps``.
        n_images: of the split, the same ones every time; all where it holds fewer.
    """

    epsilon: float = DEFAULT_EPSILON
    n_steps: int = N_STEPS
    n_images: int = N_IMAGES

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise UsageError(
                f"epsilon must be above 0 and at most 1, the range of a pixel, got {self.epsilon:g}; "
                "give --epsilon 2/255"
            )

    def to_json(self) -> dict[str, Any]:
        """Return what decides the result, as JSON values."""
        return {"name": "pgd", "epsilon": self.epsilon, "steps": self.n_steps, "images": self.n_images}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attack:
        """Return what :meth:`to_json` was made of."""
        return cls(epsilon=data["epsilon"], n_steps=data["steps"], n_images=data["images"])

    def text(self) -> str:
        """Return it in a few words."""
        return f"PGD of {self.n_steps} steps, epsilon {255 * self.epsilon:.3g}/255"


def adversarial_error(
    network: nn.Module,
    data: ImageData,
    attack: Attack,
    *,
    split: str,
    resolution: int,
    batch_size: int | None = None,
) -> float:
    """Return the share of attacked images that ``network`` can be made to misclassify, in [0, 1].

    The attack is projected gradient descent on the cross-entropy from a random start (PGD; Madry et al.
    2018, arXiv:1706.06083), on this very network in evaluation mode. It perturbs what the network reads:
    the image at ``resolution``, before it is normalised, and stays within [0, 1]. Where Madry et al. ask
    about the last step alone, an image counts as soon as any step fools the network, or needs none: so
    this is at least the error of the same images, and their attack ends early. It is a lower bound of the
    worst case. Nothing is random but by a fixed seed.

    It costs at most ``n_steps + 2`` forward and ``n_steps`` backward passes over ``n_images`` images, of
    those alone that are not fooled yet.

    Args:
        network: maps ``(N, 3, resolution, resolution)`` to logits ``(N, n_classes)``; its mode is restored.
        data: holds the images.
        attack: what may be done to them.
        split: ``train``, ``val`` or ``test``.
        resolution: pixels per side that the network reads.
        batch_size: images at a time; the result does not depend on it but for rounding. None is as many as
            their size allows, 32 at most.

    Raises:
        DataError: there is no such split, or no image in it.
    """
    images, labels = data.filled_split(split, "nothing can be attacked in it")
    chosen = torch.from_numpy(np.random.default_rng(SEED).permutation(len(labels))[: attack.n_images])
    rng = np.random.default_rng(SEED)
    n_right = 0
    step = batch_size or min(_MAX_IMAGES, images_at_a_time(resolution))
    with _frozen(network), torch.enable_grad():
        for first in range(0, len(chosen), step):
            rows = chosen[first : first + step]
            x = data.prepare(images[rows], resolution)
            start = torch.from_numpy(2 * rng.random(tuple(x.shape), dtype=np.float32) - 1)
            n_right += _n_right(network, x, labels[rows], start, data, attack)
    return 1.0 - n_right / len(chosen)  # as the error is counted, so that the two can be equal


def _n_right(network: nn.Module, x: Tensor, y: Tensor, start: Tensor, data: ImageData, attack: Attack) -> int:
    """Return how many of the prepared images ``x`` ``(N, 3, R, R)`` are classified right all along.

    ``start`` is where each attack begins, in units of epsilon: ``x``'s shape, in [-1, 1].
    """
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (data.mean, data.std))
    radius = attack.epsilon / std  # of the ball, normalised as x is: (1, 3, 1, 1)
    low, high = torch.maximum(x - radius, -mean / std), torch.minimum(x + radius, (1 - mean) / std)
    step = REACH * radius / attack.n_steps
    with torch.no_grad():
        right = network(x).argmax(dim=1) == y
    z = (x + radius * start).clamp(low, high)
    for number in range(attack.n_steps + 1):
        z, y, low, high = z[right], y[right], low[right], high[right]
        if len(y) == 0:
            break
        z.requires_grad_(number < attack.n_steps)  # the last step is only looked at
        logits = network(z)
        right = logits.argmax(dim=1) == y
        if number < attack.n_steps:
            loss = functional.cross_entropy(logits, y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, z)
            z = (z.detach() + step * gradient.sign()).clamp(low, high)
    return int(right.sum())


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode inside the block, its weights without gradients."""
    mode = network.training
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        network.eval()
        for parameter in learned:
            parameter.requires_grad_(False)
        yield
    finally:
        network.train(mode)
        for parameter in learned:
            parameter.requires_grad_(True)

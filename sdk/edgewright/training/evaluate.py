"""Accuracy of one subnet: extract, calibrate, evaluate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.spaces.architecture import Architecture
from edgewright.supernet.calibrate import calibrate
from edgewright.supernet.extract import extract
from edgewright.supernet.supernet import Supernet
from edgewright.training.data.images import ImageData

N_CALIBRATION = 1024  # images; the estimate of a mean over them is within about 3 % of a deviation
# Images at a time: so many that layers are worth their call, so few that what one layer leaves is still
# near the processor when the next one reads it. A mean and a deviation are taken over more.
_MAX_IMAGES = 128
_PREDICTED_PIXELS, _MIN_PREDICTED = 2**19, 8
_CALIBRATED_PIXELS, _MIN_CALIBRATED = 2**21, 32


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a network does on a split.

    Attributes:
        top1: share of images classified correctly, in [0, 1].
        loss: mean cross-entropy in nats.
        n: images.
    """

    top1: float
    loss: float
    n: int

    @property
    def error(self) -> float:
        """Share of images misclassified: the objective that search minimises."""
        return 1.0 - self.top1


@torch.inference_mode()
def evaluate(
    network: nn.Module, data: ImageData, *, split: str, resolution: int, batch_size: int | None = None
) -> Evaluation:
    """Return how well ``network`` does on a split, in evaluation mode; its mode is restored.

    Args:
        network: maps ``(N, 3, resolution, resolution)`` to logits ``(N, n_classes)``.
        data: holds the images.
        split: ``train``, ``val`` or ``test``.
        resolution: pixels per side that the network reads.
        batch_size: images at a time; the result does not depend on it but for rounding. None is
            :func:`images_at_a_time`.

    Raises:
        DataError: there is no such split, or no image in it.
    """
    images, labels = data.filled_split(split, "nothing can be evaluated on it")
    step = batch_size or images_at_a_time(resolution)
    mode = network.training
    network.eval()
    correct, loss = 0, 0.0
    try:
        for start in range(0, len(labels), step):
            y = labels[start : start + step]
            logits = network(data.prepare(images[start : start + step], resolution))
            correct += int((logits.argmax(dim=1) == y).sum())
            loss += float(functional.cross_entropy(logits, y, reduction="sum"))
    finally:
        network.train(mode)
    return Evaluation(top1=correct / len(labels), loss=loss / len(labels), n=len(labels))


def images_at_a_time(resolution: int) -> int:
    """Return the images of ``resolution`` pixels a side that are predicted at a time on a CPU."""
    return max(_MIN_PREDICTED, min(_MAX_IMAGES, _PREDICTED_PIXELS // resolution**2))


def images_of_one_statistic(resolution: int) -> int:
    """Return the images over which BatchNorm's statistics are taken at a time; they are a mean over those."""
    return max(_MIN_CALIBRATED, min(_MAX_IMAGES, _CALIBRATED_PIXELS // resolution**2))


def calibrated_subnet(
    supernet: Supernet,
    arch: Architecture,
    data: ImageData,
    *,
    n_calibration: int = N_CALIBRATION,
    seed: int = 0,
) -> nn.Sequential:
    """Return subnet ``arch`` as plain layers, calibrated on training images at its own resolution.

    Raises:
        ArchitectureError: ``arch`` is not of the supernet's space.
    """
    return calibrated_on(supernet, arch, data, data.calibration_images(n_calibration, seed=seed))


def calibrated_on(supernet: Supernet, arch: Architecture, data: ImageData, images: Tensor) -> nn.Sequential:
    """Return what :func:`calibrated_subnet` does, of chosen images ``(n, 3, size, size)``, uint8."""
    network, size = extract(supernet, arch), arch.resolution
    calibrate(network, data.prepared_batches(images, size, images_of_one_statistic(size)))
    return network


def evaluate_subnet(
    supernet: Supernet,
    arch: Architecture,
    data: ImageData,
    *,
    split: str = "val",
    n_calibration: int = N_CALIBRATION,
    seed: int = 0,
) -> Evaluation:
    """Return how well subnet ``arch`` does with inherited weights, after calibration.

    Raises:
        ArchitectureError: ``arch`` is not of the supernet's space.
        DataError: there is no such split, or no image in it.
    """
    network = calibrated_subnet(supernet, arch, data, n_calibration=n_calibration, seed=seed)
    return evaluate(network, data, split=split, resolution=arch.resolution)

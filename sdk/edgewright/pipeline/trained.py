"""A finished run in memory: the supernet's weights and the data that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from edgewright.errors import RunError
from edgewright.pipeline.data import load_data
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.run import RunFolder
from edgewright.spaces import Architecture, MobileSpace
from edgewright.supernet import weights
from edgewright.supernet.supernet import Supernet
from edgewright.training.data import ImageData
from edgewright.training.evaluate import Evaluation, calibrated_subnet, evaluate


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose training is done.

    Attributes:
        folder: its paths and description.
        supernet: with the trained weights, in evaluation mode.
        data: the images, split as in training.
    """

    folder: RunFolder
    supernet: Supernet
    data: ImageData

    @classmethod
    def open(cls, root: Path, *, progress: Progress = SILENT) -> TrainedRun:
        """Load a run.

        Raises:
            RunError: there is no run, its training has not finished, or its images have changed.
            DataError: its images are gone.
        """
        folder = RunFolder.open(root)
        folder.require_trained()
        recorded = folder.description["data"]
        data = load_data(
            folder.data_source,
            size=folder.space.resolutions[-1],
            val_fraction=recorded["val_fraction"],
            flip=recorded["flip"],
            seed=recorded["seed"],
            progress=progress,
        )
        if data.digest != recorded["digest"]:
            raise RunError(
                f"the images of {folder.data_source} have changed since {root} was trained; "
                "put them back, or train a new run with: edgewright train --out NEW"
            )
        return cls(folder, weights.load(folder.weights, folder.space), data)

    @property
    def space(self) -> MobileSpace:
        """The search space."""
        return self.folder.space

    def network(self, arch: Architecture) -> nn.Sequential:
        """Return a subnet as plain layers with inherited weights, BatchNorm calibrated."""
        return calibrated_subnet(self.supernet, arch, self.data)

    def evaluate(self, arch: Architecture, split: str = "val") -> Evaluation:
        """Return how well a subnet does on a split with inherited weights."""
        return evaluate(self.network(arch), self.data, split=split, resolution=arch.resolution)

    def images(self, split: str, resolution: int, n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return up to ``n`` prepared images ``(n, 3, R, R)`` of a split, evenly spread, and their labels."""
        images, labels = self.data.split(split)
        rows = np.unique(np.linspace(0, len(labels) - 1, min(n, len(labels))).astype(np.int64))
        prepared: Tensor = self.data.prepare(images[rows], resolution)
        return prepared.contiguous().numpy(), labels[rows].numpy()

    def calibration_images(self, resolution: int, n: int = 128) -> NDArray[np.float32]:
        """Return ``n`` prepared training images ``(n, 3, R, R)`` to quantise with."""
        prepared = self.data.prepare(self.data.calibration_images(n), resolution)
        return prepared.contiguous().numpy()

"""Where a run's images come from."""

from __future__ import annotations

from pathlib import Path

from edgewright.pipeline.progress import SILENT, Progress
from edgewright.training.data import ImageData, load_digits_data, load_image_folder

DIGITS = "digits"


def load_data(
    source: str,
    *,
    size: int,
    val_fraction: float = 0.1,
    flip: bool = True,
    seed: int = 0,
    progress: Progress = SILENT,
) -> ImageData:
    """Return the images of an ImageFolder tree, or scikit-learn's handwritten digits.

    Args:
        source: path of a tree ``train/CLASS/*.jpg``, ``test/CLASS/*.jpg``, or ``digits``.
        size: pixels per side at which images are kept: the largest resolution of the space.
        val_fraction: share of the training images held out for the search; digits have their own.
        flip: whether images may be mirrored in training; digits never are.
        seed: decides the split.
        progress: told how many images are read.

    Raises:
        DataError: names everything that is wrong with the folder.
    """
    if source == DIGITS:
        return load_digits_data(size=size, seed=seed)
    with progress.task("reading images") as task:
        return load_image_folder(
            Path(source),
            size=size,
            val_fraction=val_fraction,
            flip=flip,
            seed=seed,
            progress=lambda done, total: task.update(done, total),
        )

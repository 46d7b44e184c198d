"""Train the elastic supernet of a run."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.files import file_digest
from edgewright.pipeline.data import DIGITS, load_data
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.progress import SILENT, Progress, Task
from edgewright.pipeline.run import SCHEMA, RunFolder
from edgewright.spaces import MobileSpace, find_space
from edgewright.training.config import TrainConfig
from edgewright.training.data import ImageData
from edgewright.training.group import ALONE, Group
from edgewright.training.log import EpochReport, read_log
from edgewright.training.loop import SUPERNET_NAME, TrainProgress, train

VAL_FRACTION = 0.1


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A trained run.

    Attributes:
        run: its folder.
        space: with the classes of the data.
        epochs: of the run.
        accuracies: validation top-1 after the last epoch, by subnet.
        digest: SHA-256 of the weights.
    """

    run: Path
    space: str
    epochs: int
    accuracies: dict[str, float]
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "run": str(self.run),
            "space": self.space,
            "epochs": self.epochs,
            "validation_accuracy": self.accuracies,
            "weights_sha256": self.digest,
        }

    def text(self) -> str:
        """Return lines for a terminal."""
        found = ", ".join(f"{name} {value:.2%}" for name, value in self.accuracies.items())
        return (
            f"{self.run}: {self.epochs} epochs, validation accuracy {found or 'not in its log'}\n"
            f"next: edgewright profile local-cpu-onnxruntime --run {self.run}\n"
            f"then: edgewright search --run {self.run} --budget 'cpu=4ms'"
        )


def train_run(
    space: str,
    data: str,
    out: Path,
    config: TrainConfig | None = None,
    *,
    val_fraction: float = VAL_FRACTION,
    progress: Progress = SILENT,
    group: Group = ALONE,
) -> TrainResult:
    """Train a supernet on a folder of images; a killed run goes on from its last epoch.

    Args:
        space: a space's name; the number of classes is that of the data.
        data: path of an ImageFolder tree, or ``digits``.
        out: the run folder.
        config: how it is trained.
        val_fraction: share of the training images held out for the search.
        progress: told of every step, in the first process.
        group: the processes that train together, all called with the same; the first one writes ``out``.

    Raises:
        SpaceError: the space is unknown.
        DataError: names everything that is wrong with the images.
        OutputExistsError: ``out`` holds something that is not a run.
        RunError: ``out`` holds another run, or training diverged.
        StorageError: the disk is full; the last checkpoint is intact.
        UsageError: there are more processes than images in a batch, or they were not given the same.
        ProcessFailedError: another process raised one of these.
        ProcessLostError: another process has ended; the last checkpoint is intact.
    """
    config = config or TrainConfig()
    chosen = find_space(space)
    progress = progress if group.is_first else SILENT

    def load() -> ImageData:
        if group.is_first:
            RunFolder.require_free_or_run(out)
        return load_data(
            data,
            size=chosen.resolutions[-1],
            val_fraction=val_fraction,
            flip=config.flip is not False,
            seed=config.seed,
            progress=progress,
        )

    images = group.agreed(load)
    group.share(min(config.batch_size, len(images.train)))  # refused before anything is written
    chosen = find_space(space, n_classes=images.n_classes)
    description = _description(chosen, data, images, config, val_fraction)
    with ExitStack() as held:

        def begin() -> None:
            if group.is_first:
                RunFolder.create(out, description)
                held.enter_context(exclusive(out))

        group.agreed(begin)
        told = _Told(held.enter_context(progress.task(f"training {chosen.name}", config.epochs)))
        train(chosen, images, config, out, progress=told.step, on_epoch=told.epoch, group=group)
    made = [_last_accuracies(out), file_digest(out / SUPERNET_NAME)] if group.is_first else []
    accuracies, digest = json.loads(group.exchange(json.dumps(made))[0])
    return TrainResult(run=out, space=chosen.name, epochs=config.epochs, accuracies=accuracies, digest=digest)


class _Told:
    """Hands what the training loop tells to whoever watches."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._note = ""

    def step(self, at: TrainProgress) -> None:
        done = at.epoch - 1 + at.step / at.n_steps
        self._task.update(done, note=f"loss {at.loss:.3f}, {at.images_per_s:.0f} images/s{self._note}")

    def epoch(self, report: EpochReport) -> None:
        if report.evaluations:
            shown = ", ".join(f"{name} {e.top1:.1%}" for name, e in report.evaluations.items())
            self._note = f", validation {shown}"


def _last_accuracies(out: Path) -> dict[str, float]:
    try:
        return {name: float(value["top1"]) for name, value in read_log(out)[-1]["evaluations"].items()}
    except (IndexError, KeyError, TypeError, AttributeError):
        return {}  # the log is for people: without it the weights are what they were


def _description(
    space: MobileSpace, source: str, images: ImageData, config: TrainConfig, val_fraction: float
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "space": space.name,
        "data": {
            # Absolute, so that the run can be searched from another folder.
            "source": source if source == DIGITS else str(Path(source).resolve()),
            "digest": images.digest,
            "classes": list(images.classes),
            "val_fraction": val_fraction,
            "flip": config.flip is not False,
            "seed": config.seed,
            "n_train": len(images.train),
            "n_val": len(images.val),
            "n_test": len(images.test),
        },
        "training": config.identity(),
    }

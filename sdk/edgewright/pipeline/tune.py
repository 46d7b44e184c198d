"""Fine-tune a network of a run; what was tuned before, of the same weights and settings, is read."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from edgewright.errors import UsageError
from edgewright.files import digest_of, file_digest
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.trained import TrainedRun
from edgewright.spaces import Architecture
from edgewright.training.config import TrainConfig
from edgewright.training.loop import TrainProgress
from edgewright.training.single import Tuned, fine_tune


def tuning_config(trained: TrainedRun, epochs: int) -> TrainConfig:
    """Return how a network of the run is fine-tuned: as the supernet was trained, for ``epochs``.

    At its full learning rate: weights that many networks share are far from where one of them wants
    them, and where the rate is too high after all, the inherited weights are kept.

    Raises:
        UsageError: ``epochs`` is below 1.
    """
    if epochs < 1:
        raise UsageError(f"fine-tuning takes at least 1 epoch, got {epochs}; leave it out, or give more")
    recorded = trained.folder.description["training"]
    known = {field.name for field in fields(TrainConfig)}
    settings = {name: value for name, value in recorded.items() if name in known}
    return TrainConfig(**settings | {"epochs": epochs})


def tuning_key(trained: TrainedRun, arch: Architecture, config: TrainConfig) -> dict[str, Any]:
    """Return what decides the weights of a fine-tuned network."""
    return {
        "encoding": [int(v) for v in trained.space.encode(arch)],
        "space_digest": trained.space.digest,
        "weights": file_digest(trained.folder.weights),
        "training": config.identity(),
    }


def tuned_network(
    trained: TrainedRun, label: str, arch: Architecture, config: TrainConfig, *, progress: Progress = SILENT
) -> Tuned:
    """Return a network of the run, trained on from the weights that it inherits.

    A killed fine-tuning goes on from its last epoch.

    Args:
        trained: the run; its test images are not touched.
        label: of the network, for whoever watches.
        arch: its choices.
        config: as :func:`tuning_config` makes it.
        progress: told of every step.

    Raises:
        RunError: another process fine-tunes it, a checkpoint is damaged, or training diverged.
        StorageError: the disk is full; the last checkpoint is intact.
    """
    out: Path = trained.folder.tuned_folder(digest_of(tuning_key(trained, arch, config)))
    with exclusive(out), progress.task(f"fine-tuning network {label}", config.epochs) as task:

        def on_step(at: TrainProgress) -> None:
            task.update(at.epoch - 1 + at.step / at.n_steps, note=f"loss {at.loss:.3f}")

        return fine_tune(
            trained.network(arch),
            trained.space,
            arch,
            trained.data,
            config,
            out,
            inherited=file_digest(trained.folder.weights),
            progress=on_step,
        )

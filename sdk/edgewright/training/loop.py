"""The training loop.

1. Take up the checkpoint in the run's folder, if it is of the same space, data and settings.
2. Each epoch: a generator from seed and epoch decides order, augmentation, resolutions and subnets;
   the recipe adds the gradients of each batch, the optimiser steps.
3. Evaluate, log, and replace the checkpoint.
4. Write the result, mark the run finished.

A run killed at any moment and started again goes on after its last finished epoch and ends with the
weights, bit for bit, of a run that nobody disturbed (same machine, torch, threads and processes).

Several processes (:mod:`edgewright.training.group`) draw the same from the same generator and work on
their shares of each batch; the first one alone reads and writes the run's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from edgewright import __version__
from edgewright.errors import DataError, RunError
from edgewright.files import file_digest
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet import weights
from edgewright.supernet.supernet import Supernet
from edgewright.training.checkpoint import (
    Checkpoint,
    finish,
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    save_checkpoint,
)
from edgewright.training.config import TrainConfig
from edgewright.training.data.batches import Augmentation, Share, batches, n_batches
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation
from edgewright.training.group import ALONE, Group
from edgewright.training.log import EpochReport, TrainLog
from edgewright.training.optimizer import make_optimizer
from edgewright.training.recipe import Recipe
from edgewright.training.sandwich import SandwichRecipe
from edgewright.training.shared_norm import SharedBatchNorm
from edgewright.training.shrinking import ShrinkingRecipe
from edgewright.training.threads import computing_threads

SUPERNET_NAME = "supernet.safetensors"


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Where a run stands, told after each step.

    Attributes:
        epoch: being trained, counted from 1.
        n_epochs: of the run.
        step: finished steps of the epoch.
        n_steps: of an epoch.
        loss: of the largest network at this step, in nats.
        images_per_s: training images a second, over this epoch so far.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    images_per_s: float


def train(
    space: MobileSpace,
    data: ImageData,
    config: TrainConfig,
    out: Path,
    *,
    progress: Callable[[TrainProgress], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    group: Group = ALONE,
) -> Supernet:
    """Train a supernet of ``space`` and return it in evaluation mode; resumes what ``out`` holds.

    Args:
        space: has as many classes as ``data``.
        data: ``train`` is trained on, ``val`` evaluated on, ``test`` not touched.
        config: the settings.
        out: gets ``supernet.safetensors`` and ``train.jsonl``; meanwhile a checkpoint.
        progress: is told after each step, in the first process.
        on_epoch: is told after each epoch, in the first process.
        group: the processes that train together; ``out`` is the first one's, the others touch no file.

    Raises:
        DataError: the number of classes differs.
        RunError: ``out`` holds a damaged checkpoint or another run, or training diverged.
        StorageError: ``out`` cannot be written; the last checkpoint is intact.
        MissingExtraError: a TensorBoard log was asked for without TensorBoard.
        UsageError: there are more processes than images in a batch, or they were not given the same.
        ProcessFailedError: another process raised one of these.
        ProcessLostError: another process has ended; the last checkpoint is intact.
    """
    require_classes(space, data)
    supernet = Supernet(space, seed=config.seed)
    recipe: Recipe = (
        SandwichRecipe(supernet, config) if config.recipe == "sandwich" else ShrinkingRecipe(supernet, config)
    )
    identity = {"space": space.digest, "data": data.digest} | config.identity()
    run = Run(recipe, data, config, out, identity, progress, on_epoch, group)
    result = out / SUPERNET_NAME
    if run.train_all():
        run.finish(result, lambda: weights.save(supernet, result))
        return supernet.eval()
    if group.size == 1:
        return weights.load(result, space)
    supernet.load_state_dict(dict(group.first(lambda: weights.load(result, space).state_dict())))
    return supernet.eval()


def require_classes(space: MobileSpace, data: ImageData) -> None:
    """Raise ``DataError`` unless the data has as many classes as the space."""
    if space.n_classes != data.n_classes:
        raise DataError(
            f"the data has {data.n_classes} classes, space {space.name} {space.n_classes}; "
            f"use find_space({space.name!r}, n_classes={data.n_classes})"
        )


class _Epoch(NamedTuple):
    loss: float
    lr: float
    seconds: float
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the loop; see :func:`train` for the fields."""

    recipe: Recipe
    data: ImageData
    config: TrainConfig
    out: Path
    identity: dict[str, Any]
    progress: Callable[[TrainProgress], None] | None
    on_epoch: Callable[[EpochReport], None] | None
    group: Group

    def train_all(self) -> bool:
        """Train to the end; return whether anything was left to write of an unfinished run."""
        same = {name: str(value) for name, value in self.identity.items()}
        self.group.require_same(same | {"edgewright": __version__, "torch": torch.__version__})
        module, recipe = self.recipe.module, self.recipe
        begun = self._begun()
        if begun.finished:
            return False
        optimizer = make_optimizer(module, self.config)
        module.load_state_dict(begun.part("module"))
        load_optimizer(optimizer, begun.part("optimizer"))
        recipe.load_state(begun.part("recipe"))
        with self._log(begun.epoch) as log, computing_threads(self.config.threads):
            for epoch in range(begun.epoch, self.config.epochs):
                if recipe.begin_epoch(epoch):
                    optimizer = make_optimizer(module, self.config)
                report = self._report(epoch, self._train_epoch(epoch, optimizer))
                self.group.first(partial(self._record, report, optimizer, log))
        return True

    def finish(self, result: Path, save: Callable[[], None]) -> None:
        """Have the first process ``save`` the ``result`` and mark the run finished."""

        def write() -> Mapping[str, Tensor]:
            save()
            digest = file_digest(result)
            finish(self.out, identity=self.identity, epoch=self.config.epochs, result=result, sha256=digest)
            return {}

        self.group.first(write)

    def _begun(self) -> Checkpoint:
        """Return the state to start from, the first process's: a checkpoint, or the weights as they are."""

        def read() -> Mapping[str, Tensor]:
            found = load_checkpoint(self.out, identity=self.identity)
            if found is None:
                found = Checkpoint(epoch=0, finished=False, tensors=self._tensors(None))
            return {
                "epoch": torch.tensor(found.epoch),
                "finished": torch.tensor(found.finished),
                **found.tensors,
            }

        tensors = dict(self.group.first(read))
        epoch, finished = tensors.pop("epoch"), tensors.pop("finished")
        return Checkpoint(int(epoch), bool(finished), tensors)

    def _log(self, first_epoch: int) -> AbstractContextManager[TrainLog | None]:
        def opened() -> AbstractContextManager[TrainLog | None]:
            if not self.group.is_first:
                return nullcontext()
            return TrainLog(self.out, first_epoch=first_epoch, tensorboard=self.config.tensorboard)

        return self.group.agreed(opened)

    def _train_epoch(self, epoch: int, optimizer: torch.optim.Optimizer) -> _Epoch:
        config, data, recipe = self.config, self.data, self.recipe
        rng = np.random.default_rng([config.seed, epoch])
        augmentation = Augmentation(
            crop_fraction=config.crop_fraction, flip=data.flip if config.flip is None else config.flip
        )
        n_steps = n_batches(len(data.train), config.batch_size)
        share = self.group.share(min(config.batch_size, len(data.train)))
        parameters = list(recipe.module.parameters())
        recipe.module.train()
        started, n_images, total, lr = time.perf_counter(), 0, 0.0, 0.0
        drawn = batches(
            data.train, batch_size=config.batch_size, rng=rng, augmentation=augmentation, share=share
        )
        for step, batch in enumerate(drawn):
            lr = config.peak_lr * recipe.lr_factor(epoch + (step + 1) / n_steps)
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad(set_to_none=True)
            x = data.prepare(batch.images, recipe.resolution(rng))
            loss = self._add_gradients(x, batch.labels, rng, share)
            norm = float(nn.utils.clip_grad_norm_(parameters, config.clip_norm))
            if not (np.isfinite(loss) and np.isfinite(norm)):
                raise RunError(
                    f"training diverged in epoch {epoch + 1} (loss {loss:g}, gradient norm {norm:g}); lower "
                    f"the learning rate (now {config.peak_lr:g}) and give another --out"
                )
            optimizer.step()
            n_images += share.total
            total += loss
            if self.progress is not None and self.group.is_first:
                rate = n_images / (time.perf_counter() - started)
                self.progress(TrainProgress(epoch + 1, config.epochs, step + 1, n_steps, loss, rate))
        seconds = time.perf_counter() - started
        return _Epoch(total / n_steps, lr, seconds, n_images / seconds)

    def _add_gradients(self, x: Tensor, labels: Tensor, rng: np.random.Generator, share: Share) -> float:
        """Add the gradients of a whole batch, of which this process has a share; return the loss in nats."""
        if self.group.size == 1:
            return self.recipe.step(x, labels, rng, share)
        with SharedBatchNorm(self.group):
            loss = torch.tensor([self.recipe.step(x, labels, rng, share)])
        gradients = [p.grad for p in self.recipe.module.parameters() if p.grad is not None]
        self.group.sum_([*gradients, loss])  # the same parameters everywhere, as the subnets are
        return float(loss)

    def _evaluations(self) -> dict[str, Evaluation]:
        """Evaluate telling networks, each in one process."""
        tasks = list(self.recipe.evaluations(self.data).items())

        def mine() -> str:
            own = tasks[self.group.rank :: self.group.size]
            return json.dumps({name: asdict(evaluate()) for name, evaluate in own})

        texts = self.group.exchange(self.group.agreed(mine))
        found = {name: value for text in texts for name, value in json.loads(text).items()}
        return {name: Evaluation(**found[name]) for name, _ in tasks}

    def _report(self, epoch: int, figures: _Epoch) -> EpochReport:
        every, last = self.config.evaluate_every, epoch + 1 == self.config.epochs
        due = last or (every > 0 and (epoch + 1) % every == 0)
        return EpochReport(
            epoch=epoch + 1,
            n_epochs=self.config.epochs,
            loss=figures.loss,
            lr=figures.lr,
            seconds=figures.seconds,
            images_per_s=figures.images_per_s,
            evaluations=self._evaluations() if due else {},
        )

    def _record(
        self, report: EpochReport, optimizer: torch.optim.Optimizer, log: TrainLog | None
    ) -> Mapping[str, Tensor]:
        """Log and save a finished epoch."""
        if log is not None:
            log.write(report)
        tensors = self._tensors(optimizer)
        save_checkpoint(self.out, identity=self.identity, epoch=report.epoch, tensors=tensors)
        if self.on_epoch is not None:
            self.on_epoch(report)
        return {}

    def _tensors(self, optimizer: torch.optim.Optimizer | None) -> dict[str, Tensor]:
        parts = {
            "module": self.recipe.module.state_dict(),
            "optimizer": {} if optimizer is None else optimizer_tensors(optimizer),
            "recipe": self.recipe.state(),
        }
        return {f"{part}.{name}": t for part, state in parts.items() for name, t in state.items()}

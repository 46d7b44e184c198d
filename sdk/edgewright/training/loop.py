"""The training loop.

1. Take up the checkpoint in the run's folder, if it is of the same space, data and settings.
2. Each epoch: a generator from seed and epoch decides order, augmentation, resolutions and subnets;
   the recipe adds the gradients of each batch, the optimiser steps.
3. Evaluate, log, and replace the checkpoint.
4. Write the result, mark the run finished.

A run killed at any moment and started again goes on after its last finished epoch and ends with the
weights, bit for bit, of a run that nobody disturbed (same machine, torch and threads).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import nn

from edgewright.errors import DataError, RunError
from edgewright.files import file_digest, write_bytes
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet import weights
from edgewright.supernet.supernet import Supernet
from edgewright.training.checkpoint import (
    finish,
    load_checkpoint,
    load_optimizer,
    optimizer_tensors,
    save_checkpoint,
)
from edgewright.training.config import TrainConfig
from edgewright.training.data.batches import Augmentation, batches, n_batches
from edgewright.training.data.images import ImageData
from edgewright.training.log import EpochReport, TrainLog
from edgewright.training.optimizer import make_optimizer
from edgewright.training.recipe import Recipe
from edgewright.training.sandwich import SandwichRecipe
from edgewright.training.shrinking import ShrinkingRecipe
from edgewright.training.uniform import FixedRecipe

SUPERNET_NAME = "supernet.safetensors"
NETWORK_NAME = "network.safetensors"


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
) -> Supernet:
    """Train a supernet of ``space`` and return it in evaluation mode; resumes what ``out`` holds.

    Args:
        space: has as many classes as ``data``.
        data: ``train`` is trained on, ``val`` evaluated on, ``test`` not touched.
        config: the settings.
        out: gets ``supernet.safetensors`` and ``train.jsonl``; meanwhile a checkpoint.
        progress: is told after each step.
        on_epoch: is told after each epoch.

    Raises:
        DataError: the number of classes differs.
        RunError: ``out`` holds a damaged checkpoint or another run, or training diverged.
        StorageError: ``out`` cannot be written; the last checkpoint is intact.
        MissingExtraError: a TensorBoard log was asked for without TensorBoard.
    """
    _require_classes(space, data)
    supernet = Supernet(space, seed=config.seed)
    recipe: Recipe = (
        SandwichRecipe(supernet, config) if config.recipe == "sandwich" else ShrinkingRecipe(supernet, config)
    )
    identity = {"space": space.digest, "data": data.digest} | config.identity()
    run = _Run(recipe, data, config, out, identity, progress, on_epoch)
    result = out / SUPERNET_NAME
    if run.train_all():
        weights.save(supernet, result)
        finish(out, identity=identity, epoch=config.epochs, result=result, sha256=file_digest(result))
        return supernet.eval()
    return weights.load(result, space)


def train_network(
    space: MobileSpace,
    arch: Architecture,
    data: ImageData,
    config: TrainConfig,
    out: Path,
    *,
    progress: Callable[[TrainProgress], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> nn.Sequential:
    """Train one network alone and return it in evaluation mode; resumes what ``out`` holds.

    The result is ``out/network.safetensors``. Arguments and errors are those of :func:`train`.

    Raises:
        ArchitectureError: ``arch`` is not of ``space``.
    """
    _require_classes(space, data)
    recipe = FixedRecipe(space, arch, config)
    encoding = space.encode(arch).tolist()
    identity = {"space": space.digest, "data": data.digest, "network": encoding} | config.identity()
    run = _Run(recipe, data, config, out, identity, progress, on_epoch)
    result = out / NETWORK_NAME
    if run.train_all():
        state = {name: tensor.contiguous() for name, tensor in recipe.network.state_dict().items()}
        write_bytes(result, tensors_to_bytes(state))
        finish(out, identity=identity, epoch=config.epochs, result=result, sha256=file_digest(result))
    else:
        try:
            recipe.network.load_state_dict(load_tensors(result))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise RunError(f"{result} cannot be read ({error}); delete {out} and train again") from error
    return recipe.network.eval()


def _require_classes(space: MobileSpace, data: ImageData) -> None:
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
class _Run:
    """One run of the loop; see :func:`train` for the fields."""

    recipe: Recipe
    data: ImageData
    config: TrainConfig
    out: Path
    identity: dict[str, Any]
    progress: Callable[[TrainProgress], None] | None
    on_epoch: Callable[[EpochReport], None] | None

    def train_all(self) -> bool:
        """Train to the end; return whether anything was left to write of an unfinished run."""
        checkpoint = load_checkpoint(self.out, identity=self.identity)
        if checkpoint is not None and checkpoint.finished:
            return False
        module, recipe = self.recipe.module, self.recipe
        optimizer = make_optimizer(module, self.config)
        start = 0
        if checkpoint is not None:
            start = checkpoint.epoch
            module.load_state_dict(checkpoint.part("module"))
            load_optimizer(optimizer, checkpoint.part("optimizer"))
            recipe.load_state(checkpoint.part("recipe"))
        log = TrainLog(self.out, first_epoch=start, tensorboard=self.config.tensorboard)
        with log, _threads(self.config.threads):
            for epoch in range(start, self.config.epochs):
                if recipe.begin_epoch(epoch):
                    optimizer = make_optimizer(module, self.config)
                figures = self._train_epoch(epoch, optimizer)
                report = self._report(epoch, figures)
                log.write(report)
                self._save(epoch + 1, optimizer)
                if self.on_epoch is not None:
                    self.on_epoch(report)
        return True

    def _train_epoch(self, epoch: int, optimizer: torch.optim.Optimizer) -> _Epoch:
        config, data, recipe = self.config, self.data, self.recipe
        rng = np.random.default_rng([config.seed, epoch])
        augmentation = Augmentation(
            crop_fraction=config.crop_fraction, flip=data.flip if config.flip is None else config.flip
        )
        n_steps = n_batches(len(data.train), config.batch_size)
        parameters = list(recipe.module.parameters())
        recipe.module.train()
        started, n_images, total, lr = time.perf_counter(), 0, 0.0, 0.0
        drawn = batches(data.train, batch_size=config.batch_size, rng=rng, augmentation=augmentation)
        for step, batch in enumerate(drawn):
            lr = config.peak_lr * recipe.lr_factor(epoch + (step + 1) / n_steps)
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.zero_grad(set_to_none=True)
            x = data.prepare(batch.images, recipe.resolution(rng))
            loss = recipe.step(x, batch.labels, rng)
            norm = float(nn.utils.clip_grad_norm_(parameters, config.clip_norm))
            if not (np.isfinite(loss) and np.isfinite(norm)):
                raise RunError(
                    f"training diverged in epoch {epoch + 1} (loss {loss:g}, gradient norm {norm:g}); lower "
                    f"the learning rate (now {config.peak_lr:g}) and give another --out"
                )
            optimizer.step()
            n_images += len(batch)
            total += loss
            if self.progress is not None:
                rate = n_images / (time.perf_counter() - started)
                self.progress(TrainProgress(epoch + 1, config.epochs, step + 1, n_steps, loss, rate))
        seconds = time.perf_counter() - started
        return _Epoch(total / n_steps, lr, seconds, n_images / seconds)

    def _report(self, epoch: int, figures: _Epoch) -> EpochReport:
        every, last = self.config.evaluate_every, epoch + 1 == self.config.epochs
        due = last or (every > 0 and (epoch + 1) % every == 0)
        evaluations = self.recipe.evaluate(self.data) if due else {}
        return EpochReport(
            epoch=epoch + 1,
            n_epochs=self.config.epochs,
            loss=figures.loss,
            lr=figures.lr,
            seconds=figures.seconds,
            images_per_s=figures.images_per_s,
            evaluations=evaluations,
        )

    def _save(self, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        parts = {
            "module": self.recipe.module.state_dict(),
            "optimizer": optimizer_tensors(optimizer),
            "recipe": self.recipe.state(),
        }
        tensors = {f"{part}.{name}": t for part, state in parts.items() for name, t in state.items()}
        save_checkpoint(self.out, identity=self.identity, epoch=epoch, tensors=tensors)


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """Let torch use ``n`` threads inside the block."""
    before = torch.get_num_threads()
    try:
        if n is not None:
            torch.set_num_threads(n)
        yield
    finally:
        torch.set_num_threads(before)

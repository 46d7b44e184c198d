"""Training one network alone: from scratch, or from the weights that it inherits of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from edgewright.errors import RunError
from edgewright.files import write_bytes
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.training.config import TrainConfig
from edgewright.training.data.images import ImageData
from edgewright.training.evaluate import Evaluation, evaluate
from edgewright.training.group import ALONE, Group
from edgewright.training.log import EpochReport
from edgewright.training.loop import Run, TrainProgress, require_classes
from edgewright.training.tuning import TuningRecipe
from edgewright.training.uniform import FixedRecipe, fresh_network

NETWORK_NAME = "network.safetensors"


def train_network(
    space: MobileSpace,
    arch: Architecture,
    data: ImageData,
    config: TrainConfig,
    out: Path,
    *,
    progress: Callable[[TrainProgress], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    group: Group = ALONE,
) -> nn.Sequential:
    """Train one network from scratch and return it in evaluation mode; resumes what ``out`` holds.

    The result is ``out/network.safetensors``. Arguments and errors are those of
    :func:`edgewright.training.loop.train`.

    Raises:
        ArchitectureError: ``arch`` is not of ``space``.
    """
    require_classes(space, data)
    recipe = FixedRecipe(fresh_network(space, arch, seed=config.seed), arch.resolution, config)
    identity = _identity(space, arch, data, config)
    _train(recipe, Run(recipe, data, config, out, identity, progress, on_epoch, group))
    return recipe.network.eval()


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """A network trained on from inherited weights.

    Attributes:
        network: plain layers in evaluation mode, with the best weights that were met.
        path: where they lie.
        before: validation accuracy with inherited weights.
        after: validation accuracy now, not below ``before``.
    """

    network: nn.Sequential
    path: Path
    before: Evaluation
    after: Evaluation


def fine_tune(
    network: nn.Sequential,
    space: MobileSpace,
    arch: Architecture,
    data: ImageData,
    config: TrainConfig,
    out: Path,
    *,
    inherited: str,
    progress: Callable[[TrainProgress], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> Tuned:
    """Train a subnet on alone, and keep the epoch that does best on the validation images.

    See :mod:`edgewright.training.tuning`. Resumes what ``out`` holds; the result is
    ``out/network.safetensors``. Other arguments and errors are those of
    :func:`edgewright.training.loop.train`.

    Args:
        network: the subnet as plain layers, calibrated; is trained in place.
        space: that ``arch`` is of.
        arch: what ``network`` was extracted by.
        data: ``train`` is trained on, ``val`` chooses the epoch, ``test`` is not touched.
        config: the settings; each epoch is evaluated, whatever ``evaluate_every`` says.
        out: gets the result and ``train.jsonl``; meanwhile a checkpoint.
        inherited: digest of the supernet's weights, by which a resumed run knows its start.
        progress: is told after each step.
        on_epoch: is told after each epoch.
    """
    require_classes(space, data)
    config = replace(config, evaluate_every=1)
    before = evaluate(network, data, split="val", resolution=arch.resolution)
    recipe = TuningRecipe(network, arch.resolution, config, before)
    identity = _identity(space, arch, data, config) | {"inherited": inherited}
    path = _train(recipe, Run(recipe, data, config, out, identity, progress, on_epoch, ALONE))
    network.eval()
    after = evaluate(network, data, split="val", resolution=arch.resolution)
    return Tuned(network, path, before, after)


def _identity(space: MobileSpace, arch: Architecture, data: ImageData, config: TrainConfig) -> dict[str, Any]:
    encoding = space.encode(arch).tolist()
    return {"space": space.digest, "data": data.digest, "network": encoding} | config.identity()


def _train(recipe: FixedRecipe, run: Run) -> Path:
    """Train the recipe's network, or read what a finished run left; return where its weights lie."""
    result, network = run.out / NETWORK_NAME, recipe.network

    def save() -> None:
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        write_bytes(result, tensors_to_bytes(state))

    def load() -> Mapping[str, Tensor]:
        try:
            network.load_state_dict(load_tensors(result))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise RunError(f"{result} cannot be read ({error}); delete {run.out} and train again") from error
        return network.state_dict()

    if run.train_all():
        recipe.conclude()
        run.finish(result, save)
    else:
        network.load_state_dict(dict(run.group.first(load)))
    return result

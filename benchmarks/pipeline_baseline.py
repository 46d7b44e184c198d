"""The baseline of the whole chain: one network, its widths scaled, each size trained alone."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from narrator import Narrator
from pipeline_config import Candidate, Config, Phases
from pipeline_result import DEVICES, PRECISION, Row
from torch import nn

from edgewright.devices.profile import DeviceProfile
from edgewright.pipeline.compile import device_exporter
from edgewright.pipeline.data import load_data
from edgewright.pipeline.progress import Progress
from edgewright.pipeline.train import VAL_FRACTION
from edgewright.spaces import Architecture, MobileSpace, find_space
from edgewright.training.data import ImageData
from edgewright.training.log import read_log
from edgewright.training.loop import TrainProgress
from edgewright.training.single import train_network
from edgewright.training.uniform import scale_widths


def middle(space: MobileSpace) -> Architecture:
    """Return the network with the middle choice of every elastic dimension, at the largest resolution."""
    x = (space.n_choices - 1) // 2
    x[0] = space.n_choices[0] - 1
    return space.decode(x)


def sandwich_macs(space: MobileSpace, n_random: int) -> float:
    """Return the forward multiply-accumulates that one training image costs the supernet on average."""
    macs = space.tabulate(lambda op: float(op.macs))
    ends = [
        space.encode(replace(arch, resolution=r))
        for arch in (space.largest(), space.smallest())
        for r in space.resolutions
    ]
    # A step's subnets all see its resolution, drawn uniformly; so does sample() draw it.
    drawn = space.sample(np.random.default_rng(0), 20_000)
    return 2 * float(macs(np.stack(ends)).mean()) + n_random * float(macs(drawn).mean())


def baseline_epochs(config: Config, space: MobileSpace) -> int:
    """Return the epochs of each baseline at which all of them cost what the chain costs.

    They are trained before the finalists are known, which are taken to be as large as they on average.
    """
    each = [count_macs(scale_widths(space, scale), middle(space)) for scale in config.scales]
    supernet = config.training.epochs * sandwich_macs(space, config.training.n_random)
    fine_tuning = config.finalists * config.fine_tune * sum(each) / len(each)
    return math.ceil((supernet + fine_tuning) / sum(each))


def count_macs(space: MobileSpace, arch: Architecture) -> int:
    return sum(op.macs for op in space.operators(arch))


def count_params(space: MobileSpace, arch: Architecture) -> int:
    return sum(op.params for op in space.operators(arch))


@contextmanager
def beside(config: Config, data: str, work: Path) -> Iterator[None]:
    """Train the baselines in another process, on the other core; wait for them at the end."""
    context = multiprocessing.get_context("spawn")
    other = context.Process(target=_train_baselines, args=(config, data, work, os.getpid()), daemon=True)
    other.start()
    try:
        yield
        other.join()  # had it failed, this process would train what is missing, or say why not
    finally:
        other.terminate()


def _train_baselines(config: Config, data: str, work: Path, parent: int) -> None:
    progress, space = Narrator(), find_space(config.space)
    images = load_data(
        data,
        size=space.resolutions[-1],
        val_fraction=VAL_FRACTION,
        flip=config.training.flip is not False,
        seed=config.training.seed,
    )
    space = find_space(config.space, n_classes=images.n_classes)

    def orphaned() -> bool:  # the parent was killed, and its successor trains in the same folders
        return os.getppid() != parent

    for scale in config.scales:
        _train_baseline(config, space, scale, images, work, progress, orphaned)


def _train_baseline(
    config: Config,
    space: MobileSpace,
    scale: float,
    data: ImageData,
    work: Path,
    progress: Progress,
    orphaned: Callable[[], bool] = lambda: False,
) -> nn.Sequential:
    training = replace(config.training, epochs=baseline_epochs(config, space))
    with progress.task(f"training baseline x{scale:g}", training.epochs) as task:

        def tell(at: TrainProgress) -> None:
            if orphaned():
                raise SystemExit("the benchmark was killed")
            done = at.epoch - 1 + at.step / at.n_steps
            task.update(done, note=f"loss {at.loss:.3f}, {at.images_per_s:.0f} images/s")

        folder = _baseline_folder(work, scale)
        return train_network(scale_widths(space, scale), middle(space), data, training, folder, progress=tell)


def _baseline_folder(work: Path, scale: float) -> Path:
    return work / "baselines" / f"x{scale:g}"


def baselines(
    config: Config, space: MobileSpace, data: ImageData, work: Path, phases: Phases, progress: Progress
) -> tuple[Candidate, ...]:
    arch, candidates = middle(space), []
    for scale in config.scales:
        title, scaled, folder = (
            f"baseline x{scale:g}",
            scale_widths(space, scale),
            _baseline_folder(work, scale),
        )
        with phases(f"train {title}, what was left"):
            network = _train_baseline(config, space, scale, data, work, progress)
        files = {}
        with phases(f"compile {title}"):
            for device in DEVICES.values():
                writer = device_exporter(DeviceProfile.find(device))
                files[device] = folder / f"{device}{writer.suffix}"
                side = arch.resolution
                writer.export(network, (1, 3, side, side), files[device], precision=PRECISION)
        log = read_log(folder)
        row = Row(
            id=f"{scale:g}",
            group="baseline",
            architecture=arch.to_json() | {"width_multiplier": scale},
            params=count_params(scaled, arch),
            macs=count_macs(scaled, arch),
            val_accuracy=log[-1]["evaluations"]["network"]["top1"],
            test_accuracy={},
            predicted_ms={},
            budget_ms={},
            size_bytes={},
            timed={},
            verified={},
            train_seconds=sum(epoch["seconds"] for epoch in log),
        )
        candidates.append(Candidate(row, arch.resolution, files))
    return tuple(candidates)

"""How many images a second does one sandwich step train, beside OFA's own elastic layers?

A step runs forward and backward through the largest, the smallest and two random subnets of
mobilenetv3-w1.0 on the same 64 images of 64 px. Three sides take turns, in an order that is drawn
anew each round, in one process with the same subnets, images and threads:

- ``edgewright``: :func:`edgewright.training.sandwich.sandwich_step`, in-place distillation included;
- ``ofa channels_last``: the `ofa` package's OFAMobileNetV3, cross-entropy for each subnet;
- ``ofa``: the same in torch's default memory format, as the package comes.

No optimiser step is timed: it would be the same. The last row, ours alone, is a step of
mobilenetv3-small-image at 32 px, as on CIFAR-10.

    pip install ofa        # only for the comparison; without it our rows are measured alone
    python benchmarks/bench_training.py --json training.json

About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import random
import statistics
import sys
import time
import types
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgewright.files import write_json
from edgewright.spaces import Architecture, MobileSpace, find_space
from edgewright.supernet import Supernet
from edgewright.training.sandwich import sandwich_step

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Config:
    """One comparison.

    Attributes:
        space: as ``find_space`` reads it.
        resolution: of the images, in pixels.
        batch_size: images a step.
        n_random: random subnets beside the largest and the smallest.
        sides: who takes part.
    """

    space: str
    resolution: int
    batch_size: int
    n_random: int
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What one side did.

    Attributes:
        config: of the comparison.
        side: who.
        seconds: of each timed step, in order.
    """

    config: Config
    side: str
    seconds: tuple[float, ...]

    @property
    def images_per_s(self) -> float:
        """At the median step."""
        return self.config.batch_size / statistics.median(self.seconds)

    @property
    def iqr(self) -> float:
        """Interquartile range of the steps as a share of the median."""
        first, median, third = statistics.quantiles(self.seconds, n=4)
        return (third - first) / median

    def row(self) -> dict[str, Any]:
        """Return the figures that a table shows."""
        config = asdict(self.config)
        del config["sides"]
        return config | {
            "side": self.side,
            "n": len(self.seconds),
            "median_s": round(statistics.median(self.seconds), 4),
            "p95_s": round(float(np.percentile(self.seconds, 95)), 4),
            "iqr_of_median": round(self.iqr, 3),
            "images_per_s": round(self.images_per_s, 1),
        }


def configs(*, with_ofa: bool) -> tuple[Config, ...]:
    sides = ("edgewright", "ofa channels_last", "ofa") if with_ofa else ("edgewright",)
    return (
        Config("mobilenetv3-w1.0", 64, 64, 2, sides),
        Config("mobilenetv3-small-image@24+32", 32, 128, 2, ("edgewright",)),
    )


def run(config: Config, *, rounds: int, warmup: int, seed: int) -> list[Result]:
    """Measure ``config``'s sides in turns, after ``warmup`` rounds that do not count."""
    space = find_space(config.space)
    rng = np.random.default_rng(seed)
    drawn = [space.decode(x) for x in space.sample(rng, config.n_random)]
    archs = (space.largest(), space.smallest(), *drawn)
    shape = (config.batch_size, 3, config.resolution, config.resolution)
    images = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    labels = torch.from_numpy(rng.integers(0, space.n_classes, config.batch_size))
    steps = {side: _step(side, space, archs, images, labels, rng) for side in config.sides}
    seconds: dict[str, list[float]] = {side: [] for side in config.sides}
    order = list(config.sides)
    for number in range(warmup + rounds):
        random.Random(seed + number).shuffle(order)
        for side in order:
            started = time.perf_counter()
            steps[side]()
            if number >= warmup:
                seconds[side].append(time.perf_counter() - started)
    return [Result(config, side, tuple(values)) for side, values in seconds.items()]


def _step(
    side: str,
    space: MobileSpace,
    archs: tuple[Architecture, ...],
    images: Tensor,
    labels: Tensor,
    rng: np.random.Generator,
) -> Callable[[], None]:
    if side != "ofa":
        images = images.contiguous(memory_format=torch.channels_last)
    if side == "edgewright":
        supernet = Supernet(space).train()

        def ours() -> None:
            supernet.zero_grad(set_to_none=True)
            sandwich_step(supernet, images, labels, archs, label_smoothing=0.1, dropout_rate=0.1, rng=rng)

        return ours
    theirs = ofa_supernet(space.n_classes)
    if side == "ofa channels_last":
        theirs = theirs.to(memory_format=torch.channels_last)

    def ofa() -> None:
        theirs.zero_grad(set_to_none=True)
        for arch in archs:
            theirs.set_active_subnet(ks=list(arch.kernel_sizes), e=list(arch.expands), d=list(arch.depths))
            functional.cross_entropy(theirs(images), labels, label_smoothing=0.1).backward()

    return ofa


class _Anything(types.ModuleType):
    """A module that has whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def ofa_supernet(n_classes: int) -> Any:
    """Return OFA's MobileNetV3 supernet of width 1.0 in training mode.

    Raises:
        ImportError: the `ofa` package is not installed.
    """
    if "torchvision" not in sys.modules:
        # OFA imports torchvision for its data loaders, which nothing here uses.
        stubs = {
            name: _Anything(f"torchvision{name}")
            for name in ("", ".datasets", ".transforms", ".transforms.functional")
        }
        stubs[""].datasets, stubs[""].transforms = stubs[".datasets"], stubs[".transforms"]
        stubs[".transforms"].functional = stubs[".transforms.functional"]
        sys.modules.update({module.__name__: module for module in stubs.values()})
    from ofa.imagenet_classification.elastic_nn.networks.ofa_mbv3 import OFAMobileNetV3

    return OFAMobileNetV3(
        n_classes=n_classes,
        dropout_rate=0.1,
        width_mult=1.0,
        ks_list=[3, 5, 7],
        expand_ratio_list=[3, 4, 6],
        depth_list=[2, 3, 4],
    ).train()


def conditions() -> dict[str, Any]:
    """Return what a reader needs to compare two runs."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="raw samples and conditions")
    parser.add_argument("--csv", type=Path, help="one row a side; default benchmarks/results/training-….csv")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        ofa_supernet(10)
        with_ofa = True
    except ImportError:
        print("the `ofa` package is not installed: measuring edgewright alone")
        with_ofa = False
    before = conditions()
    results = [
        result
        for config in configs(with_ofa=with_ofa)
        for result in run(config, rounds=options.rounds, warmup=options.warmup, seed=options.seed)
    ]
    rows = [result.row() for result in results]
    for row in rows:
        flag = "  (unsteady: IQR above 10 % of the median)" if row["iqr_of_median"] > 0.1 else ""
        print(
            f"{row['space']:32} {row['side']:18} {row['images_per_s']:8.1f} images/s  "
            f"n={row['n']} median {row['median_s']} s, p95 {row['p95_s']} s, "
            f"IQR {row['iqr_of_median']:.0%}{flag}"
        )
    device = before["cpu"].lower().replace(" ", "_") or "cpu"
    path = options.csv or RESULTS / f"training-{device}-torch{torch.__version__.partition('+')[0]}-fp32.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    if options.json is not None:
        samples = [{**asdict(result), "row": result.row()} for result in results]
        write_json(options.json, {"schema": 1, "before": before, "after": conditions(), "results": samples})
    print(f"wrote {path}" + (f" and {options.json}" if options.json is not None else ""))


if __name__ == "__main__":
    main()

"""How long does one evaluation of a search take, and what do its parts save?

The images of a subnet are predicted as a search predicts its validation images, and its BatchNorm is
calibrated as a search does it, with one thread, by

- ``ours``: a BatchNorm is folded into its convolution, batches are as large as their images allow,
  and torch asks for pages of 2 MiB;
- ``unfolded``, ``batches of 128``, ``small pages``: ours without one of the three;
- ``plain``: without any of them.

Each side is a process of its own, as pages are chosen at its start. They take turns in an order that is
drawn anew each round. All predict the same networks and images, and may differ by rounding and by the
batches that statistics are taken over in one answer of a hundred, or the benchmark fails.

    python benchmarks/bench_evaluation.py --json benchmarks/results/evaluation.json

About 8 minutes; ``--quick`` takes one. The last line is one JSON object: milliseconds an image of each
side, and how many times as long as ours it takes, medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench_evaluators import conditions

from edgewright.files import write_json

OURS = "ours"
#: Without which of ours each side predicts.
SIDES: Mapping[str, frozenset[str]] = {
    OURS: frozenset(),
    "unfolded": frozenset({"folding"}),
    "batches of 128": frozenset({"batches"}),
    "small pages": frozenset({"pages"}),
    "plain": frozenset({"folding", "batches", "pages"}),
}


@dataclass(frozen=True, slots=True)
class Config:
    """One comparison.

    Attributes:
        spaces: of which networks are drawn.
        networks: of each space.
        images: that each predicts.
        rounds: that each side takes part in.
        seed: of networks, images and the order of sides.
    """

    spaces: Sequence[str]
    networks: int
    images: int
    rounds: int
    seed: int


@dataclass(frozen=True, slots=True)
class Took:
    """What one side took for one space, in milliseconds an image, over all networks.

    Attributes:
        predict: as validation images are predicted.
        calibrate: the statistics of BatchNorm.
        answers: the classes, in order, so that sides can be compared.
    """

    predict: float
    calibrate: float
    answers: list[int]


def work(config: Config, space_name: str, without: frozenset[str]) -> Took:
    """Predict in this process."""
    import numpy as np
    import torch

    from edgewright.spaces import find_space
    from edgewright.supernet import Supernet, calibrate, extract, fold_norms
    from edgewright.training.evaluate import images_at_a_time, images_of_one_statistic

    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    space = find_space(space_name)
    supernet = Supernet(space).eval()
    predicting = calibrating = 0.0
    answers: list[int] = []
    for x in space.sample(np.random.default_rng(config.seed), config.networks):
        arch = space.decode(x)
        size = arch.resolution
        network = extract(supernet, arch)
        images = torch.randn(config.images, 3, size, size).contiguous(memory_format=torch.channels_last)
        start = time.perf_counter()
        calibrate(network, images.split(128 if "batches" in without else images_of_one_statistic(size)))
        calibrating += time.perf_counter() - start
        start = time.perf_counter()
        with torch.inference_mode():
            step = 128 if "batches" in without else images_at_a_time(size)
            if "folding" not in without:
                fold_norms(network)
            for chunk in images.split(step):
                answers += network(chunk).argmax(dim=1).tolist()
        predicting += time.perf_counter() - start
    each = 1e3 / (config.networks * config.images)
    return Took(predicting * each, calibrating * each, answers)


def measure(config: Config, space_name: str, side: str) -> Took:
    """Return what a process of its own tells of :func:`work`."""
    pages = "0" if "pages" in SIDES[side] else "1"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "THP_MEM_ALLOC_ENABLE": pages}
    asked = json.dumps([asdict(config), space_name, side])
    ran = subprocess.run(
        [sys.executable, __file__, "--work", asked], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    return Took(**json.loads(ran.stdout.splitlines()[-1]))


def run(config: Config) -> dict[str, dict[str, list[Took]]]:
    """Return what each side took, by space and round.

    Raises:
        AssertionError: two sides differ in more than one answer of a hundred, as rounding may have it.
    """
    found: dict[str, dict[str, list[Took]]] = {}
    for name in config.spaces:
        sides = found.setdefault(name, {side: [] for side in SIDES})
        for number in range(config.rounds):
            order = list(SIDES)
            random.Random(config.seed + number).shuffle(order)
            for side in order:
                sides[side].append(measure(config, name, side))
            told = ", ".join(f"{side} {took[-1].predict:.2f}" for side, took in sides.items())
            print(f"{name}, round {number + 1}, ms an image: {told}", flush=True)
        for side, took in sides.items():
            pairs = zip(sides[OURS][0].answers, took[0].answers, strict=True)
            differ = sum(a != b for a, b in pairs) / len(took[0].answers)
            assert differ <= 0.01, f"{side} answers {differ:.1%} of the images otherwise than {OURS}"
    return found


def summary(found: Mapping[str, Mapping[str, Sequence[Took]]]) -> dict[str, Any]:
    """Return medians by space and side."""
    told: dict[str, Any] = {}
    for name, sides in found.items():
        ours = [took.predict for took in sides[OURS]]
        told[name] = {
            side: {
                "predict_ms": round(statistics.median(t.predict for t in took), 3),
                "calibrate_ms": round(statistics.median(t.calibrate for t in took), 3),
                "times_ours": round(
                    statistics.median(t.predict / one for t, one in zip(took, ours, strict=True)), 2
                ),
            }
            for side, took in sides.items()
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", default="mobilenetv3-w1.2,mobilenetv3-w1.0@128,mobilenetv3-small-image")
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="every round, and conditions")
    parser.add_argument("--quick", action="store_true", help="one network, 32 images, one round")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        config, name, side = json.loads(options.work)
        print(json.dumps(asdict(work(Config(**config), name, SIDES[side]))))
        return
    networks, images, rounds = (
        (1, 32, 1) if options.quick else (options.networks, options.images, options.rounds)
    )
    config = Config(options.spaces.split(","), networks, images, rounds, options.seed)
    before = conditions()
    found = run(config)
    told = summary(found)
    if options.json is not None:
        rounds_of = {
            name: {side: [[t.predict, t.calibrate] for t in took] for side, took in sides.items()}
            for name, sides in found.items()
        }
        value = {"schema": 1, "before": before, "after": conditions(), "config": asdict(config)}
        write_json(options.json, {**value, "summary": told, "rounds": rounds_of})
    print(json.dumps(told))


if __name__ == "__main__":
    main()

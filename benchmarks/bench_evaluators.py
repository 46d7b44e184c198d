"""How much faster do two workers evaluate than one, in processes and on Ray?

A supernet is trained for an epoch on scikit-learn's handwritten digits, then the same networks are
evaluated, BatchNorm calibrated and on the validation images as in a search, by

- ``1 worker`` and ``2 workers``: processes of this machine, as a search has them by default;
- ``2 ray actors``: a local Ray (``edgewright search --cluster local``);
- ``this process``: as a search evaluates that is given ``--workers 0``.

The sides take turns in an order that is drawn anew each round. A side's workers, and Ray, live during its
turn alone, since Ray is at work even when nothing is asked of it; they are started and have evaluated
something before anything is timed. Each evaluation computes with one thread on every side, and the
errors of all sides are compared: they are equal bit for bit, or the benchmark fails.

What two workers can gain is what two busy processes gain on this machine at this time, whose cores may
share one physical core or be somebody else's half of the time. So each round also counts how many
networks one process, and two that share nothing but the machine, evaluate in the same seconds:
the ``ceiling``.

    python benchmarks/bench_evaluators.py --json benchmarks/results/evaluators.json

About 5 minutes on two quiet cores; ``--quick`` takes one, and its figures mean little. The last line is
one JSON object: evaluations a second of each side, and ratios, medians over the rounds, with the
interquartile range of each under ``iqr``; and what each side's start takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import edgewright
from edgewright.evaluation import EvaluatorSpec, ProcessPool, RayCluster, one_by_one
from edgewright.files import write_json
from edgewright.pipeline.costs import macs
from edgewright.pipeline.evaluator import SubnetError, load_subnet_error
from edgewright.pipeline.train import train_run
from edgewright.pipeline.trained import TrainedRun
from edgewright.search.config import Answer, Evaluator
from edgewright.spaces.architecture import IntArray
from edgewright.training.config import TrainConfig

HERE, ONE, TWO, RAY = "this process", "1 worker", "2 workers", "2 ray actors"
#: A process that evaluates for a while, once it is told to, and says how many it did.
BUSY = """
import sys, time
from pathlib import Path
import numpy as np
from edgewright.pipeline.evaluator import load_subnet_error

evaluate = load_subnet_error(Path(sys.argv[1]))
X = evaluate.space.sample(np.random.default_rng(0), 256)
evaluate(X[0])
for line in sys.stdin:
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < float(line):
        evaluate(X[done % len(X)])
        done += 1
    print(done / (time.perf_counter() - start), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Config:
    """One comparison.

    Attributes:
        space: as ``find_space`` reads it.
        networks: evaluated by each side in a round.
        rounds: that each side takes part in.
        ceiling_s: for which busy processes are counted.
        with_ray: whether Ray takes part.
        seed: of networks and of the order of sides.
    """

    space: str
    networks: int
    rounds: int
    ceiling_s: float
    with_ray: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        config: of the comparison.
        rates: evaluations a second of each side, a round each.
        ceiling: two busy processes' evaluations a second over one's, a round each.
        first_s: until each side had evaluated its first four networks, its start included, a round each.
    """

    config: Config
    rates: Mapping[str, Sequence[float]]
    ceiling: Sequence[float]
    first_s: Mapping[str, Sequence[float]]

    def ratios(self, side: str, to: str = ONE) -> list[float]:
        """Return a side's rate over another's, round by round."""
        return [a / b for a, b in zip(self.rates[side], self.rates[to], strict=True)]

    def summary(self) -> dict[str, Any]:
        """Return medians over the rounds, and under ``iqr`` their interquartile ranges."""
        found = self._by_round()
        return {**_each(found, _median), "iqr": _each(found, _iqr), "rounds": self.config.rounds}

    def _by_round(self) -> dict[str, Any]:
        sides = [side for side in (HERE, TWO, RAY) if side in self.rates]
        workers = [side for side in sides if side != HERE]
        return {
            "evaluations_per_s": dict(self.rates),
            "ratio_to_1_worker": {side: self.ratios(side) for side in sides},
            "ceiling": self.ceiling,
            "share_of_ceiling": {
                side: [r / c for r, c in zip(self.ratios(side), self.ceiling, strict=True)]
                for side in workers
            },
            "first_s": dict(self.first_s),
        }


def _each(found: Mapping[str, Any], of: Callable[[Sequence[float]], float]) -> dict[str, Any]:
    """Return one number in place of each sequence of rounds."""
    return {
        name: _each(value, of) if isinstance(value, Mapping) else of(value) for name, value in found.items()
    }


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def _iqr(values: Sequence[float]) -> float:
    return round(float(np.subtract(*np.percentile(values, [75, 25]))), 3)


class Busy:
    """Two processes that share nothing but the machine."""

    def __init__(self, evaluator: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", BUSY, str(evaluator)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(2)
        ]
        self.ceiling(0.01)  # both have loaded

    def rate(self, asked: Sequence[subprocess.Popen[str]], seconds: float) -> float:
        """Return the evaluations a second that some of them do in all."""
        for process in asked:
            assert process.stdin is not None
            print(seconds, file=process.stdin, flush=True)
        return sum(float(process.stdout.readline()) for process in asked if process.stdout is not None)

    def ceiling(self, seconds: float) -> float:
        """Return the rate of both over that of one; who else the machine serves changes meanwhile."""
        first, second = self.processes
        turns = [[first], [first, second], [first, second], [second]]
        one, both, again, other = (self.rate(asked, seconds / 2) for asked in turns)
        return (both + again) / (one + other)

    def close(self) -> None:
        """End both."""
        for process in self.processes:
            process.kill()
            process.communicate()


def run(config: Config, evaluator: Path, say: Callable[[str], None]) -> Result:
    """Measure all sides in turns.

    Raises:
        AssertionError: two sides disagree about an error.
    """
    space = load_subnet_error(evaluator).space
    X, effort = space.sample(np.random.default_rng(config.seed), config.networks), macs(space)
    spec = EvaluatorSpec(factory="edgewright.pipeline.evaluator:load_subnet_error", files={"path": evaluator})
    rates: dict[str, list[float]] = {}
    ceiling: list[float] = []
    first_s: dict[str, list[float]] = {}
    here = one_by_one(load_subnet_error(evaluator))
    expected = _errors(here, X)
    sides: dict[str, Callable[[], AbstractContextManager[Evaluator]]] = {
        HERE: lambda: nullcontext(here),
        ONE: lambda: ProcessPool(spec, 1, effort=effort),
        TWO: lambda: ProcessPool(spec, 2, effort=effort),
    }
    if config.with_ray:
        sides[RAY] = lambda: RayCluster(spec, 2, effort=effort)
    with closing(Busy(evaluator)) as busy:
        order = list(sides)
        for number in range(config.rounds):
            random.Random(config.seed + number).shuffle(order)
            for name in order:
                start = time.perf_counter()
                with sides[name]() as evaluate:
                    _errors(evaluate, X[:4])
                    first_s.setdefault(name, []).append(time.perf_counter() - start)
                    _errors(evaluate, X[:8])  # a second worker that was late is ready now
                    start = time.perf_counter()
                    found = _errors(evaluate, X)
                    rates.setdefault(name, []).append(len(X) / (time.perf_counter() - start))
                assert found == expected, f"{name} finds {found}, {HERE} {expected}"
            ceiling.append(busy.ceiling(config.ceiling_s))
            told = ", ".join(f"{name} {rates[name][-1]:.2f}/s" for name in sides)
            say(f"round {number + 1}: {told}; two busy processes over one: {ceiling[-1]:.2f}")
    return Result(config, _frozen(rates), tuple(ceiling), _frozen(first_s))


def _frozen(found: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values) for name, values in found.items()}


def _errors(evaluate: Evaluator, X: IntArray) -> list[float]:
    """Evaluate all networks; return their errors in order."""
    errors = [float("nan")] * len(X)
    for place, found in enumerate(evaluate(X)):
        row, outcome = (found.row, found.outcome) if isinstance(found, Answer) else (place, found)
        assert isinstance(outcome, float), outcome
        errors[row] = outcome
    return errors


def trained(space: str, folder: Path) -> Path:
    """Train for an epoch; return the file of which workers make their evaluators."""
    train_run(space, "digits", folder / "run", TrainConfig(epochs=1, batch_size=64, threads=1))
    path = folder / "evaluator.safetensors"
    SubnetError.of_run(TrainedRun.open(folder / "run")).save(path)
    return path


def conditions() -> dict[str, Any]:
    """Return what a reader needs to compare two runs."""
    packages = ("torch", "ray", "numpy")
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": next(_cpu_models(), platform.processor()),
        "cores": os.cpu_count(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "edgewright": edgewright.__version__,
        **{name: metadata.version(name) for name in packages if find_spec(name) is not None},
    }


def _cpu_models() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                yield line.partition(":")[2].strip()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="every round, and conditions")
    parser.add_argument("--networks", type=int, default=40, help="evaluated by each side in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--space", default="mobilenetv3-small-image@24+32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-ray", action="store_true")
    parser.add_argument("--quick", action="store_true", help="12 networks, one round")
    options = parser.parse_args()
    with_ray = not options.without_ray and find_spec("ray") is not None
    if not with_ray:
        print("without Ray: pip install 'edgewright[cluster]' to have it take part")
    networks, rounds = (12, 1) if options.quick else (options.networks, options.rounds)
    config = Config(options.space, networks, rounds, 2.0 if options.quick else 8.0, with_ray, options.seed)
    before = conditions()
    with tempfile.TemporaryDirectory() as folder:
        result = run(config, trained(config.space, Path(folder)), partial(print, flush=True))
    summary = result.summary()
    if options.json is not None:
        value = {"schema": 1, "before": before, "after": conditions(), "summary": summary}
        write_json(options.json, {**value, **asdict(result)})
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

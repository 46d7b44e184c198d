"""How well do the search's surrogates rank all cells of NAS-Bench-201 after a few accuracies?

Protocol of PINAT (arXiv:2211.14700), table 1: train on N validation accuracies drawn at random, judge
by Kendall's tau between prediction and **test** accuracy over all 15,625 cells. The surrogates are the
ones of ``edgewright search``, as they are; tau of the validation accuracies themselves is told as
what their noise lets any predictor reach.

    python benchmarks/bench_accuracy_predictor.py --train nb201_hwnasbench.npz:val_acc_cifar10 \
        --test nb201_devices.npz:acc_cifar10 --samples 78,156,469 --draws 10 --json predictor.json

The last line is one JSON object. One or two minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import edgewright
from edgewright.errors import SDKError, UsageError
from edgewright.files import file_digest, write_json
from edgewright.regression.metrics import kendall_tau
from edgewright.search import Problem
from edgewright.search.features import features_of
from edgewright.search.problems.nb201 import N_CELLS, read_columns
from edgewright.search.surrogate import SURROGATES, choose
from edgewright.spaces import CellSpace
from edgewright.spaces.architecture import FloatArray
from edgewright.spaces.cell import cells_from_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is asked.

    Attributes:
        train: file and column of the accuracies that are learned.
        test: of those that judge.
        samples: counts of accuracies.
        draws: of each.
        surrogates: names.
    """

    train: tuple[Path, str]
    test: tuple[Path, str]
    samples: tuple[int, ...]
    draws: int
    surrogates: tuple[str, ...]


def run(config: Config) -> dict[str, Any]:
    """Return every figure. Raises ``UsageError`` where a file cannot be used."""
    train, test = (
        100.0 - read_columns(path, [column])[column] for path, column in (config.train, config.test)
    )
    cells = cells_from_numbers(np.arange(N_CELLS))
    features = features_of(CellSpace(), Problem({}, {}, {}))
    Z = features(cells)
    found: dict[str, Any] = {}
    for name in config.surrogates:
        found[name] = {}
        for n in config.samples:
            start = time.perf_counter()
            taus = [_tau(name, Z, features.groups, train, test, n, draw) for draw in range(config.draws)]
            seconds = (time.perf_counter() - start) / config.draws
            found[name][str(n)] = {
                "mean": float(np.mean(taus)),
                "std": float(np.std(taus)),
                "each": taus,
                "seconds": seconds,
            }
            print(f"{name:12s} {n:5d}: {np.mean(taus):.4f} ± {np.std(taus):.4f}", file=sys.stderr, flush=True)
    return {"tau": found, "tau_of_the_labels": kendall_tau(train, test)}


def _tau(
    name: str, Z: FloatArray, groups: Sequence[int], train: FloatArray, test: FloatArray, n: int, draw: int
) -> float:
    rows = np.random.default_rng([draw, n]).choice(len(train), n, replace=False)
    model = choose(name, Z[rows], train[rows], np.random.default_rng(draw), groups).model
    return float(kendall_tau(model.predict(Z).mean, test) or 0.0)


def parse(arguments: Sequence[str]) -> tuple[Config, Path | None]:
    """Return what the command line asks. Raises ``UsageError``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", required=True, metavar="FILE:COLUMN", help="accuracies that are learned")
    parser.add_argument("--test", required=True, metavar="FILE:COLUMN", help="accuracies that judge")
    parser.add_argument("--samples", default="78,156,469", help="accuracies that are learned from")
    parser.add_argument("--draws", type=int, default=10, help="random draws of each")
    parser.add_argument(
        "--surrogates", default="blend,lightgbm,gp,auto", help=f"of auto, {', '.join(SURROGATES)}"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="where everything is written")
    options = parser.parse_args(arguments)
    try:
        samples = tuple(int(part) for part in options.samples.split(","))
    except ValueError as error:
        raise UsageError(f"--samples takes numbers such as 78,156,469, got {options.samples!r}") from error
    names = tuple(part.strip() for part in options.surrogates.split(",") if part.strip())
    known = ("auto", *SURROGATES)
    faults = [
        f"there is no surrogate {name!r}, known: {', '.join(known)}" for name in names if name not in known
    ]
    if not names or options.draws < 1 or min(samples) < 4 or max(samples) > N_CELLS:
        faults.append(f"--samples lie in [4, {N_CELLS}], --draws is at least 1, --surrogates names one")
    if options.json is not None and not options.json.absolute().parent.is_dir():
        faults.append(f"--json: the folder {options.json.parent} does not exist; make it first")
    if faults:
        raise UsageError("; ".join(faults))
    config = Config(
        train=_column("--train", options.train),
        test=_column("--test", options.test),
        samples=samples,
        draws=options.draws,
        surrogates=names,
    )
    return config, options.json


def _column(option: str, text: str) -> tuple[Path, str]:
    path, colon, column = text.rpartition(":")
    if not (path and colon and column):
        raise UsageError(f"{option} takes FILE:COLUMN, got {text!r}")
    return Path(path), column


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    try:
        config, out = parse(sys.argv[1:] if arguments is None else arguments)
        with threadpool_limits(1):
            found = run(config)
        if out is not None:
            columns = {"train": config.train, "test": config.test}
            asked = {name: f"{path.name}:{column}" for name, (path, column) in columns.items()}
            conditions = {
                "edgewright": edgewright.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "data_sha256": {path.name: file_digest(path) for path, _ in columns.values()},
            }
            write_json(
                out, {"schema": 1, "config": {**asdict(config), **asked}, "conditions": conditions, **found}
            )
    except SDKError as error:
        print(f"bench_accuracy_predictor: {error}", file=sys.stderr)
        return error.exit_code
    means = {
        name: {n: round(one["mean"], 4) for n, one in by_n.items()} for name, by_n in found["tau"].items()
    }
    print(json.dumps({"kendall_tau": means, "draws": config.draws}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

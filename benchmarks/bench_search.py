"""How few evaluations does a search need to come near a front that is known?

Problems: NAS-Bench-201's cells with measured accuracies and latencies of any file that has them
(:mod:`edgewright.search.problems.nb201`), and OFA-MobileNetV3 with OFA's published accuracy
predictor as truth and its measured Note10 tables.

    python benchmarks/bench_search.py --problem nb201 --data nb201_devices.npz --accuracy acc_cifar100 \
        --latency latency_ms_raspi4 --evaluations 200 --seeds 10 --json search.json
    python benchmarks/bench_search.py --problem ofa-mbv3 --data ofa_mbv3 --evaluations 350 --seeds 5

Every method gets the same problem, seeds and evaluations, in a process of its own on one thread. All
evaluations count, those of an initial design too; a network that a method asks for again is not
charged again. Ours and BoTorch know the exact latency of what they have not evaluated, from the table;
the others, which take no such thing, are told it with the error. Score: hypervolume over that of the
known front, objectives normalised by that front's ideal and nadir, reference point (1.1, 1.1), and so
on for more objectives. On cells the known front is over all 15,625 of 50 % accuracy and more, while the
methods search the 9,445 different networks; ``--as-written`` lets them tell equal cells apart. On OFA it
is the best front that anybody found so far, see ``make_ofa_front.py``.

The last line is one JSON object: means over seeds, and medians of evaluations to 0.95 (null where
half of the seeds end below). The file has every evaluation, so that scores at any count come from one
run. About five minutes a problem with the five default methods and ten seeds on one core; SMAC and
BoTorch take longer. So that they need not run each time, ``--add-to RESULT`` takes over the methods of
an earlier file that are not in ``--methods``, and refuses a file that was asked something else:

    python benchmarks/bench_search.py … --methods smac,botorch --json peers.json
    python benchmarks/bench_search.py … --methods edgewright,random --add-to peers.json --json search.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from search_methods import METHODS, Trace, trace
from search_taken import Taken, take

import edgewright
from edgewright.errors import SDKError, UsageError
from edgewright.files import file_digest, read_json, write_json
from edgewright.pipeline.problems import read_ofa
from edgewright.search.problems import KnownFront, SearchProblem, read_cells

DEFAULT_METHODS = ("edgewright", "random", "nsga2", "optuna-nsga2", "optuna-tpe")
FRONT = Path(__file__).parent / "assets" / "ofa-mbv3-note10-front.json"
TARGET = 0.95
MAX_SEEDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is asked.

    Attributes:
        problem: ``nb201`` or ``ofa-mbv3``.
        data: file or folder.
        accuracy: column of the file, nb201 only.
        latency: columns of it, likewise; each is an objective.
        as_written: whether equal cells are told apart.
        front: file of the known front, ofa-mbv3 only.
        evaluations: of each run.
        seeds: runs of each method, with seeds from 0.
        methods: names.
        at: counts of evaluations that are told.
        batch: networks that ours evaluates at a time; its own choice where None.
    """

    problem: str
    data: Path
    accuracy: str
    latency: tuple[str, ...]
    as_written: bool
    front: Path
    evaluations: int
    seeds: int
    methods: tuple[str, ...]
    at: tuple[int, ...]
    batch: int | None = None

    def load(self) -> SearchProblem:
        """Return the problem. Raises ``UsageError`` or ``TableError``."""
        if self.problem == "nb201":
            return read_cells(
                self.data, accuracy=self.accuracy, costs=self.latency, distinct=not self.as_written
            )
        problem = read_ofa(self.data)
        return read_ofa(self.data, known=read_front(self.front, problem))


def read_front(path: Path, problem: SearchProblem) -> KnownFront:
    """Return the front of an asset. Raises ``UsageError`` where it is not this problem's."""
    mend = f"make it again with `python benchmarks/make_ofa_front.py --data DIR --out {path}`"
    asset = read_json(path, what="known front", mend=mend)
    try:
        X, F = np.array(asset["encodings"], dtype=np.int64), np.array(asset["objectives"], dtype=np.float64)
        true = problem.objectives(X)
    except (SDKError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(f"the known front {path} cannot be read ({error}); {mend}") from error
    if not np.allclose(true, F, rtol=1e-4):
        raise UsageError(f"the known front {path} is of other data: its objectives differ; {mend}")
    return KnownFront.of(true, str(asset["source"]))


def run_one(config: Config, method: str, seed: int) -> Trace:
    """Run a method once, in a process of its own."""
    return trace(method, config.load(), config.evaluations, seed, config.batch)


def traces(config: Config, jobs: int) -> Iterator[tuple[str, int, Trace]]:
    """Yield each method's runs, ``jobs`` at a time."""
    # The methods' processes inherit it: each computes on one thread.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["PYTHONHASHSEED"] = "0"  # SMAC goes through sets of names, in the order of their hashes
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool:
        asked = [(method, seed) for method in config.methods for seed in range(config.seeds)]
        try:
            running = [pool.submit(run_one, config, method, seed) for method, seed in asked]
            for (method, seed), future in zip(asked, running, strict=True):
                yield method, seed, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def scores(known: KnownFront, found: Sequence[Trace], config: Config) -> dict[str, Any]:
    """Return the figures of a method: means over seeds, and each seed's own."""
    n = config.evaluations
    curves = np.array([curve(known, np.array(one.F), n) for one in found])  # (seeds, n)
    to_target = [_first(row, TARGET) for row in curves]
    igd = {k: [known.igd_plus(np.array(one.F)[:k]) for one in found] for k in config.at}
    per_evaluation = [one.seconds / len(one.F) for one in found]
    iterations = [seconds for one in found for seconds in one.iterations]
    return {
        "hypervolume_ratio": {str(k): float(curves[:, k - 1].mean()) for k in config.at},
        "hypervolume_ratio_std": {str(k): float(curves[:, k - 1].std()) for k in config.at},
        "hypervolume_ratio_each": {str(k): curves[:, k - 1].tolist() for k in config.at},
        "mean_curve": [round(v, 5) for v in curves.mean(axis=0).tolist()],
        "igd_plus": {str(k): float(np.mean(values)) for k, values in igd.items()},
        f"evaluations_to_{TARGET}": _median(to_target),
        f"evaluations_to_{TARGET}_each": [None if math.isinf(v) else int(v) for v in to_target],
        "evaluated": [len(one.F) for one in found],
        "asked": [one.asked for one in found],
        "search_seconds_per_evaluation": float(np.mean(per_evaluation)),
        "search_seconds_per_iteration": {
            "mean": float(np.mean(iterations)),
            "max": float(np.max(iterations)),
            "mean_of_last": float(np.mean([one.iterations[-1] for one in found])),
        }
        if iterations
        else None,
        "peak_memory_mb": float(max(one.peak_memory_mb for one in found)),
    }


def curve(known: KnownFront, F: np.ndarray, n: int) -> list[float]:
    """Return the hypervolume ratio after each of ``n`` evaluations; a shorter run keeps its last."""
    ratios = [known.hypervolume_ratio(F[:k]) for k in range(1, len(F) + 1)]
    return ratios + [ratios[-1]] * (n - len(ratios))


def _first(ratios: np.ndarray, target: float) -> float:
    """Return the evaluation that reaches a ratio; infinite where none does."""
    reached = np.flatnonzero(ratios >= target)
    return float(reached[0] + 1) if len(reached) else math.inf


def _median(values: Sequence[float]) -> float | None:
    middle = float(np.median(values))
    return middle if math.isfinite(middle) else None


def described(problem: SearchProblem) -> dict[str, Any]:
    """Return what the figures are of."""
    assert problem.known is not None
    return {
        "name": problem.name,
        "space": problem.space.name,
        "objectives": list(problem.names),
        "known_front": len(problem.known.F),
        "front_source": problem.known.source,
        "ideal": problem.known.ideal.tolist(),
        "nadir": problem.known.nadir.tolist(),
    }


def run(config: Config, problem: SearchProblem, jobs: int, taken: Taken) -> dict[str, Any]:
    """Run all methods, telling each run on stderr, and return every figure and those taken over."""
    assert problem.known is not None
    found: dict[str, list[Trace]] = {method: [] for method in config.methods}
    print(f"{problem.name}: {len(problem.known.F)} networks on the known front", file=sys.stderr)
    for method, seed, one in traces(config, jobs):
        found[method].append(one)
        ratio = problem.known.hypervolume_ratio(np.array(one.F))
        print(f"{method} seed {seed}: {ratio:.4f} in {one.seconds:.1f} s", file=sys.stderr, flush=True)
    methods = {name: scores(problem.known, runs, config) for name, runs in found.items()}
    trajectories = {
        name: [[[float(f"{v:.7g}") for v in row] for row in one.F] for one in runs]
        for name, runs in found.items()
    }
    methods, trajectories = methods | taken.methods, trajectories | taken.trajectories
    if "edgewright" in methods:
        ours = np.array(methods["edgewright"]["mean_curve"])
        for table in methods.values():
            at_end = _first(ours, round(table["mean_curve"][-1], 5))
            table["edgewright_needs_for_its_last"] = None if math.isinf(at_end) else int(at_end)
    ordered = sorted(methods, key=list({**METHODS, **methods}).index)
    return {
        "methods": {name: methods[name] for name in ordered},
        "trajectories": {name: trajectories[name] for name in ordered},
    }


def table(found: dict[str, Any], config: Config) -> str:
    """Return the scores in columns."""
    head = "".join(f"{k:>8d}" for k in config.at) + f"{'to 0.95':>9s}{'s/eval':>8s}{'MB':>7s}"
    lines = [f"{'hypervolume ratio at':22s}{head}"]
    for name, one in found["methods"].items():
        ratios = "".join(f"{one['hypervolume_ratio'][str(k)]:8.4f}" for k in config.at)
        needed = one[f"evaluations_to_{TARGET}"]
        rest = f"{'-' if needed is None else f'{needed:g}':>9s}{one['search_seconds_per_evaluation']:8.3f}"
        lines.append(f"{name:22s}{ratios}{rest}{one['peak_memory_mb']:7.0f}")
    return "\n".join(lines)


def parse(arguments: Sequence[str]) -> tuple[Config, int, Path | None, list[Path]]:
    """Return what the command line asks. Raises ``UsageError``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problem", choices=("nb201", "ofa-mbv3"), required=True)
    parser.add_argument("--data", type=Path, required=True, help=".npz file, or OFA's folder")
    parser.add_argument("--accuracy", default="", metavar="COLUMN", help="nb201: in percent")
    parser.add_argument("--latency", default="", metavar="COLUMN[,COLUMN]", help="nb201: costs")
    parser.add_argument("--as-written", action="store_true", help="nb201: tell equal cells apart")
    parser.add_argument("--front", type=Path, default=FRONT, metavar="FILE", help="ofa-mbv3: known front")
    parser.add_argument("--evaluations", type=int, default=0, help="200 on nb201, 350 on ofa-mbv3 by default")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", default=",".join(DEFAULT_METHODS), help=f"of {', '.join(METHODS)}")
    parser.add_argument("--at", default="", help="evaluations to tell; every 50 by default")
    parser.add_argument("--batch", type=int, help="networks that ours evaluates at a time; 2 by default")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time; times are exact with one")
    parser.add_argument("--json", type=Path, metavar="OUT", help="where everything is written")
    parser.add_argument(
        "--add-to",
        type=Path,
        action="append",
        default=[],
        metavar="RESULT",
        help="take over the other methods of a file that --json wrote; may be given several times",
    )
    options = parser.parse_args(arguments)
    n = options.evaluations or (200 if options.problem == "nb201" else 350)
    methods = tuple(dict.fromkeys(part.strip() for part in options.methods.split(",") if part.strip()))
    try:
        asked = [int(part) for part in options.at.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--at takes numbers such as 50,100, got {options.at!r}") from error
    faults = [
        f"--methods: there is no {name!r}, known: {', '.join(METHODS)}"
        for name in methods
        if name not in METHODS
    ]
    faults += [
        f"{name} needs the package {METHODS[name].missing}: {METHODS[name].install}"
        for name in methods
        if name in METHODS and METHODS[name].missing
    ]
    if not methods and not options.add_to:
        faults.append(f"--methods names none, known: {', '.join(METHODS)}")
    latency = tuple(part.strip() for part in options.latency.split(",") if part.strip())
    if (
        n < 1
        or not 1 <= options.seeds <= MAX_SEEDS
        or min(options.jobs, 1 if options.batch is None else options.batch) < 1
    ):
        faults.append(f"--evaluations, --jobs and --batch are at least 1, --seeds lie in [1, {MAX_SEEDS}]")
    if bad := [k for k in asked if not 1 <= k <= n]:
        faults.append(f"--at lies in [1, {n}], got {bad[0]}")
    if options.problem == "nb201" and not (options.accuracy and latency):
        faults.append("--problem nb201 needs --accuracy COLUMN and --latency COLUMN")
    if options.json is not None and not options.json.absolute().parent.is_dir():
        faults.append(f"--json: the folder {options.json.parent} does not exist; make it first")
    if faults:
        raise UsageError("; ".join(faults))
    config = Config(
        problem=options.problem,
        data=options.data,
        accuracy=options.accuracy,
        latency=latency,
        as_written=options.as_written,
        front=options.front,
        evaluations=n,
        seeds=options.seeds,
        methods=methods,
        batch=options.batch,
        at=tuple(sorted(set(asked))) or tuple(sorted({*range(50, n + 1, 50), n})),
    )
    return config, options.jobs, options.json, options.add_to


def conditions(config: Config, jobs: int) -> dict[str, Any]:
    """Return what the figures were made with."""
    packages = sorted({"numpy", *(package for name in config.methods for package in METHODS[name].packages)})
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "jobs": jobs,
        "edgewright": edgewright.__version__,
        "packages": {name: metadata.version(name) for name in packages},
        "data_sha256": {file.name: file_digest(file) for file in _files(config.data)},
    }


def _files(data: Path) -> list[Path]:
    if data.is_file():
        return [data]
    return [data / "accuracy_predictor.npz", *sorted((data / "note10").glob("*_lookup_table.yaml"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    try:
        config, jobs, out, add_to = parse(sys.argv[1:] if arguments is None else arguments)
        problem = config.load()
        asked = {**asdict(config), "data": config.data.name, "front": config.front.name}
        head = {
            "schema": 1,
            # As it is read again: lists, no tuples.
            "config": json.loads(json.dumps(asked)),
            "conditions": conditions(config, jobs),
            "problem": described(problem),
        }
        taken = take(add_to, head, config.methods)
        found = run(config, problem, jobs, taken)
        head["config"]["methods"] = list(found["methods"])
        if out is not None:
            write_json(out, {**head, "taken_over": taken.origins, **found})
    except SDKError as error:
        print(f"bench_search: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    print(table(found, config), file=sys.stderr)
    methods = found["methods"]
    ratios = {
        name: {k: round(v, 4) for k, v in one["hypervolume_ratio"].items()} for name, one in methods.items()
    }
    needed = {name: one[f"evaluations_to_{TARGET}"] for name, one in methods.items()}
    print(
        json.dumps({"hypervolume_ratio": ratios, f"evaluations_to_{TARGET}": needed, "seeds": config.seeds})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does the whole chain beat one network, uniformly scaled and trained at the same cost?

The chain: latency tables on both runtimes of this machine, a supernet trained on CIFAR-10, a search
under a latency budget for each runtime, the finalists compiled and measured. Beside them the middle
network of the space with its widths multiplied (MobileNet's width multiplier, arXiv:1704.04861),
each size trained alone by the same loop with the same settings.

Equal cost: a training image costs the supernet the forward multiply-accumulates of its largest,
smallest and random subnets, a baseline those of its own network. All baselines together spend as
many as the supernet, the same number of epochs each, rounded up in their favour. Both sides train at
the same time, on a core each; their seconds are reported too. Search and tables, a few minutes, are
the chain's alone.

Equal judgement: every compiled file answers the same test images, which neither training nor search
saw, and all files are timed by the same ``bench`` in one random order.

Command, from the repository's root, with CIFAR-10 as an ImageFolder tree in DIR::

    python benchmarks/bench_pipeline.py --data DIR --json benchmarks/results/pipeline-local-cpu.json

It takes about 40 minutes on two quiet cores (``--minutes`` scales the training), or 3 with ``--quick``,
whose figures mean nothing. A killed run goes on from ``--work``. Beside OUT.json lie OUT.md, its table,
and OUT.csv, a row a network and runtime.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from narrator import Narrator
from pipeline_result import DEVICES, PRECISION, Result, Row, compare
from torch import nn

import edgewright
from edgewright.backends.parity import outputs_of_artifact
from edgewright.backends.registry import runtime
from edgewright.devices.conditions import read_conditions
from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import SDKError
from edgewright.files import read_json, write_json, write_text
from edgewright.latency.predictor import LatencyPredictor
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.compile import device_exporter
from edgewright.pipeline.data import load_data
from edgewright.pipeline.front import Member
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.progress import Progress
from edgewright.pipeline.search import SearchOptions, SearchSummary, search_run
from edgewright.pipeline.train import VAL_FRACTION, TrainResult, train_run
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.verify import Verification, verify_run
from edgewright.spaces import Architecture, MobileSpace, find_space
from edgewright.training.config import TrainConfig
from edgewright.training.data import ImageData
from edgewright.training.log import read_log
from edgewright.training.loop import TrainProgress, train_network
from edgewright.training.uniform import scale_widths

# Of the full configuration on two quiet cores; they turn --minutes into epochs.
_EPOCH_MINUTES = 2.4  # an epoch of the supernet on one core; the baselines train on the other
_OTHER_MINUTES = 7.0  # tables, search, compiling, accuracy, timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One run of the chain and its baseline.

    Attributes:
        name: ``full`` or ``quick``.
        space: what is searched.
        training: of the supernet; the baselines differ in their epochs alone.
        preset: of the latency tables.
        budget_share: of the way from the smallest network's latency to the largest's, each runtime.
        evaluations: of the search.
        finalists: networks of the front that are compiled.
        scales: width multipliers of the baseline.
        n_test: test images that the compiled files answer; all where ``None``.
        seed: of everything random.
    """

    name: str
    space: str
    training: TrainConfig
    preset: str
    budget_share: float
    evaluations: int
    finalists: int
    scales: tuple[float, ...]
    n_test: int | None
    seed: int = 0


def configs(*, minutes: float = 40.0, quick: bool = False) -> tuple[Config, ...]:
    """Return what is run: one configuration, sized to ``minutes`` on two quiet cores."""
    epochs = max(2, math.floor((minutes - _OTHER_MINUTES) / _EPOCH_MINUTES))
    full = Config(
        name="full",
        space="mobilenetv3-small-image@24+32",
        training=TrainConfig(
            epochs=epochs,
            batch_size=64,
            optimizer="sgd",
            lr=0.1,
            n_random=1,  # at this length more steps are worth more than a second random subnet
            dropout=0.0,  # so short a training does not overfit
            evaluate_every=0,
            threads=1,  # the baselines train on the other core
        ),
        preset="default",
        budget_share=0.7,
        evaluations=150,
        finalists=6,
        scales=(0.5, 0.75, 1.0, 1.25),
        n_test=None,
    )
    if not quick:
        return (full,)
    training = replace(full.training, epochs=1)
    small = replace(full, name="quick", space="mobilenetv3-small-image@16", training=training)
    return (replace(small, preset="quick", evaluations=20, finalists=4, scales=(0.5, 1.0, 1.5), n_test=200),)


def run(config: Config, *, data: str, work: Path, progress: Progress) -> Result:
    """Run the chain and its baseline in ``work``; a killed run goes on where it stopped."""
    phases = _Phases(work / "phases.json", progress)
    before = read_conditions().to_json()
    folder, root = work / "latency_tables", work / "run"
    with phases("train"), _beside(config, data, work):
        trained = train_run(config.space, data, root, config.training, progress=progress)
    space = find_space(trained.space)
    tables: dict[str, Any] = {}
    budgets: dict[str, float] = {}
    for name, device in DEVICES.items():
        with phases(f"profile {name}"):
            table = profile_device(
                device,
                space,
                precision=PRECISION,
                tables=folder,
                preset=config.preset,
                seed=config.seed,
                progress=progress,
            ).table
        predictor = LatencyPredictor(table, space)
        least, most = (predictor.predict_one(arch) for arch in (space.smallest(), space.largest()))
        budgets[name] = round(least + config.budget_share * (most - least), 4)
        tables[device] = table.summary() | {"smallest_ms": least, "largest_ms": most}
    with phases("search"):
        options = SearchOptions(
            budget=",".join(f"{name}={limit:.4f}ms" for name, limit in budgets.items()),
            evaluations=config.evaluations,
            tables=folder,
            seed=config.seed,
        )
        searched = search_run(root, options, progress=progress)
    with phases("verify"):
        verification = verify_run(root, finalists=config.finalists, progress=progress)
    opened = TrainedRun.open(root, progress=progress)
    front = _front(searched, verification, space, root, budgets)
    baselines = _baselines(config, space, opened.data, work, phases, progress)
    judged = _judge((*front, *baselines), opened.data, config, phases, progress)
    return Result(
        config=asdict(config),
        conditions=_conditions(before),
        phases=phases.seconds,
        data=opened.folder.description["data"] | {"source": Path(data).name},
        tables=tables,
        training=_training(config, space, trained, root, judged),
        search={
            "evaluations": len(searched.front.members),
            "on_front": len(searched.front.best),
            "hypervolume": searched.hypervolume,
            "budgets_ms": {DEVICES[name]: limit for name, limit in budgets.items()},
        },
        rows=judged,
        comparison=compare(judged),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row in the making: its facts, and where its compiled files lie."""

    row: Row
    resolution: int
    files: dict[str, Path]


@dataclass(slots=True)
class _Phases:
    """Seconds of each phase, kept in a file so that a resumed run counts what came before."""

    path: Path
    progress: Progress
    _state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            self._state = read_json(self.path, what="record of phases", mend=f"delete {self.path}")

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        entry = self._state.setdefault(name, {"seconds": 0.0, "done": False})
        self.progress.say(f"{name}: " + ("done before" if entry["done"] else "begins"))
        started, counted = time.perf_counter(), not entry["done"]
        try:
            yield
            entry["done"] = True
        finally:
            if counted:  # a finished phase costs nothing but loading, the second time
                entry["seconds"] = round(entry["seconds"] + time.perf_counter() - started, 2)
                write_json(self.path, self._state)
        self.progress.say(f"{name}: {entry['seconds']:.0f} s")

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase, in order."""
        return {name: entry["seconds"] for name, entry in self._state.items()}


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
    """Return the epochs of each baseline at which all of them cost what the supernet costs."""
    each = [_macs(scale_widths(space, scale), middle(space)) for scale in config.scales]
    return math.ceil(config.training.epochs * sandwich_macs(space, config.training.n_random) / sum(each))


def _macs(space: MobileSpace, arch: Architecture) -> int:
    return sum(op.macs for op in space.operators(arch))


def _params(space: MobileSpace, arch: Architecture) -> int:
    return sum(op.params for op in space.operators(arch))


def _front(
    searched: SearchSummary,
    verification: Verification,
    space: MobileSpace,
    root: Path,
    budgets: dict[str, float],
) -> tuple[_Candidate, ...]:
    candidates = []
    for pick in dict.fromkeys(row.id for row in verification.rows):
        member: Member = searched.front.find(pick)
        rows = {row.device: row for row in verification.rows if row.id == pick}
        if broken := [f"{d}: {r.parity_detail or r.note}" for d, r in rows.items() if not r.artifact]:
            raise SystemExit(f"network {pick} was not compiled: {'; '.join(broken)}")
        row = Row(
            id=pick,
            group="front",
            architecture=member.architecture.to_json(),
            params=_params(space, member.architecture),
            macs=_macs(space, member.architecture),
            val_accuracy=member.accuracy,
            test_accuracy={},
            predicted_ms={DEVICES[name]: member.costs[name] for name in budgets},
            budget_ms={DEVICES[name]: limit for name, limit in budgets.items()},
            size_bytes={},
            timed={},
            verified={
                device: {
                    "measured_ms": r.measured_ms,
                    "p95_ms": r.p95_ms,
                    "verdict": r.verdict,
                    "parity": r.parity,
                    "parity_detail": r.parity_detail,
                }
                for device, r in rows.items()
            },
        )
        files = {device: root / r.artifact for device, r in rows.items()}
        candidates.append(_Candidate(row, member.architecture.resolution, files))
    return tuple(candidates)


@contextmanager
def _beside(config: Config, data: str, work: Path) -> Iterator[None]:
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


def _baselines(
    config: Config, space: MobileSpace, data: ImageData, work: Path, phases: _Phases, progress: Progress
) -> tuple[_Candidate, ...]:
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
            params=_params(scaled, arch),
            macs=_macs(scaled, arch),
            val_accuracy=log[-1]["evaluations"]["network"]["top1"],
            test_accuracy={},
            predicted_ms={},
            budget_ms={},
            size_bytes={},
            timed={},
            verified={},
            train_seconds=sum(epoch["seconds"] for epoch in log),
        )
        candidates.append(_Candidate(row, arch.resolution, files))
    return tuple(candidates)


def _judge(
    candidates: Sequence[_Candidate],
    data: ImageData,
    config: Config,
    phases: _Phases,
    progress: Progress,
) -> tuple[Row, ...]:
    """Return the rows with the accuracy, time and size of every compiled file."""
    jobs = [(c, device) for c in candidates for device in c.files]
    accuracy: dict[tuple[int, str], float] = {}
    timed: dict[tuple[int, str], dict[str, Any]] = {}
    with phases("accuracy of the files"), progress.task("answering the test images", len(jobs)) as task:
        for done, (candidate, device) in enumerate(jobs):
            file = candidate.files[device]
            accuracy[id(candidate), device] = file_accuracy(
                file, DeviceProfile.find(device), data, candidate.resolution, config.n_test
            )
            task.update(done + 1)
    # A random order, so that a drift of the machine favours neither side.
    order = np.random.default_rng(config.seed).permutation(len(jobs))
    with phases("time of the files"), progress.task("timing the files", len(jobs)) as task:
        for done, index in enumerate(order):
            candidate, device = jobs[index]
            found = bench_artifact(candidate.files[device], device)
            facts = {k: v for k, v in found.to_json().items() if k not in ("artifact", "budget_ms", "device")}
            timed[id(candidate), device] = facts | {"n": found.measurement.n}
            task.update(done + 1)
    return tuple(
        replace(
            c.row,
            test_accuracy={device: accuracy[id(c), device] for device in c.files},
            timed={device: timed[id(c), device] for device in c.files},
            size_bytes={device: path.stat().st_size for device, path in c.files.items()},
        )
        for c in candidates
    )


def file_accuracy(
    artifact: Path, profile: DeviceProfile, data: ImageData, resolution: int, n: int | None
) -> float:
    """Return the top-1 of a compiled file on the first ``n`` of the shuffled test images, or all."""
    images, labels = data.split("test")
    rows = torch.from_numpy(np.random.default_rng(0).permutation(len(labels))[:n])
    prepared = data.prepare(images[rows], resolution).contiguous().numpy()
    outputs = outputs_of_artifact(
        runtime(profile.runtime), artifact, prepared, threads=profile.threads
    ).reshape(len(prepared), -1)
    return float((outputs.argmax(axis=1) == labels[rows].numpy()).mean())


def _training(
    config: Config, space: MobileSpace, trained: TrainResult, root: Path, rows: Sequence[Row]
) -> dict[str, Any]:
    """Return what both sides cost; multiply-accumulates are of forward passes, per training image."""
    baselines, epochs = [row for row in rows if row.group == "baseline"], baseline_epochs(config, space)
    log = read_log(root)
    return {
        "supernet_epochs": config.training.epochs,
        "supernet_macs_per_image": sandwich_macs(space, config.training.n_random),
        "supernet_macs": config.training.epochs * sandwich_macs(space, config.training.n_random),
        "supernet_seconds": sum(epoch["seconds"] for epoch in log),
        "supernet_images_per_s": float(np.median([epoch["images_per_s"] for epoch in log])),
        "supernet_val_accuracy": trained.accuracies,
        "baseline_epochs": epochs,
        "baseline_macs": epochs * sum(row.macs for row in baselines),
        "baseline_seconds": sum(row.train_seconds or 0.0 for row in baselines),
    }


def _conditions(before: dict[str, Any]) -> dict[str, Any]:
    packages = ("torch", "numpy", "pymoo", "onnx", "onnxruntime", "ai-edge-litert")
    return {
        "fingerprint": probe().to_json(),
        "python": sys.version.split()[0],
        "versions": {name: metadata.version(name) for name in packages}
        | {"edgewright": edgewright.__version__},
        "torch_threads": torch.get_num_threads(),
        "before": before,
        "after": read_conditions().to_json(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="the whole chain beside a uniformly scaled baseline")
    parser.add_argument("--data", required=True, help="CIFAR-10 as an ImageFolder tree")
    parser.add_argument("--json", required=True, type=Path, metavar="OUT", help="where the result goes")
    parser.add_argument("--minutes", type=float, default=40.0, help="wanted time on two quiet cores")
    parser.add_argument("--work", type=Path, help="folder of the run, resumed if there; default OUT-work")
    parser.add_argument("--quick", action="store_true", help="a smoke test whose figures mean nothing")
    args = parser.parse_args()
    out: Path = args.json
    work: Path = args.work or out.with_name(f"{out.stem}-work")
    narrator = Narrator()
    for config in configs(minutes=args.minutes, quick=args.quick):
        try:
            result = run(config, data=args.data, work=work / config.name, progress=narrator)
        except SDKError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        write_json(out, result.to_json())
        write_text(out.with_suffix(".md"), result.markdown())
        write_text(out.with_suffix(".csv"), result.csv())
        narrator.say(f"written: {out}, {out.with_suffix('.md').name}, {out.with_suffix('.csv').name}")
        print(result.markdown())
        print(json.dumps(result.summary(), allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())

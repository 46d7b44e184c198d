"""Does the whole chain beat one network, uniformly scaled and trained at the same cost?

The chain: latency tables on both runtimes of this machine, a supernet trained on CIFAR-10, a search
under a latency budget for each runtime, the finalists fine-tuned, compiled and measured. Beside them
the middle network of the space with its widths multiplied (MobileNet's width multiplier,
arXiv:1704.04861), each size trained alone by the same loop with the same settings.

Equal cost: a training image costs the supernet the forward multiply-accumulates of its largest,
smallest and random subnets, a finalist or a baseline those of its own network. All baselines together
spend as many as supernet and finalists, the same number of epochs each, rounded up in their favour.
Supernet and baselines train at the same time, on a core each; their seconds are reported too. Search
and tables, a few minutes, are the chain's alone.

Equal judgement: every compiled file answers the same test images, which neither training nor search
saw, and all files are timed by the same ``bench`` in five rounds of random order; of each file the
median visit counts.

Command, from the repository's root, with CIFAR-10 as an ImageFolder tree in DIR::

    python benchmarks/bench_pipeline.py --data DIR --json benchmarks/results/pipeline-local-cpu.json

It takes about 55 minutes on two quiet cores (``--minutes`` scales the training), or 3 with ``--quick``,
whose figures mean nothing. A killed run goes on from ``--work``. Beside OUT.json lie OUT.md, its table,
and OUT.csv, a row a network and runtime.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from narrator import Narrator
from pipeline_baseline import baseline_epochs, baselines, beside, count_macs, count_params, sandwich_macs
from pipeline_config import Candidate, Config, Phases, configs
from pipeline_result import DEVICES, PRECISION, Result, Row, compare

import edgewright
from edgewright.backends.parity import outputs_of_artifact
from edgewright.backends.registry import runtime
from edgewright.devices.conditions import read_conditions
from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import SDKError
from edgewright.files import write_json, write_text
from edgewright.latency.predictor import LatencyPredictor
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.front import Member
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.progress import Progress
from edgewright.pipeline.search import SearchOptions, SearchSummary, search_run
from edgewright.pipeline.train import TrainResult, train_run
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.verify import Verification, verify_run
from edgewright.spaces import MobileSpace, find_space
from edgewright.training.data import ImageData
from edgewright.training.log import read_log

ROUNDS = 5  # of timing, in ``_judge``


def run(config: Config, *, data: str, work: Path, progress: Progress) -> Result:
    """Run the chain and its baseline in ``work``; a killed run goes on where it stopped."""
    phases = Phases(work / "phases.json", progress)
    before = read_conditions().to_json()
    folder, root = work / "latency_tables", work / "run"
    with phases("train"), beside(config, data, work):
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
        verification = verify_run(
            root, finalists=config.finalists, fine_tune=config.fine_tune, progress=progress
        )
    opened = TrainedRun.open(root, progress=progress)
    front = _front(searched, verification, space, root, budgets)
    scaled = baselines(config, space, opened.data, work, phases, progress)
    judged = _judge((*front, *scaled), opened.data, config, phases, progress)
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


def _front(
    searched: SearchSummary,
    verification: Verification,
    space: MobileSpace,
    root: Path,
    budgets: dict[str, float],
) -> tuple[Candidate, ...]:
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
            params=count_params(space, member.architecture),
            macs=count_macs(space, member.architecture),
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
                    "note": r.note,
                }
                for device, r in rows.items()
            },
        )
        files = {device: root / r.artifact for device, r in rows.items()}
        candidates.append(Candidate(row, member.architecture.resolution, files))
    return tuple(candidates)


def _judge(
    candidates: Sequence[Candidate],
    data: ImageData,
    config: Config,
    phases: Phases,
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
    # Rounds in random orders, and of each file the median visit: what slows a machine for a minute slows
    # neither side.
    rng, visits = np.random.default_rng(config.seed), [list[dict[str, Any]]() for _ in jobs]
    with phases("time of the files"), progress.task("timing the files", ROUNDS * len(jobs)) as task:
        for number in range(ROUNDS):
            for done, index in enumerate(rng.permutation(len(jobs)), number * len(jobs) + 1):
                candidate, device = jobs[index]
                found = bench_artifact(candidate.files[device], device)
                facts = found.to_json() | {"n": found.measurement.n}
                visits[index].append(
                    {k: v for k, v in facts.items() if k not in ("artifact", "budget_ms", "device")}
                )
                task.update(done)
    for (candidate, device), found_each in zip(jobs, visits, strict=True):
        ordered = sorted(found_each, key=lambda facts: float(facts["median_ms"]))
        medians = [facts["median_ms"] for facts in found_each]
        timed[id(candidate), device] = ordered[len(ordered) // 2] | {"visits_ms": medians}
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
    finalists = [row for row in rows if row.group == "front"]
    log = read_log(root)
    supernet_macs = config.training.epochs * sandwich_macs(space, config.training.n_random)
    fine_tuning_macs = config.fine_tune * sum(row.macs for row in finalists)
    return {
        "supernet_epochs": config.training.epochs,
        "supernet_macs_per_image": sandwich_macs(space, config.training.n_random),
        "supernet_macs": supernet_macs,
        "fine_tuning_epochs": config.fine_tune,
        "fine_tuning_macs": fine_tuning_macs,
        "chain_macs": supernet_macs + fine_tuning_macs,
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
    parser.add_argument("--minutes", type=float, default=55.0, help="wanted time on two quiet cores")
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

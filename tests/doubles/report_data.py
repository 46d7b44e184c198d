"""A whole run as a report sees it, with latencies and errors from a made-up but sensible law."""

from __future__ import annotations

import numpy as np

from edgewright.report.course import FailedEvaluation, HypervolumePoint, SearchCurve
from edgewright.report.data import (
    Breakdown,
    Drift,
    Finalist,
    FrontPoint,
    Objective,
    OperatorBar,
    PredictionPoint,
    ReportData,
    TableSummary,
    TrainingPoint,
)
from edgewright.spaces import find_space

WITNESS = (
    "litert-benchmark of ai-edge-litert 2.3.0: median 2.13 ms over 100 runs, edgewright 2.16 ms, "
    "ratio 0.986, on a network of 40 px and 7 blocks"
)
DEVICES = ("local-cpu-onnxruntime", "local-cpu-litert")


def objectives() -> tuple[Objective, ...]:
    return (
        Objective(key="error", label="Validation accuracy", unit="fraction", complement=True),
        Objective(key="ort", label="Latency on local-cpu-onnxruntime", unit="ms", budget=1.6),
        Objective(key="litert", label="Latency on local-cpu-litert", unit="ms", budget=1.4, minimised=False),
        Objective(key="size", label="Size", unit="B", budget=4.2e6, minimised=False),
        Objective(key="macs", label="MACs", minimised=False),
    )


def points(n: int, seed: int = 0) -> tuple[FrontPoint, ...]:
    rng = np.random.default_rng(seed)
    space = find_space("mobilenetv3-small-image")
    X = np.unique(space.sample(rng, n), axis=0)
    rng.shuffle(X)
    macs = space.tabulate(lambda o: float(o.macs))(X)
    params = space.tabulate(lambda o: float(o.params))(X)
    ort = macs / macs.max() * 2.2 + 0.2 + rng.normal(0, 0.03, len(X))
    litert = macs / macs.max() * 1.9 + 0.25 + rng.normal(0, 0.03, len(X))
    error = 0.02 + 0.09 * np.exp(-2 * macs / macs.max()) + rng.normal(0, 0.004, len(X))
    F = np.stack([error, ort, litert, 4 * params, macs], axis=1)
    feasible = (ort <= 1.6) & (litert <= 1.4) & (4 * params <= 4.2e6)
    found = []
    for i, x in enumerate(X):
        dominated = any(
            bool((F[j, :2] <= F[i, :2]).all() and (F[j, :2] < F[i, :2]).any())
            for j in np.flatnonzero(feasible)
        )
        arch = space.decode(x)
        found.append(
            FrontPoint(
                id=f"n{i:04d}",
                objectives=dict(zip(("error", "ort", "litert", "size", "macs"), F[i].tolist(), strict=True)),
                operators=space.operators(arch),
                depths=arch.depths,
                on_front=bool(feasible[i]) and not dominated,
                iteration=i // 16,
                evaluation=i + 1,
                predicted=None if i < 16 else float(error[i] + rng.normal(0, 0.006)),
                traits={
                    "resolution": float(arch.resolution),
                    "blocks": float(sum(arch.depths)),
                    "mean kernel": float(np.mean([o.kernel_size for o in space.operators(arch)[2:-1]])),
                    "mean expansion": float(rng.uniform(3, 6)),
                },
                compiled=i == 20,
            )
        )
    return tuple(found)


def finalists(found: tuple[FrontPoint, ...]) -> tuple[Finalist, ...]:
    front = sorted((p for p in found if p.on_front), key=lambda p: p.objectives["error"] or 0.0)
    rows = []
    for p in (front[0], front[len(front) // 2]):
        for device, key, budget in zip(DEVICES, ("ort", "litert"), (1.6, 1.4), strict=True):
            latency, error = p.objectives[key], p.objectives["error"]
            assert latency is not None
            assert error is not None
            rows.append(
                Finalist(
                    id=p.id,
                    device=device,
                    artifact=f"compiled/{p.id}-{device}-fp32.{'onnx' if key == 'ort' else 'tflite'}",
                    predicted_ms=latency,
                    measured_ms=latency * 0.985,
                    p95_ms=latency * 1.06,
                    budget_ms=budget,
                    accuracy_torch=1 - error,
                    accuracy_artifact=1 - error,
                    parity="passed",
                    parity_detail="max difference 2.1e-06 of the output range over 64 images",
                    size_bytes=2_345_678,
                    memory_bytes=11_300_000,
                    load_ms=4.2,
                    energy_note="no energy sensor on this machine (looked for RAPL, NVML, INA3221)",
                )
            )
    return tuple(rows)


def predictions(seed: int = 1) -> tuple[PredictionPoint, ...]:
    rng = np.random.default_rng(seed)
    rows = []
    for device in DEVICES:
        for i, measured in enumerate(rng.uniform(0.3, 2.4, 36)):
            predicted = float(measured * rng.normal(1.004, 0.03))
            role = "fit" if i < 18 else "validate"
            rows.append(
                PredictionPoint(
                    device=device, id=f"v{i}", predicted_ms=predicted, measured_ms=float(measured), role=role
                )
            )
    return tuple(rows)


def tables() -> tuple[TableSummary, ...]:
    return tuple(
        TableSummary(
            device=device,
            runtime=runtime,
            threads=1,
            space="mobilenetv3-small-image",
            n_operators=351,
            n_failures=i,
            n_fit=18,
            n_validate=18,
            mape=mape,
            within_5=0.89,
            within_10=1.0,
            spearman=0.996,
            bias=0.004,
            anchor_drift=drift,
            cross_check=WITNESS if i else "",
            conditions={"governor": "performance", "clock": "2.6 GHz", "load average": "0.4"},
            created="2026-11-21T22:00:00Z",
            table_id="c0ffee",
        )
        for i, (device, runtime, mape, drift) in enumerate(
            zip(
                DEVICES,
                ("onnxruntime 1.23.0", "ai-edge-litert 2.3.0"),
                (0.021, 0.064),
                (0.012, 0.03),
                strict=True,
            )
        )
    )


def model() -> TableSummary:
    return TableSummary(
        device="raspberry-pi-5",
        kind="model",
        sources=("local-cpu-onnxruntime (onnxruntime 1.23.0, fp32)",),
        runtime="onnxruntime 1.23.0",
        threads=1,
        space="mobilenetv3-small-image",
        n_fit=10,
        n_validate=20,
        mape=0.043,
        leave_one_out=0.051,
        within_5=0.7,
        within_10=0.95,
        spearman=0.98,
        bias=-0.01,
        conditions={"governor": "ondemand"},
        created="2026-11-21T23:00:00Z",
        table_id="decaf0",
    )


def curves(n: int) -> tuple[SearchCurve, ...]:
    shapes = {"default": (0.8, 40, 1), "random": (0.62, 60, 3)}
    return tuple(
        SearchCurve(
            name=name,
            evaluations=tuple(range(1, n + 1)),
            hypervolumes=tuple(top * (1 - 0.5 * 0.9 ** ((i // step * step) * 10 / slow)) for i in range(n)),
            own=name == "default",
        )
        for name, (top, slow, step) in shapes.items()
    )


def breakdowns(rows: tuple[Finalist, ...], found: tuple[FrontPoint, ...]) -> tuple[Breakdown, ...]:
    operators = {p.id: p.operators for p in found}
    return tuple(
        Breakdown(
            id=row.id,
            device=row.device,
            bars=tuple(
                OperatorBar(
                    label=f"block {i}" if op.kind == "mbconv" else op.kind,
                    detail=f"{op.in_channels} to {op.out_channels}, {op.in_size} px",
                    kernel_size=op.kernel_size if op.kind == "mbconv" else 0,
                    cost_ms=None if i == 4 else 0.01 + op.macs * 4e-8,
                    noisy=i == 5,
                )
                for i, op in enumerate(operators[row.id])
            ),
        )
        for row in rows
    )


def drifts(seed: int = 2) -> tuple[Drift, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        Drift(
            device=device,
            operator="mbconv-12px-i32",
            medians_ms=tuple(float(ms) for ms in 0.08 * (1 + 0.02 * rng.standard_normal(24))),
            taint=0.08,
        )
        for device in DEVICES
    )


def full(n: int = 200) -> ReportData:
    found = points(n)
    rng = np.random.default_rng(3)
    rows = finalists(found)
    return ReportData(
        title="Handwritten digits on this machine",
        subtitle="mobilenetv3-small-image · scikit-learn digits · 2026-11-21",
        objectives=objectives(),
        points=found,
        baselines=(
            FrontPoint(
                id="uniform x0.5",
                objectives={"error": 0.075, "ort": 0.9, "litert": 0.85, "size": 1.1e6, "macs": 4.1e6},
            ),
        ),
        finalists=rows,
        tables=(*tables(), model()),
        predictions=predictions(),
        breakdowns=breakdowns(rows, found),
        drifts=drifts(),
        hypervolume=tuple(
            HypervolumePoint(
                evaluations=16 * (i + 1),
                hypervolume=0.8 * (1 - 0.5 * 0.7**i),
                tau=None if i == 0 else float(rng.uniform(0.6, 0.9)),
                spearman=None if i == 0 else 0.9,
                rmse=None if i == 0 else 0.006,
                surrogate="ridge+gp" if i else "",
                n_front=i + 4,
                overtaken=None if i == 0 else 0.4 * 0.7**i,
                reached={"ort": 0.9 - 0.5 * 0.8**i, "litert": 0.85 - 0.5 * 0.8**i},
                n_failures=int(i > 3),
                seconds=12.5,
            )
            for i in range(12)
        ),
        curves=curves(len(found)),
        left_out={"fast": "other objectives"},
        failures=(FailedEvaluation(id="n0007", iteration=0, reason="the error is not finite"),),
        training=tuple(
            TrainingPoint(
                epoch=e,
                loss=2.3 * 0.85**e + 0.2,
                accuracies={"largest": 0.98 - 0.6 * 0.7**e, "smallest": 0.94 - 0.7 * 0.75**e},
            )
            for e in range(1, 31)
        ),
        provenance={
            "Software": {"edgewright": "0.1.0", "torch": "2.9.0", "onnxruntime": "1.23.0"},
            "Run": {
                "seed": "0",
                "space digest": "3f" * 32,
                "command": "edgewright demo --out edgewright-demo",
            },
        },
        run="edgewright-demo/run",
    )

"""Gather what a run left behind into one HTML page."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import edgewright
from edgewright.devices.probe import probe
from edgewright.errors import TableError
from edgewright.files import write_text
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.front import Front, load_front
from edgewright.pipeline.run import DEFAULT_SEARCH, RunFolder
from edgewright.pipeline.table_plot import network_breakdown, table_drift, table_predictions
from edgewright.pipeline.verify import load_verification
from edgewright.report.data import (
    Breakdown,
    Finalist,
    FrontPoint,
    HypervolumePoint,
    Objective,
    PredictionPoint,
    ReportData,
    TableSummary,
    TrainingPoint,
)
from edgewright.report.page import render
from edgewright.spaces import MobileSpace
from edgewright.training.log import read_log

_UNITS = {"macs": "", "params": "", "size": "B"}
_LABELS = {"macs": "Multiply-accumulates", "params": "Parameters", "size": "File size"}


def write_report(
    root: Path, *, name: str = "default", out: Path | None = None, title: str | None = None
) -> Path:
    """Write the report of a run and return its path.

    Whatever is there is shown: a run that is only trained, a search without finalists.

    Raises:
        RunError: there is no run.
        MissingExtraError: the ``report`` extra is not installed.
        StorageError: the page cannot be written.
    """
    path = out or RunFolder.open(root).report
    write_text(path, render(gather(root, name=name, title=title)))
    return path


def gather(root: Path, *, name: str = "default", title: str | None = None) -> ReportData:
    """Return everything that a run's report shows."""
    folder = RunFolder.open(root)
    front = _front(folder, name)
    described = _described(folder, name)
    tables = _tables(described)
    verification = load_verification(root, name)
    rows = verification.rows if verification else ()
    data = folder.description["data"]
    return ReportData(
        title=title or f"{Path(folder.data_source).name} on {', '.join(tables) or 'no device yet'}",
        subtitle=f"space {folder.space.name}, {len(data['classes'])} classes, seed {data['seed']}",
        objectives=_objectives(front, described),
        points=_points(front, folder.space),
        finalists=rows,
        tables=tuple(_summary(table) for table in tables.values()),
        predictions=_predictions(tables, folder.space, rows),
        breakdowns=_breakdowns(tables, folder.space, front, rows),
        drifts=tuple(
            drift for device, table in tables.items() if (drift := table_drift(table, device)) is not None
        ),
        hypervolume=_hypervolume(front),
        training=_training(folder),
        provenance=_provenance(folder, front, described),
        run=str(root),
    )


def _front(folder: RunFolder, name: str) -> Front | None:
    if name == DEFAULT_SEARCH and not (folder.search_folder(name) / "archive.sqlite").is_file():
        return None  # only trained so far
    return load_front(folder.root, name)


def _described(folder: RunFolder, name: str) -> dict[str, Any]:
    if not (folder.search_folder(name) / "search.json").is_file():
        return {"devices": {}, "asked": {}}
    return folder.search_description(name)


def _tables(described: dict[str, Any]) -> dict[str, LatencyTable]:
    """Return the tables that the search used, by device; one that is gone is left out."""
    tables = {}
    for device in described["devices"].values():
        try:
            tables[device["device"]] = LatencyTable.load(Path(device["table"]))
        except TableError:
            continue
    return tables


def _objectives(front: Front | None, described: dict[str, Any]) -> tuple[Objective, ...]:
    if front is None or not front.members:
        return ()
    names = front.members[0].costs
    devices = {name: device["device"] for name, device in described["devices"].items()}
    return tuple(
        Objective(key="error", label="Validation accuracy", unit="fraction", complement=True)
        if name == "error"
        else Objective(
            key=name,
            label=f"Latency on {devices[name]}" if name in devices else _LABELS.get(name, name),
            unit=_UNITS.get(name, "ms"),
            budget=described["asked"].get(name),
        )
        for name in names
    )


def _points(front: Front | None, space: MobileSpace) -> tuple[FrontPoint, ...]:
    return tuple(
        FrontPoint(
            id=member.id,
            objectives=member.costs,
            operators=space.operators(member.architecture),
            depths=member.architecture.depths,
            on_front=member.on_front,
            iteration=member.iteration,
        )
        for member in (front.members if front else ())
    )


def _hypervolume(front: Front | None) -> tuple[HypervolumePoint, ...]:
    return tuple(
        HypervolumePoint(
            evaluations=report["n_evaluations"], hypervolume=report["hypervolume"], tau=report["tau"]
        )
        for report in (front.reports if front else ())
    )


def _predictions(
    tables: dict[str, LatencyTable], space: MobileSpace, rows: tuple[Finalist, ...]
) -> tuple[PredictionPoint, ...]:
    points = [point for device, table in tables.items() for point in table_predictions(table, space, device)]
    points += [
        PredictionPoint(
            device=row.device,
            id=row.id,
            predicted_ms=row.predicted_ms,
            measured_ms=row.measured_ms,
            role="finalist",
        )
        for row in rows
    ]
    return tuple(points)


def _breakdowns(
    tables: dict[str, LatencyTable], space: MobileSpace, front: Front | None, rows: tuple[Finalist, ...]
) -> tuple[Breakdown, ...]:
    """Return what the operators of each finalist cost on each of its devices."""
    networks = {member.id: member.architecture for member in (front.members if front else ())}
    pairs = dict.fromkeys((row.id, row.device) for row in rows)
    return tuple(
        network_breakdown(tables[device], space, networks[id], id=id, device=device)
        for id, device in pairs
        if id in networks and device in tables
    )


def _training(folder: RunFolder) -> tuple[TrainingPoint, ...]:
    return tuple(
        TrainingPoint(
            epoch=row["epoch"],
            loss=row["loss"],
            accuracies={name: found["top1"] for name, found in row["evaluations"].items()},
        )
        for row in read_log(folder.root)
        if isinstance(row, dict) and {"epoch", "loss", "evaluations"} <= row.keys()
    )


def _provenance(
    folder: RunFolder, front: Front | None, described: dict[str, Any]
) -> dict[str, dict[str, str]]:
    data = folder.description["data"]
    found = {
        "Data": {
            "source": folder.data_source,
            "digest": data["digest"],
            "training images": str(data["n_train"]),
            "held out for the search": str(data["n_val"]),
            "test images": str(data["n_test"]),
        },
        "Training": {key: str(value) for key, value in folder.description["training"].items()},
        "Software": {"edgewright": edgewright.__version__, "python": platform.python_version()},
    }
    if front is not None:
        found["Search"] = {
            "budget": described.get("budget", "") or "none",
            "seed": str(described.get("seed", "")),
            "weights": front.meta.get("weights", ""),
            "libraries": ", ".join(f"{k} {v}" for k, v in front.meta.get("versions", {}).items())
            or "not recorded",
        }
    return found


def _summary(table: LatencyTable) -> TableSummary:
    found, before, after = table.validation, table.conditions_before, table.conditions_after
    return TableSummary(
        device=table.device,
        runtime=table.runtime_version,
        precision=table.precision,
        threads=table.threads,
        space=table.space_name,
        n_operators=table.n_operators,
        n_failures=len(table.failures),
        n_fit=sum(record.role == "fit" for record in table.networks),
        n_validate=found.n if found else 0,
        mape=found.mape_percent / 100 if found else None,
        within_5=found.within_5_percent / 100 if found else None,
        within_10=found.within_10_percent / 100 if found else None,
        spearman=found.spearman if found else None,
        bias=found.bias_percent / 100 if found else None,
        anchor_drift=table.anchor.drift_percent / 100,
        foreign=bool(probe().differences(table.fingerprint)),
        conditions={
            "processor": table.fingerprint.cpu_model,
            **{
                key: f"{value} before, {after.to_json()[key]} after"
                for key, value in before.to_json().items()
                if value is not None
            },
        },
        created=table.created_utc,
        table_id=table.table_id,
    )

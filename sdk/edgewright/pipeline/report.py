"""Gather what a run left behind into one HTML page."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import edgewright
from edgewright.files import write_text
from edgewright.pipeline import report_search
from edgewright.pipeline.front import Front
from edgewright.pipeline.report_tables import (
    breakdowns,
    drifts,
    energy_summaries,
    measured_devices,
    predictions,
    summary,
)
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.verify import load_verification
from edgewright.report.data import ReportData, TrainingPoint
from edgewright.report.page import render
from edgewright.training.attack import Attack
from edgewright.training.log import read_log


def write_report(
    root: Path | str, *, name: str = "default", out: Path | str | None = None, title: str | None = None
) -> Path:
    """Write the report of a run and return its path.

    Whatever is there is shown: a run that is only trained, a search without finalists.

    Raises:
        RunError: there is no run.
        MissingExtraError: the ``report`` extra is not installed.
        StorageError: the page cannot be written.
    """
    root = Path(root)
    path = Path(out) if out else RunFolder.open(root).report
    write_text(path, render(gather(root, name=name, title=title)))
    return path


def gather(root: Path, *, name: str = "default", title: str | None = None) -> ReportData:
    """Return everything that a run's report shows."""
    folder = RunFolder.open(root)
    searched = report_search.read_search(folder, name)
    front = searched.front if searched else None
    described = _described(folder, name)
    found = measured_devices(described)
    verification = load_verification(root, name)
    rows = verification.rows if verification else ()
    data = folder.description["data"]
    measured = (*described["devices"].values(), *described["energies"].values())
    devices = dict.fromkeys(device["device"] for device in measured)
    curves, left_out = report_search.curves(searched, folder)
    return ReportData(
        title=title or f"{Path(folder.data_source).name} on {', '.join(devices) or 'no device yet'}",
        subtitle=f"space {folder.space.name}, {len(data['classes'])} classes, seed {data['seed']}",
        objectives=report_search.objectives(searched, described),
        points=report_search.points(searched, folder),
        finalists=rows,
        tables=(*(summary(m.table, local=m.local) for m in found), *energy_summaries(described)),
        predictions=predictions(found, folder.space, rows),
        breakdowns=breakdowns(found, folder.space, front, rows),
        drifts=drifts(found),
        hypervolume=report_search.course(searched),
        curves=curves,
        left_out=left_out,
        failures=report_search.failures(searched),
        training=_training(folder),
        provenance=_provenance(folder, front, described),
        run=str(root),
    )


def _described(folder: RunFolder, name: str) -> dict[str, Any]:
    if not (folder.search_folder(name) / "search.json").is_file():
        return {"devices": {}, "energies": {}, "asked": {}}
    return folder.search_description(name)


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
            **({"attack": Attack.from_json(attack).text()} if (attack := front.meta.get("attack")) else {}),
            "weights": front.meta.get("weights", ""),
            "libraries": ", ".join(f"{k} {v}" for k, v in front.meta.get("versions", {}).items())
            or "not recorded",
        }
    return found

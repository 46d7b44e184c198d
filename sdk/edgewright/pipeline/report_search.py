"""What a search left behind, as a report shows it: its points, its curves, what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgewright.errors import RunError, StorageError
from edgewright.pipeline.front import Front, front_from_archive, load_front
from edgewright.pipeline.run import DEFAULT_SEARCH, RunFolder
from edgewright.report.course import FailedEvaluation, HypervolumePoint, SearchCurve
from edgewright.report.data import FrontPoint, Objective
from edgewright.search.archive import Archive, Evaluation
from edgewright.search.budget import ADVERSARIAL_ERROR, ERRORS, device_of_energy
from edgewright.search.hypervolume import normalised_hypervolume, reference_point
from edgewright.search.pareto import front_indices
from edgewright.spaces import Architecture, MobileSpace
from edgewright.spaces.architecture import FloatArray

_UNITS = {"macs": "", "params": "", "size": "B"}
_LABELS = {
    "error": "Validation accuracy",
    ADVERSARIAL_ERROR: "Accuracy under attack",
    "macs": "Multiply-accumulates",
    "params": "Parameters",
    "size": "File size",
}
# What two searches must share for their hypervolumes to mean the same.
_COMPARED = {
    "objectives": "other objectives",
    "weights": "another supernet",
    "data": "other data",
    "attack": "another attack",
}


@dataclass(frozen=True, slots=True)
class Searched:
    """A search as its archive has it.

    Attributes:
        name: within the run.
        front: what succeeded.
        rows: all evaluations.
    """

    name: str
    front: Front
    rows: tuple[Evaluation, ...]

    @property
    def succeeded(self) -> tuple[Evaluation, ...]:
        """The rows that have objectives."""
        return tuple(row for row in self.rows if row.objectives is not None)


def read_search(folder: RunFolder, name: str) -> Searched | None:
    """Return a search; ``None`` for the default one of a run that is only trained so far.

    Raises:
        RunError: there is no such search, or its archive is damaged.
    """
    path = folder.search_folder(name) / "archive.sqlite"
    if not path.is_file():
        if name != DEFAULT_SEARCH:
            load_front(folder.root, name)  # says what is wrong
        return None
    with Archive.read(path) as archive:
        return Searched(name, front_from_archive(archive, folder.space), archive.evaluations)


def objectives(searched: Searched | None, described: dict[str, Any]) -> tuple[Objective, ...]:
    """Return the axes of the front: the error, minimised costs, other errors, what was only limited."""
    if searched is None or not searched.front.members:
        return ()
    devices = {name: device["device"] for name, device in described["devices"].items()}
    energies = {name: device["device"] for name, device in described["energies"].items()}
    minimised = searched.front.objectives
    return tuple(
        Objective(key=name, label=_LABELS[name], unit="fraction", complement=True)
        if name in ERRORS
        else Objective(
            key=name,
            label=f"Latency on {devices[name]}"
            if name in devices
            else f"Energy on {energies[name]}"
            if name in energies
            else _LABELS.get(name, name),
            unit="mJ" if device_of_energy(name) else _UNITS.get(name, "ms"),
            budget=described["asked"].get(name),
            minimised=name in minimised,
        )
        for name in sorted(searched.front.members[0].costs, key=lambda name: _rank(name, minimised))
    )


def _rank(name: str, minimised: Sequence[str]) -> int:
    """Return where an axis belongs; the page opens with the first two."""
    return 0 if name == "error" else 2 if name in ERRORS else 1 if name in minimised else 3


def points(searched: Searched | None, folder: RunFolder) -> tuple[FrontPoint, ...]:
    """Return every network that was evaluated."""
    if searched is None:
        return ()
    space = folder.space
    predicted = _predictions(searched)
    return tuple(
        FrontPoint(
            id=member.id,
            objectives=member.costs,
            operators=space.operators(member.architecture),
            depths=member.architecture.depths,
            on_front=member.on_front,
            iteration=member.iteration,
            evaluation=row.id,
            predicted=predicted.get(row.id),
            traits=traits(member.architecture, space),
            compiled=(folder.root / "artifacts" / folder.subnet_label(searched.name, member.id)).is_dir(),
        )
        for member, row in zip(searched.front.members, searched.succeeded, strict=True)
    )


def traits(arch: Architecture, space: MobileSpace) -> dict[str, float]:
    """Return what sums an architecture up; kernels and expansions of blocks that are built alone."""
    built = space.active_slots(space.encode(arch)[None])[0]
    return {
        "resolution": float(arch.resolution),
        "blocks": float(sum(arch.depths)),
        "mean kernel": float(np.mean(np.array(arch.kernel_sizes)[built])),
        "mean expansion": float(np.mean(np.array(arch.expands)[built])),
    }


def _predictions(searched: Searched) -> dict[int, float]:
    """Return the error that a surrogate predicted, by evaluation; archives of before have none."""
    found = {}
    by_iteration = {report["iteration"]: report.get("predicted") or () for report in searched.front.reports}
    for row in searched.succeeded:
        values = by_iteration.get(row.iteration, ())
        if row.position < len(values) and values[row.position] is not None:
            found[row.id] = float(values[row.position])
    return found


def course(searched: Searched | None) -> tuple[HypervolumePoint, ...]:
    """Return the state of a search after each iteration."""
    return tuple(
        HypervolumePoint(
            evaluations=report["n_evaluations"],
            hypervolume=report["hypervolume"],
            **{key: (report.get("recent") or report)[key] for key in ("tau", "spearman", "rmse")},
            surrogate=report["surrogate"] or "",
            n_front=report["n_front"],
            overtaken=(report.get("coverage") or {}).get("previous"),
            reached=(report.get("coverage") or {}).get("costs", {}),
            n_failures=report["n_failures"],
            seconds=report["search_seconds"] + report["evaluate_seconds"],
        )
        for report in (searched.front.reports if searched else ())
    )


def failures(searched: Searched | None) -> tuple[FailedEvaluation, ...]:
    """Return what could not be evaluated."""
    return tuple(
        FailedEvaluation(id=str(row.id), iteration=row.iteration, reason=row.failure)
        for row in (searched.rows if searched else ())
        if row.failure is not None
    )


def curves(searched: Searched | None, folder: RunFolder) -> tuple[tuple[SearchCurve, ...], dict[str, str]]:
    """Return the hypervolume of a search and of the run's others, and why some have no curve.

    All are held against the reference point of ``searched``; one of other objectives, latency tables,
    weights or data cannot be.
    """
    ref = None if searched is None else _reference(searched)
    if searched is None or ref is None:
        return (), {}
    found, left_out = [_curve(searched, ref, own=True)], dict[str, str]()
    for path in sorted(folder.root.glob("searches/*/archive.sqlite")):
        if path.parent.name == searched.name:
            continue
        try:
            other = read_search(folder, path.parent.name)
        except (RunError, StorageError):
            left_out[path.parent.name] = "its archive cannot be read"
            continue
        if other is None or not other.succeeded:
            left_out[path.parent.name] = "it has no network yet"
        elif why := _difference(searched.front.meta, other.front.meta):
            left_out[other.name] = why
        else:
            found.append(_curve(other, ref))
    return tuple(found), left_out


def _difference(meta: dict[str, Any], other: dict[str, Any]) -> str:
    """Return why the hypervolumes of two searches mean different things; empty where they do not."""
    for key, words in _COMPARED.items():
        if meta.get(key) != other.get(key):
            return words
    names = meta.get("objectives", ())
    costs, others = (m.get("costs", {}) for m in (meta, other))
    return "other latency tables" if any(costs.get(n) != others.get(n) for n in names) else ""


def _reference(searched: Searched) -> FloatArray | None:
    initial = [row.objectives for row in searched.succeeded if row.iteration == 0]
    return reference_point(np.array(initial, dtype=np.float64)) if initial else None


def _curve(searched: Searched, ref: FloatArray, *, own: bool = False) -> SearchCurve:
    rows = searched.succeeded
    F = np.array([row.objectives for row in rows], dtype=np.float64)
    return SearchCurve(
        name=searched.name,
        evaluations=tuple(row.id for row in rows),
        hypervolumes=tuple(hypervolumes(F, ref)),
        own=own,
    )


def hypervolumes(F: FloatArray, ref: FloatArray) -> Sequence[float]:
    """Return the normalised hypervolume of the first 1, 2, … rows of ``F`` ``(n, n_obj)``."""
    found = list[float]()
    front = np.zeros((0, F.shape[1]))
    for row in F:
        if len(front) and bool((front <= row).all(axis=1).any()):
            found.append(found[-1])
            continue
        front = np.vstack([front, row])
        front = front[front_indices(front)]
        found.append(normalised_hypervolume(front, ref))
    return found

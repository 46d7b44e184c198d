"""Compile the finalists of a search and measure the files against the budgets."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import (
    BudgetViolationError,
    DeviceUnavailableError,
    MissingExtraError,
    ParityError,
    RunError,
)
from edgewright.files import read_json, write_json
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.compile import compile_architecture
from edgewright.pipeline.front import Member, load_front
from edgewright.pipeline.gauge import gauge_of_table
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.tabulate import columns
from edgewright.pipeline.trained import TrainedRun
from edgewright.report.data import Finalist

SCHEMA = 1
LATER_VISITS = 2  # to a file whose first measurement is doubtful
PAUSE_S = 5.0  # before each round of them
NEAR_SHARE = 0.05  # below a budget
FAR_SHARE = 0.25  # off the prediction: far beyond what a table is off that search takes


@dataclass(frozen=True, slots=True)
class Verification:
    """The finalists, each compiled for each device of its search and measured.

    Attributes:
        run: the run folder.
        rows: one an artifact.
    """

    run: Path
    rows: tuple[Finalist, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the rows as JSON values."""
        rows = [asdict(row) | {"verdict": row.verdict, "violations": row.violations} for row in self.rows]
        return {"schema": SCHEMA, "finalists": rows}

    def text(self) -> str:
        """Return the rows as a table: predicted, measured, budget and accuracy side by side."""
        rows = [
            (
                row.id,
                row.device,
                row.precision,
                _ms(row.predicted_ms),
                _ms(row.measured_ms),
                _ms(row.budget_ms),
                _percent(row.accuracy_artifact),
                _percent(row.accuracy_torch),
                _megabytes(row.size_bytes),
                _megabytes(row.memory_bytes),
                "-" if row.load_ms is None else f"{row.load_ms:.3g} ms",
                _energy(row),
                row.parity,
                row.verdict,
            )
            for row in self.rows
        ]
        header = ("id", "device", "precision", "predicted", "measured", "budget")
        costs = ("file", "peak memory", "load", "energy")
        table = columns(rows, (*header, "accuracy of file", "of torch", *costs, "parity", "budget met"))
        notes = dict.fromkeys(row.energy_note for row in self.rows if row.energy_note)
        return "\n".join([table, *(f"energy: {note}" for note in notes)])

    def require(self) -> None:
        """Raise for the first kind of fault: a file that disagrees, then a violated budget.

        Raises:
            ParityError: a compiled file disagrees with torch.
            BudgetViolationError: a file measured above its budget; says all that did, and by how much.
        """
        wrong = [row for row in self.rows if row.parity == "failed"]
        if wrong:
            raise ParityError("; ".join(f"network {r.id} on {r.device}: {r.parity_detail}" for r in wrong))
        violated = [row for row in self.rows if row.verdict == "violated"]
        if violated:
            faults = "; ".join(f"network {r.id} on {r.device}: {', '.join(r.violations)}" for r in violated)
            raise BudgetViolationError(
                f"{len(violated)} of {len(self.rows)} compiled networks break a budget: {faults}; "
                f"pick another with `edgewright front pick {self.run} --under`, or profile again "
                "if the machine was busy"
            )


def verify_run(
    root: Path | str,
    *,
    name: str = "default",
    finalists: int = 3,
    fine_tune: int = 0,
    progress: Progress = SILENT,
) -> Verification:
    """Compile the finalists of a search for each of its devices and measure the files.

    A file whose measurement is doubtful (above its budget or just below it, far from its prediction, noisy)
    is timed twice more, after all others and some seconds apart: what disturbs a machine lasts for seconds to
    minutes. The median of the three visits counts, and the row's note names them all.

    Args:
        root: a run folder.
        name: of the search.
        finalists: how many networks.
        fine_tune: epochs that each is trained on alone before it is compiled.
        progress: told what is done.

    Raises:
        RunError: the run has no such search.
        ExportError: a backend cannot express a network.
    """
    root = Path(root)
    front = load_front(root, name)
    chosen = front.finalists(finalists)
    if not chosen:
        raise RunError(
            f"search {name!r} of {root} has no network yet; go on with: edgewright search --run {root}"
        )
    described = RunFolder.open(root).search_description(name)
    targets = _targets(described)
    trained = TrainedRun.open(root, progress=progress)
    folder = trained.folder.search_folder(name)
    files, size_budget = list[_File](), described["asked"].get("size")
    with progress.task("verifying finalists", len(chosen) * len(targets)) as task:
        for member in chosen:
            label = trained.folder.subnet_label(name, member.id)
            for target in targets:
                row = replace(target.row(member), size_budget_bytes=size_budget)
                row = _compiled(trained, member, label, target, row, fine_tune, progress)
                files.append(file := _File(row, target))
                file.visit(trained.folder.root, progress)
                task.update(len(files))
    _visit_again([file for file in files if file.is_doubtful], trained.folder.root, progress)
    verification = Verification(root, tuple(file.row for file in files))
    write_json(folder / "verification.json", verification.to_json())
    return verification


def _visit_again(files: list[_File], root: Path, progress: Progress) -> None:
    """Measure files at other moments than before."""
    if not files:
        return
    with progress.task("timing again what is doubtful", LATER_VISITS * len(files)) as task:
        for later in range(LATER_VISITS):
            time.sleep(PAUSE_S)
            for done, file in enumerate(files, later * len(files) + 1):
                file.visit(root, progress)
                task.update(done)


@dataclass(frozen=True, slots=True)
class _Target:
    """A device of the search: its profile, what is compiled for it, its names there, and its budgets."""

    profile: DeviceProfile
    precision: str
    gauge_ns: float = math.inf
    key: str = ""
    budget_ms: float | None = None
    energy_key: str = ""
    energy_budget_mj: float | None = None
    sensor: str = ""

    def row(self, member: Member) -> Finalist:
        """Return the row of a network of which nothing is measured yet."""
        return Finalist(
            id=member.id,
            device=self.profile.name,
            precision=self.precision,
            predicted_ms=member.costs.get(self.key),
            budget_ms=self.budget_ms,
            predicted_energy_mj=member.costs.get(self.energy_key),
            energy_budget_mj=self.energy_budget_mj,
        )


def _targets(described: Mapping[str, Any]) -> list[_Target]:
    """Return the devices whose latency or energy a search knew, each once."""
    found = dict[str, _Target]()
    asked = described["asked"]
    for key, d in described["devices"].items():
        found[d["device"]] = _Target(
            DeviceProfile.find(d["profile"]),
            d["precision"],
            gauge_of_table(Path(d["table"])),
            key=key,
            budget_ms=asked.get(key),
        )
    for key, d in described["energies"].items():
        target = found.get(d["device"]) or _Target(DeviceProfile.find(d["profile"]), d["precision"])
        found[d["device"]] = replace(
            target, energy_key=key, energy_budget_mj=asked.get(key), sensor=str(d.get("sensor", ""))
        )
    return list(found.values())


def _compiled(
    trained: TrainedRun,
    member: Member,
    label: str,
    target: _Target,
    row: Finalist,
    fine_tune: int,
    progress: Progress,
) -> Finalist:
    """Return the row with its file, or with why there is none."""
    try:
        compiled = compile_architecture(
            trained,
            label,
            member.architecture,
            target.profile,
            target.precision,
            fine_tune=fine_tune,
            progress=progress,
        )
    except ParityError as error:
        return replace(row, parity="failed", parity_detail=str(error))
    except (MissingExtraError, DeviceUnavailableError) as error:
        return replace(row, note=str(error))
    parity = compiled.parity
    return replace(
        row,
        artifact=str(compiled.path.relative_to(trained.folder.root)),
        accuracy_torch=parity.reference_accuracy,
        accuracy_artifact=parity.accuracy,
        parity="passed" if parity.passed else "not verified",
        parity_detail=parity.reason or f"differs by {parity.relative:.1e} of the range, {parity.n} images",
        size_bytes=compiled.size_bytes,
        note=compiled.fine_tuned.text() if compiled.fine_tuned is not None else "",
    )


@dataclass(slots=True)
class _File:
    """A compiled network, and how it measured on each visit.

    Attributes:
        compiled: its row before it is measured; without an artifact there is nothing to measure.
        target: the device.
        visits: rows with a latency, each with the verdict of its measurement.
        absent: why the device did not answer; empty where it did.
    """

    compiled: Finalist
    target: _Target
    visits: list[tuple[Finalist, str]] = field(default_factory=list)
    absent: str = ""

    def visit(self, root: Path, progress: Progress) -> None:
        """Measure the file, if there is one and its device answers."""
        if not self.compiled.artifact:
            return
        path, target = root / self.compiled.artifact, self.target
        try:
            found = bench_artifact(path, target.profile, gauge_ns=target.gauge_ns, progress=progress)
        except DeviceUnavailableError as error:
            self.absent = str(error)
            return
        measured, footprint = found.measurement, found.footprint
        # What was predicted of one sensor is held against no other's figure.
        energy = next((e for e in found.energy if target.sensor in ("", e.sensor)), None)
        silent = found.energy_reason or f"{target.sensor}, which the search knew the energy of, told none"
        doubt = f"{found.verdict}: {found.verdict_reason}" if found.verdict_reason else ""
        row = replace(
            self.compiled,
            measured_ms=measured.median_ms,
            p95_ms=measured.p95_ms,
            memory_bytes=footprint.memory_bytes if footprint else None,
            load_ms=footprint.load_ms if footprint else None,
            energy_mj=None if energy is None else energy.energy_mj,
            energy_note=silent if energy is None else energy.sensor,
            note=_joined(self.compiled.note, doubt, found.footprint_reason),
        )
        self.visits.append((row, found.verdict))

    @property
    def is_doubtful(self) -> bool:
        """Whether it measured near or above its budget, far from its prediction, or without being ok."""
        if not self.visits:
            return False
        row, verdict = self.visits[0]
        high = row.budget_ms is not None and _ms_of(row) > (1 - NEAR_SHARE) * row.budget_ms
        far = row.predicted_ms is not None and abs(_ms_of(row) / row.predicted_ms - 1) > FAR_SHARE
        energy, most = row.energy_mj, row.energy_budget_mj
        hungry = energy is not None and most is not None and energy > (1 - NEAR_SHARE) * most
        return high or far or hungry or verdict != "ok"

    @property
    def row(self) -> Finalist:
        """The median visit, or what is known without one."""
        if not self.visits:
            return replace(self.compiled, note=_joined(self.compiled.note, self.absent))
        rows = [row for row, _ in self.visits]
        median = sorted(rows, key=_ms_of)[len(rows) // 2]
        energies = sorted(row.energy_mj for row in rows if row.energy_mj is not None)
        if energies:  # a quick visit need not be a frugal one
            median = replace(median, energy_mj=energies[len(energies) // 2])
        if len(rows) == 1:
            return replace(median, note=_joined(median.note, self.absent))
        text = ", ".join(f"{_ms_of(row):.4g}" for row in rows)
        return replace(median, note=_joined(median.note, f"timed {len(rows)} times: {text} ms", self.absent))


def _ms_of(row: Finalist) -> float:
    assert row.measured_ms is not None
    return row.measured_ms


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def load_verification(root: Path, name: str) -> Verification | None:
    """Return what the last verification of a search found; ``None`` before there is one."""
    path = root / "searches" / name / "verification.json"
    if not path.is_file():
        return None
    mend = f"make it again: edgewright verify {root}"
    data = read_json(path, what="verification", mend=mend, error=RunError)
    derived = ("verdict", "violations")
    try:
        rows = [{k: v for k, v in row.items() if k not in derived} for row in data["finalists"]]
        return Verification(root, tuple(Finalist(**row | {"faults": tuple(row["faults"])}) for row in rows))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"verification {path} was edited or damaged ({error!r}); {mend}") from error


def _energy(row: Finalist) -> str:
    """Return the measured energy, and beside it what was predicted where a search knew it."""
    found = "-" if row.energy_mj is None else f"{row.energy_mj:.3g} mJ"
    if row.predicted_energy_mj is None:
        return found
    limit = "" if row.energy_budget_mj is None else f", budget {row.energy_budget_mj:.4g}"
    return f"{found} (predicted {row.predicted_energy_mj:.3g}{limit})"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} ms"


def _megabytes(value: int | None) -> str:
    return "-" if value is None else f"{value / 1e6:.3g} MB"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"

"""What a report is made of: plain frozen values that the pipeline fills.

Everything but the title may be empty: a report can be asked for before a table, a search or a
finalist exists. ``None`` and NaN both mean "not known" and are shown as a dash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

from edgewright.report.course import FailedEvaluation, HypervolumePoint, SearchCurve
from edgewright.spaces.operator import Operator

Verdict = Literal["met", "violated", "not verified"]
ParityStatus = Literal["passed", "failed", "not verified"]


def known(value: float | None) -> TypeGuard[float]:
    """Return whether ``value`` is a finite number."""
    return value is not None and math.isfinite(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One axis of the front. Values are minimised.

    Attributes:
        key: name in :attr:`FrontPoint.objectives`.
        label: what the reader sees: ``Latency on local-cpu-onnxruntime``.
        unit: ``ms``; ``B`` is shown as kB or MB; ``""`` is a count, shown in k or M; ``fraction``
            is shown in per cent; anything else is shown as it is.
        budget: the hard limit of the search in the same unit, ``None`` without one.
        complement: show ``1 - value``: an error then reads as an accuracy.
        minimised: whether it decides what is on the front; what is only limited does not.
    """

    key: str
    label: str
    unit: str = ""
    budget: float | None = None
    complement: bool = False
    minimised: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoint:
    """A subnet that the search evaluated.

    Attributes:
        id: as ``edgewright compile --pick`` takes it.
        objectives: value by :attr:`Objective.key`.
        operators: ``space.operators(arch)``, from which the diagram is drawn.
        depths: active blocks of each stage, which group the diagram; empty draws one group.
        on_front: whether no other feasible subnet dominates it.
        iteration: of the search, 0 for the initial design; ``None`` for a baseline.
        evaluation: which of the search's evaluations it was, from 1; ``None`` for a baseline.
        predicted: the first objective as the surrogate predicted it before the evaluation; ``None``
            where no surrogate did.
        traits: what sums its architecture up, by name: resolution, blocks, mean kernel …
        compiled: whether files of it were made, as a finalist or by ``edgewright compile``.
    """

    id: str
    objectives: Mapping[str, float | None]
    operators: tuple[Operator, ...] = ()
    depths: tuple[int, ...] = ()
    on_front: bool = False
    iteration: int | None = None
    evaluation: int | None = None
    predicted: float | None = None
    traits: Mapping[str, float] = field(default_factory=dict)
    compiled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionPoint:
    """A network whose latency was both predicted and measured.

    Attributes:
        device: name of the device profile.
        id: of the network, for the tooltip.
        predicted_ms: by the latency table.
        measured_ms: on the device, end to end.
        role: ``fit`` (the correction has seen it), ``validate`` or ``finalist``.
    """

    device: str
    id: str
    predicted_ms: float | None
    measured_ms: float | None
    role: Literal["fit", "validate", "finalist"] = "validate"

    @property
    def relative_error(self) -> float | None:
        """``predicted / measured - 1``; ``None`` where either is unknown."""
        if not (known(self.predicted_ms) and known(self.measured_ms)) or not self.measured_ms:
            return None
        return self.predicted_ms / self.measured_ms - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorBar:
    """What one operator adds to a network's latency.

    Attributes:
        label: its place in the network: ``stem``, ``block 2.1``, ``head``.
        detail: kernel, widths and input in a few words.
        kernel_size: of its depthwise convolution, which the bar's colour shows; 0 without one.
        cost_ms: corrected; ``None`` where the operator failed on the device.
        noisy: whether its own measurement is.
    """

    label: str
    detail: str = ""
    kernel_size: int = 0
    cost_ms: float | None = None
    noisy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Where the predicted latency of a network goes.

    Attributes:
        id: of the network.
        device: name of the device profile.
        bars: in order of execution.
    """

    id: str
    device: str
    bars: tuple[OperatorBar, ...]

    @property
    def total_ms(self) -> float:
        """Sum of the known costs: the table's prediction."""
        return sum(bar.cost_ms for bar in self.bars if known(bar.cost_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One operator measured again and again while a table was made.

    Attributes:
        device: name of the device profile.
        operator: which, readable.
        medians_ms: in order of time.
        taint: relative distance from their median beyond which what was measured beside is
            repeated; ``None`` where not recorded.
    """

    device: str
    operator: str = ""
    medians_ms: tuple[float, ...] = ()
    taint: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """A latency table, or the model that stands in for one, and how far it may be trusted.

    Attributes:
        device: name of the device profile.
        runtime: package and version: ``onnxruntime 1.31.1``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        threads: of the runtime.
        space: name of the search space.
        kind: ``table`` of operators, or ``model`` of whole networks as ``edgewright table transfer``
            or ``table energy`` makes it.
        sensor: of a model of energies: what measured them; empty for latencies.
        sources: of a model: the latency tables that it draws on.
        n_operators: measured ones.
        n_failures: operators that the runtime refused.
        n_fit: whole networks that the correction was fitted on.
        n_validate: other whole networks, on which the errors below hold.
        mape: mean absolute relative error, 0.02 is 2 %.
        leave_one_out: of a model: the same for each network that it was fitted on, predicted from the
            others.
        within_5: share of networks predicted within 5 %.
        within_10: share of networks predicted within 10 %.
        spearman: rank correlation of predicted and measured.
        bias: mean relative error; positive predicts too slow.
        anchor_drift: spread of the repeated anchor operator over the session, relative.
        cross_check: what the vendor's own tool says of one of its networks, or why nothing; a line.
        foreign: of this machine by its profile, but measured on another, let in by ``--allow-foreign``.
        emulated: measured on an emulated device, whose times mean nothing.
        conditions: clocks, governor, temperature … as readable text.
        created: UTC, ISO 8601.
        table_id: of the file.
    """

    device: str
    runtime: str = ""
    precision: str = "fp32"
    threads: int | None = None
    space: str = ""
    kind: Literal["table", "model"] = "table"
    sensor: str = ""
    sources: tuple[str, ...] = ()
    n_operators: int = 0
    n_failures: int = 0
    n_fit: int = 0
    n_validate: int = 0
    mape: float | None = None
    leave_one_out: float | None = None
    within_5: float | None = None
    within_10: float | None = None
    spearman: float | None = None
    bias: float | None = None
    anchor_drift: float | None = None
    cross_check: str = ""
    foreign: bool = False
    emulated: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    table_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """A chosen subnet, compiled for one device and measured again as a file.

    Attributes:
        id: of the subnet; the same id stands in several rows when it is compiled for several devices.
        device: name of the device profile.
        precision: of the artifact.
        artifact: file name, relative to the run.
        predicted_ms: by the latency table, before compiling.
        measured_ms: median of the compiled file, ``None`` where it could not be measured.
        p95_ms: 95th percentile of the same samples.
        budget_ms: limit on the median; ``None`` without one.
        accuracy_torch: of the calibrated torch module, 0 to 1.
        accuracy_artifact: of the compiled file on the same images, 0 to 1.
        parity: outcome of the comparison with torch.
        parity_detail: its figures, or why it could not be made.
        size_bytes: of the file.
        size_budget_bytes: limit on it; ``None`` without one.
        memory_bytes: peak resident memory of a process that loads and runs it, above the runtime's own;
            ``None`` where it could not be measured.
        load_ms: time to open it; ``None`` where it could not be measured.
        energy_mj: of an inference, by the sensor that ``energy_note`` names; ``None`` without a sensor.
        energy_note: the sensor, or why there is no figure.
        predicted_energy_mj: by the energy model, before compiling; ``None`` where the search had none.
        energy_budget_mj: limit on the energy; ``None`` without one.
        faults: whatever else is wrong, one line each; any makes the verdict ``violated``.
        note: why it could not be measured, or another remark.
    """

    id: str
    device: str
    precision: str = "fp32"
    artifact: str = ""
    predicted_ms: float | None = None
    measured_ms: float | None = None
    p95_ms: float | None = None
    budget_ms: float | None = None
    accuracy_torch: float | None = None
    accuracy_artifact: float | None = None
    parity: ParityStatus = "not verified"
    parity_detail: str = ""
    size_bytes: int | None = None
    size_budget_bytes: float | None = None
    memory_bytes: int | None = None
    load_ms: float | None = None
    energy_mj: float | None = None
    energy_note: str = ""
    predicted_energy_mj: float | None = None
    energy_budget_mj: float | None = None
    faults: tuple[str, ...] = ()
    note: str = ""

    @property
    def violations(self) -> tuple[str, ...]:
        """What fails, one line each, with the figures."""
        found = list(self.faults)
        measured, budget = self.measured_ms, self.budget_ms
        if known(measured) and known(budget) and measured > budget:
            over = f" ({(measured / budget - 1) * 100:.1f} % over)" if budget > 0 else ""
            found.append(f"measured {measured:.4g} ms, budget {budget:.4g} ms{over}")
        size, limit = self.size_bytes, self.size_budget_bytes
        if known(size) and known(limit) and size > limit:
            found.append(f"file of {size / 1e6:.4g} MB, budget {limit / 1e6:.4g} MB")
        energy, most = self.energy_mj, self.energy_budget_mj
        if known(energy) and known(most) and energy > most:
            found.append(f"takes {energy:.4g} mJ, budget {most:.4g} mJ")
        if self.parity == "failed":
            found.append(f"disagrees with torch: {self.parity_detail or 'no detail'}")
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """``met`` only when everything asked for was measured and holds."""
        if self.violations:
            return "violated"
        unmeasured = self.budget_ms is not None and not known(self.measured_ms)
        unsized = self.size_budget_bytes is not None and not known(self.size_bytes)
        unmetered = self.energy_budget_mj is not None and not known(self.energy_mj)
        undecided = unmeasured or unsized or unmetered or self.parity != "passed"
        return "not verified" if undecided else "met"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPoint:
    """The supernet after an epoch.

    Attributes:
        epoch: from 1.
        loss: mean training loss.
        accuracies: validation top-1, 0 to 1, by subnet: ``largest``, ``smallest`` …
    """

    epoch: int
    loss: float | None = None
    accuracies: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything on the page.

    Attributes:
        title: ``Handwritten digits on this machine``.
        subtitle: space, data and date in a line.
        objectives: axes of the front. The plot opens with the second as abscissa and the first
            as ordinate, so give the error first, then the latency that matters most.
        points: all that was evaluated, feasible or not.
        baselines: other networks drawn into the front's plot, such as a uniformly scaled one.
        finalists: one row an artifact.
        tables: one a device and precision.
        predictions: networks predicted and measured.
        breakdowns: of finalists, one a device.
        drifts: one a table whose anchor was recorded.
        hypervolume: one point an iteration.
        curves: of this search, and of the run's other searches that can be compared with it.
        left_out: why each other search has no curve, by its name.
        failures: evaluations that failed.
        training: one point an epoch.
        provenance: readable text by heading, then by key: versions, digests, seeds, commands.
        run: folder or name of the run, for the commands that the page shows.
    """

    title: str
    subtitle: str = ""
    objectives: tuple[Objective, ...] = ()
    points: tuple[FrontPoint, ...] = ()
    baselines: tuple[FrontPoint, ...] = ()
    finalists: tuple[Finalist, ...] = ()
    tables: tuple[TableSummary, ...] = ()
    predictions: tuple[PredictionPoint, ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    drifts: tuple[Drift, ...] = ()
    hypervolume: tuple[HypervolumePoint, ...] = ()
    curves: tuple[SearchCurve, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[FailedEvaluation, ...] = ()
    training: tuple[TrainingPoint, ...] = ()
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    run: str = "RUN"

"""The latency tables and models of a search, as a report shows them: how far each may be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.devices.probe import probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ArchitectureError, ProfileError, TableError
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.energy_model import EnergyModel
from edgewright.latency.model import LatencyModel, NetworkModel, is_model
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.front import Front
from edgewright.pipeline.table_plot import network_breakdown, table_drift, table_predictions
from edgewright.pipeline.table_show import cross_check_text, weather_text
from edgewright.report.data import Breakdown, Drift, Finalist, PredictionPoint, TableSummary
from edgewright.spaces import MobileSpace


@dataclass(frozen=True, slots=True)
class Measured:
    """What a search predicted the latency of one device from.

    Attributes:
        device: name of its profile.
        table: operators, or whole networks alone.
        local: whether the profile says that the device is the machine that searched.
    """

    device: str
    table: LatencyTable | LatencyModel
    local: bool


def measured_devices(described: dict[str, Any]) -> tuple[Measured, ...]:
    """Return the tables and models that a search used; one that is gone is left out."""
    found = {}
    for device in described["devices"].values():
        path = Path(device["table"])
        try:
            table = LatencyModel.load(path) if is_model(path) else LatencyTable.load(path)
        except TableError:
            continue
        found[device["device"]] = Measured(device["device"], table, _is_local(Path(device["profile"])))
    return tuple(found.values())


def energy_summaries(described: dict[str, Any]) -> tuple[TableSummary, ...]:
    """Return the energy models that a search used and their error; one that is gone is left out."""
    found = list[TableSummary]()
    for device in described["energies"].values():
        with suppress(TableError):
            model = EnergyModel.load(Path(device["table"]))
            found.append(summary(model, local=_is_local(Path(device["profile"]))))
    return tuple(found)


def _is_local(profile: Path) -> bool:
    try:
        return DeviceProfile.load(profile).is_local
    except ProfileError:  # gone since
        return True


def predictions(
    found: Sequence[Measured], space: MobileSpace, rows: Sequence[Finalist]
) -> tuple[PredictionPoint, ...]:
    """Return the networks whose latency was predicted and measured: the tables' own, and the finalists."""
    points = [
        point
        for m in found
        for point in (
            table_predictions(m.table, space, m.device)
            if isinstance(m.table, LatencyTable)
            else model_predictions(m.table, space, m.device)
        )
    ]
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


def model_predictions(model: LatencyModel, space: MobileSpace, device: str) -> tuple[PredictionPoint, ...]:
    """Return the networks of a model that are networks of ``space``, predicted and measured."""
    try:
        predictor = EncodingPredictor(model, space)
    except TableError:  # of other networks; the search itself said so
        return ()
    numbers, X = list[int](), list[Any]()
    for number, record in enumerate(model.networks):
        try:
            X.append(space.encode(record.architecture))
        except ArchitectureError:  # the model is of a wider space
            continue
        numbers.append(number)
    predicted = predictor.predict_ms(np.array(X, dtype=np.int64)) if X else np.zeros(0)
    return tuple(
        PredictionPoint(
            device=device,
            id=str(number),
            predicted_ms=float(ms),
            measured_ms=model.networks[number].measurement.median_ms,
            role="fit" if model.networks[number].role == "fit" else "validate",
        )
        for number, ms in zip(numbers, predicted, strict=True)
    )


def breakdowns(
    found: Sequence[Measured], space: MobileSpace, front: Front | None, rows: Sequence[Finalist]
) -> tuple[Breakdown, ...]:
    """Return what the operators of each finalist cost; a model knows no operators."""
    tables = {m.device: m.table for m in found if isinstance(m.table, LatencyTable)}
    networks = {member.id: member.architecture for member in (front.members if front else ())}
    pairs = dict.fromkeys((row.id, row.device) for row in rows)
    return tuple(
        network_breakdown(tables[device], space, networks[id], id=id, device=device)
        for id, device in pairs
        if id in networks and device in tables
    )


def drifts(found: Sequence[Measured]) -> tuple[Drift, ...]:
    """Return how the anchor of each table moved."""
    tables = [(m.device, m.table) for m in found if isinstance(m.table, LatencyTable)]
    return tuple(drift for name, table in tables if (drift := table_drift(table, name)) is not None)


def summary(table: LatencyTable | NetworkModel, *, local: bool) -> TableSummary:
    """Return a table or a model and its error.

    Args:
        table: of a device.
        local: whether the device's profile says that it is this machine.
    """
    error, before, after = table.validation, table.conditions_before, table.conditions_after
    if isinstance(table, LatencyTable):
        own: dict[str, Any] = {
            "n_operators": table.n_operators,
            "n_failures": len(table.failures),
            "anchor_drift": table.anchor.drift_percent / 100,
            "cross_check": cross_check_text(table),
        }
        beside = {
            "over the profile": weather_text(table),
            "batch": str(table.batch),
            "pinned to processors": ", ".join(map(str, table.affinity)) or "none",
        }
    else:
        loo = table.leave_one_out_percent
        own = {
            "kind": "model",
            "sources": tuple(f"{s.device} ({s.runtime}, {s.precision})" for s in table.sources),
            "leave_one_out": None if loo is None else loo / 100,
            "sensor": table.sensor if isinstance(table, EnergyModel) else "",
        }
        beside = {}
    return TableSummary(
        device=table.device,
        runtime=table.runtime_version,
        precision=table.precision,
        threads=table.threads,
        space=table.space_name,
        n_fit=sum(record.role == "fit" for record in table.networks),
        n_validate=error.n if error else 0,
        mape=error.mape_percent / 100 if error else None,
        within_5=error.within_5_percent / 100 if error else None,
        within_10=error.within_10_percent / 100 if error else None,
        spearman=error.spearman if error else None,
        bias=error.bias_percent / 100 if error else None,
        foreign=local and bool(probe().differences(table.fingerprint)),
        emulated=bool(table.fingerprint.emulated),
        conditions={
            "processor": table.fingerprint.cpu_model,
            **{
                key: f"{value} before, {after.to_json()[key]} after"
                for key, value in before.to_json().items()
                if value is not None
            },
            **beside,
        },
        created=table.created_utc,
        table_id=table.table_id,
        **own,
    )

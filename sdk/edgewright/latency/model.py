"""Models of whole networks: what was measured of them on a device, and what latency tables say of them.

A latency table holds operators; a model holds whole networks alone, so it needs no more of a device
than that it runs them, and a dozen of them where other devices' tables stand behind it
(:mod:`edgewright.latency.encoding_predictor` predicts from it). What a model is of is its class's:
latency here, energy in :mod:`edgewright.latency.energy_model`.

Format history of ``latency_tables/<device>/<space>-<runtime>-<precision>.model.json``:

* schema 1: ``kind`` = ``latency model``, provenance as in a table, ``networks`` with every kept sample
  and the role each had, ``sources`` with the cost in ms of each operator of the space (in the order of
  ``Space.all_operators``) on other devices, ``frame`` and ``weights`` of the prior that the sources
  give, ``leave_one_out_percent``, ``validation``, and ``digest``, the SHA-256 of the canonical JSON of all
  else.
* schema 2: what is noted beside the samples of a network, as in tables of schema 4.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from edgewright.devices.conditions import Conditions
from edgewright.devices.probe import Fingerprint
from edgewright.errors import ForeignTableError, SDKError, TableError
from edgewright.files import digest_of, read_json, write_text
from edgewright.latency.records import NetworkRecord
from edgewright.latency.validation import Validation
from edgewright.regression.transfer import Frame
from edgewright.spaces.architecture import Architecture

_Model = TypeVar("_Model", bound="NetworkModel")


class MeasuredNetwork(Protocol):
    """A whole network that was measured."""

    @property
    def architecture(self) -> Architecture:
        """The network."""
        ...

    @property
    def role(self) -> str:
        """``fit`` if the model learns from it, ``validate`` if it judges."""
        ...

    @property
    def value(self) -> float:
        """What the model predicts of it, above 0."""
        ...

    @property
    def noisy(self) -> bool:
        """Whether its own measurement is."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class SourceCosts:
    """Another device as its table has it.

    Attributes:
        device: name of its profile.
        runtime: package and version.
        precision: of its artifacts.
        table_id: of the table.
        costs_ms: of each operator of the space, corrected, in the order of ``Space.all_operators``.
    """

    device: str
    runtime: str
    precision: str
    table_id: str
    costs_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkModel(ABC):
    """Whole networks of a space as one device, runtime and precision run them.

    Attributes:
        kind: what its files call it.
        schemas: of its files that can be read, the one that is written last.
        verb: the command that makes one.
        further_keys: fields that its files hold as they are, beside those that all hold.
        device: name of the profile.
        runtime: key of the backend registry.
        runtime_version: package and version.
        runtime_conditions: the runtime's settings.
        precision: of the artifacts.
        threads: of an inference.
        space_name: as :func:`edgewright.spaces.find_space` reads it.
        space_version: of the space.
        space_digest: of the space.
        fingerprint: of the machine.
        conditions_before: before the first sample.
        conditions_after: after the last.
        created_utc: ISO 8601.
        edgewright_version: that wrote it.
        seconds: that measuring took.
        settings: numbers and seed of what was measured.
        networks: whole networks; those with role ``fit`` are predicted from, the others judge.
        sources: other devices.
        frame: scale of features and sources.
        weights: of the prior's kernels.
        leave_one_out_percent: mean absolute error on each network from the others; NaN if unknown.
        validation: error on networks that the prediction has not seen; ``None`` if none was measured.
        path: file it was read from or saved to.
    """

    kind: ClassVar[str]
    schemas: ClassVar[tuple[int, ...]]
    verb: ClassVar[str]
    further_keys: ClassVar[tuple[str, ...]] = ()

    device: str
    runtime: str
    runtime_version: str
    runtime_conditions: Mapping[str, str | int]
    precision: str
    threads: int
    space_name: str
    space_version: int
    space_digest: str
    fingerprint: Fingerprint
    conditions_before: Conditions
    conditions_after: Conditions
    created_utc: str
    edgewright_version: str
    seconds: float
    settings: Mapping[str, str | int | float]
    networks: tuple[MeasuredNetwork, ...]
    sources: tuple[SourceCosts, ...]
    frame: Frame
    weights: tuple[float, ...]
    leave_one_out_percent: float | None = None
    validation: Validation | None = None
    path: Path | None = None

    @classmethod
    @abstractmethod
    def read_record(cls, data: Mapping[str, Any]) -> MeasuredNetwork:
        """Return the network that its ``to_json`` described. Raises ``ValueError`` where it is none."""

    @abstractmethod
    def command(self, space: str | None = None) -> str:
        """Return the command that makes one of the same device, of ``space`` where one is given."""

    @property
    def table_id(self) -> str:
        """Sixteen hexadecimal digits of what was measured where, when, how, and beside which sources."""
        how = [self.runtime_version, dict(self.runtime_conditions), self.precision, self.threads]
        sources = [source.table_id for source in self.sources]
        return digest_of([self.fingerprint.digest, self.space_digest, how, self.created_utc, sources])[:16]

    @property
    def error(self) -> float:
        """Mean absolute relative error: on held-out networks, else each from the others; NaN if unknown."""
        if self.validation is not None:
            return self.validation.mape_percent / 100
        return float("nan") if self.leave_one_out_percent is None else self.leave_one_out_percent / 100

    def require_device(self, fingerprint: Fingerprint, *, allow_foreign: bool = False) -> None:
        """Raise ``ForeignTableError`` unless the networks were measured on such a machine."""
        differences = fingerprint.differences(self.fingerprint)
        if differences and not allow_foreign:
            raise ForeignTableError(
                f"{self.described()} was measured on another machine ({'; '.join(differences)}); "
                f"measure this one with `{self.command()} --again`, or use it as it is with --allow-foreign"
            )

    def require_runtime(self, version: str, *, allow_foreign: bool = False) -> None:
        """Raise ``ForeignTableError`` unless the networks were measured with this runtime version."""
        if version != self.runtime_version and not allow_foreign:
            raise ForeignTableError(
                f"{self.described()} was measured with {self.runtime_version}, installed is {version}; "
                f"measure anew with `{self.command()} --again`, or use it as it is with --allow-foreign"
            )

    def described(self) -> str:
        """Return what a message calls it."""
        return f"the {self.kind} of {self.device!r}" + (f" ({self.path})" if self.path else "")

    def summary(self) -> dict[str, Any]:
        """Return the main facts as JSON values, for a terminal."""
        roles = [record.role for record in self.networks]
        return {
            "kind": self.kind,
            "table_id": self.table_id,
            "device": self.device,
            "runtime": self.runtime_version,
            "precision": self.precision,
            "threads": self.threads,
            "space": self.space_name,
            "created_utc": self.created_utc,
            "cpu": self.fingerprint.cpu_model,
            "emulated": self.fingerprint.emulated,
            "n_fit": roles.count("fit"),
            "n_validate": roles.count("validate"),
            "n_noisy": sum(record.noisy for record in self.networks),
            "sources": [f"{s.device} ({s.runtime}, {s.precision})" for s in self.sources],
            "seconds": self.seconds,
            "error": None if math.isnan(self.error) else self.error,
            "leave_one_out_percent": self.leave_one_out_percent,
            "validation": self.validation.to_json() if self.validation else None,
        }

    def save(self: _Model, path: Path) -> _Model:
        """Write the model atomically; return it with its ``path``. Raises ``StorageError``."""
        value = _content(self)
        value["digest"] = digest_of(value)
        lines = [f" {json.dumps(key)}: {json.dumps(item, allow_nan=False)}" for key, item in value.items()]
        write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
        return replace(self, path=path)

    @classmethod
    def load(cls: type[_Model], path: Path) -> _Model:
        """Read a model. Raises ``TableError`` that says what is wrong with the file."""
        mend = f"make it again with `{cls.verb}`"
        data = read_json(path, what=cls.kind, mend=mend, error=TableError)
        if (
            not isinstance(data, dict)
            or data.get("kind") != cls.kind
            or data.get("schema") not in cls.schemas
        ):
            known = " or ".join(map(str, cls.schemas))
            raise TableError(f"{path} is no {cls.kind} of schema {known}; {mend}")
        wanted = {*_KEYS, *cls.further_keys, "digest"}
        faults = [f"missing key {key!r}" for key in sorted(wanted - data.keys())]
        faults += [f"unknown key {key!r}" for key in sorted(data.keys() - wanted)]
        if not faults and not _is_signed(data):
            faults = ["it was edited or damaged after it was written (its digest does not match)"]
        if faults:
            raise TableError(f"{cls.kind} {path}: {'; '.join(faults[:5])}; {mend}")
        try:
            return replace(_model_from(cls, data), path=path)
        except (SDKError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise TableError(f"{cls.kind} {path} cannot be read: {error}; {mend}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel(NetworkModel):
    """The latency of whole networks; the records' values are medians in ms."""

    kind: ClassVar[str] = "latency model"
    schemas: ClassVar[tuple[int, ...]] = (1, 2)
    verb: ClassVar[str] = "edgewright table transfer"

    networks: tuple[NetworkRecord, ...]

    @classmethod
    def read_record(cls, data: Mapping[str, Any]) -> NetworkRecord:
        """Return the network that its ``to_json`` described. Raises ``TableError`` for absurd samples."""
        return NetworkRecord.from_json(data)

    def command(self, space: str | None = None) -> str:
        """Return the command that makes one of the same device, of ``space`` where one is given."""
        return f"{self.verb} --device {self.device}" + (f" --space '{space}'" if space else "")


def kind_of(path: Path) -> str:
    """Return what model a file says it is, whole or not: ``latency model``; empty where it says nothing."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    kind = data.get("kind") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) and kind.endswith(" model") else ""


def is_model(path: Path) -> bool:
    """Return whether a file says that it is a latency model, whole or not."""
    return kind_of(path) == LatencyModel.kind


def _content(model: NetworkModel) -> dict[str, Any]:
    frame = model.frame
    return {
        "schema": model.schemas[-1],
        "kind": model.kind,
        "device": model.device,
        "runtime": model.runtime,
        "runtime_version": model.runtime_version,
        "runtime_conditions": dict(model.runtime_conditions),
        "precision": model.precision,
        "threads": model.threads,
        "space": model.space_name,
        "space_version": model.space_version,
        "space_digest": model.space_digest,
        "fingerprint": model.fingerprint.to_json(),
        "conditions_before": model.conditions_before.to_json(),
        "conditions_after": model.conditions_after.to_json(),
        "created_utc": model.created_utc,
        "edgewright_version": model.edgewright_version,
        "seconds": model.seconds,
        "settings": dict(model.settings),
        "networks": [record.to_json() for record in model.networks],
        "sources": [
            {
                "device": source.device,
                "runtime": source.runtime,
                "precision": source.precision,
                "table_id": source.table_id,
                "costs_ms": list(source.costs_ms),
            }
            for source in model.sources
        ],
        "frame": {
            "groups": list(frame.groups),
            "shift": frame.shift.tolist(),
            "scale": frame.scale.tolist(),
            "source_shift": frame.source_shift.tolist(),
            "source_scale": frame.source_scale.tolist(),
            "common_scale": frame.common_scale,
            "loading": frame.loading.tolist(),
        },
        "weights": list(model.weights),
        "leave_one_out_percent": model.leave_one_out_percent,
        "validation": model.validation.to_json() if model.validation else None,
        **{name: getattr(model, name) for name in model.further_keys},
    }


_KEYS = (
    *("schema", "kind", "device", "runtime", "runtime_version", "runtime_conditions", "precision"),
    *("threads", "space", "space_version", "space_digest", "fingerprint", "conditions_before"),
    *("conditions_after", "created_utc", "edgewright_version", "seconds", "settings", "networks"),
    *("sources", "frame", "weights", "leave_one_out_percent", "validation"),
)


def _is_signed(data: Mapping[str, Any]) -> bool:
    try:
        return bool(data["digest"] == digest_of({key: data[key] for key in data if key != "digest"}))
    except ValueError:  # NaN or an infinity, which Python's reader lets through
        return False


def _model_from(cls: type[_Model], data: Mapping[str, Any]) -> _Model:
    frame = data["frame"]
    arrays = {
        name: np.array(frame[name], dtype=np.float64)
        for name in ("shift", "scale", "source_shift", "source_scale", "loading")
    }
    found = data["validation"]
    plain = ("device", "runtime", "runtime_version", "runtime_conditions", "precision", "threads")
    return cls(
        **{name: data[name] for name in (*plain, *cls.further_keys)},
        space_name=data["space"],
        space_version=data["space_version"],
        space_digest=data["space_digest"],
        fingerprint=Fingerprint.from_json(data["fingerprint"]),
        conditions_before=Conditions.from_json(data["conditions_before"]),
        conditions_after=Conditions.from_json(data["conditions_after"]),
        created_utc=data["created_utc"],
        edgewright_version=data["edgewright_version"],
        seconds=data["seconds"],
        settings=data["settings"],
        networks=tuple(map(cls.read_record, data["networks"])),
        sources=tuple(
            SourceCosts(**{**item, "costs_ms": tuple(map(float, item["costs_ms"]))})
            for item in data["sources"]
        ),
        frame=Frame(groups=tuple(frame["groups"]), common_scale=float(frame["common_scale"]), **arrays),
        weights=tuple(map(float, data["weights"])),
        leave_one_out_percent=data["leave_one_out_percent"],
        validation=None if found is None else Validation.from_json(found),
    )

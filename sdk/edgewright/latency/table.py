"""Latency tables: what was measured of a space on a device, and how far it may be trusted.

Format history of ``latency_tables/<device>/<space>-<runtime>-<precision>.json``:

* schema 1: provenance (``device runtime space fingerprint conditions …``), ``entries`` with every
  kept sample of each operator, ``failures``, ``anchor``, ``networks`` with the role each had,
  ``correction``, ``validation``, and ``digest``, the SHA-256 of the canonical JSON of all else.
* schema 2: an entry is an operator behind its lead (``Operator.lead``), and leads have entries; a
  correction has the uncertainty of its coefficients, a validation the coverage of its intervals.
* schema 3: ``cross_check``, what the vendor's own tool measured of one of the networks, or why nothing.
  A table of schema 2 is read as one that was not cross-checked.
* schema 4: beside the samples of an operator or a network what disturbed each (``marks``), those that
  were thrown away (``dropped``), and clock, temperature and throttling around each visit (``moments``;
  :mod:`edgewright.latency.notes`); ``batch`` and ``affinity`` of the measured inferences. Older tables
  are read as of batch 1, pinned to no processors, with nothing noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgewright.devices.conditions import Conditions
from edgewright.devices.probe import Fingerprint
from edgewright.errors import ForeignTableError, MissingEntryError, SDKError, TableError
from edgewright.files import digest_of, read_json, write_text
from edgewright.latency.correction import NO_CORRECTION, Correction, spilled_share, working_set_bytes
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.measurement import Measurement
from edgewright.latency.notes import Weather
from edgewright.latency.records import Anchor, Entry, Failure, NetCost, NetworkRecord
from edgewright.latency.sanity import implausible
from edgewright.latency.table_format import SCHEMA, faults_of, listed, pretty, schema_fault
from edgewright.latency.validation import Validation
from edgewright.spaces.architecture import Space
from edgewright.spaces.operator import Operator, with_leads


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """The operators of a space as one device, runtime and precision run them.

    Attributes:
        device: name of the profile.
        runtime: key of the backend registry.
        runtime_version: package and version.
        runtime_conditions: the runtime's settings.
        precision: of the artifacts.
        threads: of an inference.
        batch: images of an inference.
        affinity: processors that the profile pinned it to; empty where it might use any.
        space_name: as :func:`edgewright.spaces.find_space` reads it.
        space_version: of the space.
        space_digest: of the space.
        fingerprint: of the machine.
        conditions_before: before the first sample.
        conditions_after: after the last.
        created_utc: ISO 8601.
        edgewright_version: that wrote it.
        seconds: that measuring took.
        settings: preset, seed and rounds.
        entries: by operator.
        failures: operators without entry, with their reason.
        anchor: the repeated operator.
        networks: whole networks.
        correction: from operators to networks.
        validation: error on networks that the correction has not seen; ``None`` if none was measured.
        cross_check: what the vendor's own tool measured of one of the networks, or why nothing; ``None``
            where a table of schema 2 or an imported one does not say.
        path: file it was read from or saved to.
    """

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
    entries: Mapping[Operator, Entry]
    failures: Mapping[Operator, Failure]
    anchor: Anchor
    networks: tuple[NetworkRecord, ...] = ()
    correction: Correction = NO_CORRECTION
    validation: Validation | None = None
    cross_check: NetworkCrossCheck | None = None
    batch: int = 1
    affinity: tuple[int, ...] = ()
    path: Path | None = None

    @property
    def table_id(self) -> str:
        """Sixteen hexadecimal digits of what was measured where, when and how."""
        how = [self.runtime_version, dict(self.runtime_conditions), self.precision, self.threads]
        return digest_of([self.fingerprint.digest, self.space_digest, how, self.created_utc])[:16]

    @property
    def n_operators(self) -> int:
        """Operators with an entry, the leads before them not counted."""
        return sum(operator.kind != "lead" for operator in self.entries)

    @property
    def weather(self) -> Weather:
        """Clock, temperature and throttling over all that was measured, and how many samples were lost."""
        parts = [part for entry in self.entries.values() for part in (entry.warm, entry.cold)]
        parts += [record.measurement for record in self.networks]
        return Weather.of(
            [moment for part in parts for moment in part.moments],
            n_kept=sum(part.n for part in parts),
            n_dropped=sum(part.n_dropped for part in parts),
        )

    def covers(self, space: Space) -> bool:
        """Return whether every operator of ``space`` was measured, or tried and failed."""
        return all(op in self.entries or op in self.failures for op in self._wanted(space))

    def _wanted(self, space: Space) -> tuple[Operator, ...]:
        """Return what must be measured for ``space``; others measure operators without leads."""
        operators = space.all_operators()
        return operators if self.is_imported else with_leads(operators)

    def net_ms(self, operator: Operator) -> NetCost | None:
        """Return what an operator adds to a network as measured; ``None`` if it or its lead was not.

        It is the operator behind its lead less the lead alone. Where noise makes that less than a
        twentieth of the whole, it is a twentieth.
        """
        entry, lead = self.entries.get(operator), None if self.is_imported else operator.lead
        if entry is None or (lead is not None and lead not in self.entries):
            return None
        found = [entry.warm.median_ms, entry.cold.median_ms]
        if lead is not None:
            before = self.entries[lead]
            less = [before.warm.median_ms, before.cold.median_ms]
            found = [max(whole - part, 0.05 * whole) for whole, part in zip(found, less, strict=True)]
        warm_ms, cold_ms = found
        spilled = spilled_share(
            working_set_bytes(operator, self.precision), self.fingerprint.core_cache_bytes
        )
        return NetCost(warm_ms, cold_ms, spilled, is_fixed=not operator.residual)

    def require_space(self, space: Space) -> None:
        """Raise ``MissingEntryError`` unless the table covers ``space``.

        Operators that failed are no fault: their networks are predicted to be slower than any budget.
        A table of another version of the space's name is a ``TableError``.
        """
        if self.space_version != space.version and _base_name(self.space_name) == _base_name(space.name):
            raise TableError(
                f"{self._described()} is of version {self.space_version} of {_base_name(space.name)}, this "
                f"edgewright has version {space.version}; measure it again with "
                f"`edgewright profile {self.device} --space '{space.name}' --again`"
            )
        wanted = self._wanted(space)
        missing = [op for op in wanted if op not in self.entries and op not in self.failures]
        if not missing:
            return
        mend = f"measure them with `edgewright profile {self.device} --space '{space.name}'`"
        if all(op.kind == "head" for op in missing):
            classes = sorted({op.out_channels for op in self.entries if op.kind == "head"})
            raise MissingEntryError(
                f"{self._described()} was measured with {' or '.join(map(str, classes))} classes, "
                f"{space.name} has {missing[0].out_channels}; {mend}",
                [op.key for op in missing],
            )
        raise MissingEntryError(
            f"{self._described()} lacks {len(missing)} of {len(wanted)} operators of "
            f"{space.name}, first {missing[0].key}; {mend}",
            [op.key for op in missing],
        )

    def require_device(self, fingerprint: Fingerprint, *, allow_foreign: bool = False) -> None:
        """Raise ``ForeignTableError`` unless the table was measured on such a machine."""
        differences = fingerprint.differences(self.fingerprint)
        if differences and not allow_foreign:
            raise ForeignTableError(
                f"{self._described()} was measured on another machine ({'; '.join(differences)}); "
                f"measure this one with `edgewright profile {self.device} --again`, or use it as it is "
                "with --allow-foreign"
            )

    def require_runtime(self, version: str, *, allow_foreign: bool = False) -> None:
        """Raise ``ForeignTableError`` unless the table was measured with this runtime version."""
        if version != self.runtime_version and not allow_foreign:
            raise ForeignTableError(
                f"{self._described()} was measured with {self.runtime_version}, installed is {version}; "
                f"measure anew with `edgewright profile {self.device} --again`, or use it as it is with "
                "--allow-foreign"
            )

    def summary(self) -> dict[str, Any]:
        """Return the main facts as JSON values, for a terminal or a report."""
        verdicts = [entry.verdict for entry in self.entries.values()]
        medians = [entry.median_ms for entry in self.entries.values()]
        validation = self.validation.to_json() if self.validation else None
        return {
            "table_id": self.table_id,
            "device": self.device,
            "runtime": self.runtime_version,
            "precision": self.precision,
            "threads": self.threads,
            "batch": self.batch,
            "affinity": list(self.affinity),
            "space": self.space_name,
            "created_utc": self.created_utc,
            "cpu": self.fingerprint.cpu_model,
            "fingerprint": self.fingerprint.digest[:16],
            "emulated": self.fingerprint.emulated,
            "n_operators": self.n_operators,
            "n_failures": len(self.failures),
            "n_noisy": verdicts.count("noisy"),
            "operator_ms": {"min": min(medians, default=0.0), "max": max(medians, default=0.0)},
            "anchor_drift_percent": self.anchor.drift_percent,
            "load_average": [self.conditions_before.load_average, self.conditions_after.load_average],
            "weather": self.weather.to_json(),
            "seconds": self.seconds,
            "n_fit": self.correction.n,
            "validation": validation,
            "cross_check": self.cross_check.to_json() if self.cross_check else None,
        }

    def save(self, path: Path) -> LatencyTable:
        """Write the table atomically; return it with its ``path``. Raises ``StorageError``."""
        value = self._content()
        value["digest"] = digest_of(value)
        write_text(path, pretty(value))
        return replace(self, path=path)

    @classmethod
    def load(cls, path: Path) -> LatencyTable:
        """Read a table. Raises ``TableError`` that names every fault of the file at once."""
        # Imported tables are made of tables, so that module imports this one.
        from edgewright.latency.imported import imported_from_json, is_imported

        mend = "measure it again with `edgewright profile`"
        data = read_json(path, what="latency table", mend=mend, error=TableError)
        if is_imported(data):
            return imported_from_json(data, path).latency_table()
        if fault := schema_fault(data):
            raise TableError(f"latency table {path} {fault}; {mend}")
        if faults := faults_of(data):
            raise TableError(f"latency table {path}: {listed(faults)}; {mend}")
        try:
            table = replace(_table_from(data), path=path)
        except (SDKError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise TableError(f"latency table {path}: {error}; {mend}") from error
        if faults := implausible(table):
            raise TableError(f"latency table {path}: {listed(faults)}; {mend}")
        return table

    @property
    def is_imported(self) -> bool:
        """Whether somebody else measured it: there are neither samples nor a fingerprint nor an error."""
        return "imported_from" in self.settings

    def _described(self) -> str:
        where = f" ({self.path})" if self.path else ""
        return f"the latency table of {self.device!r}{where}"

    def _content(self) -> dict[str, Any]:
        """Return everything but the digest as JSON values."""
        return {
            "schema": SCHEMA,
            "device": self.device,
            "runtime": self.runtime,
            "runtime_version": self.runtime_version,
            "runtime_conditions": dict(self.runtime_conditions),
            "precision": self.precision,
            "threads": self.threads,
            "batch": self.batch,
            "affinity": list(self.affinity),
            "space": self.space_name,
            "space_version": self.space_version,
            "space_digest": self.space_digest,
            "fingerprint": self.fingerprint.to_json(),
            "conditions_before": self.conditions_before.to_json(),
            "conditions_after": self.conditions_after.to_json(),
            "created_utc": self.created_utc,
            "edgewright_version": self.edgewright_version,
            "seconds": self.seconds,
            "settings": dict(self.settings),
            "entries": [
                {"operator": op.to_json(), "warm": e.warm.to_json(), "cold": e.cold.to_json()}
                for op, e in sorted(self.entries.items())
            ],
            "failures": [
                {"operator": op.to_json(), "reason": failure.reason}
                for op, failure in sorted(self.failures.items())
            ],
            "anchor": {
                "operator": self.anchor.operator.to_json(),
                "medians_ms": list(self.anchor.medians_ms),
            },
            "networks": [record.to_json() for record in self.networks],
            "correction": self.correction.to_json(),
            "validation": self.validation.to_json() if self.validation else None,
            "cross_check": self.cross_check.to_json() if self.cross_check else None,
        }


def _table_from(data: Mapping[str, Any]) -> LatencyTable:
    anchor = data["anchor"]
    return LatencyTable(
        device=data["device"],
        runtime=data["runtime"],
        runtime_version=data["runtime_version"],
        runtime_conditions=data["runtime_conditions"],
        precision=data["precision"],
        threads=data["threads"],
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
        entries={
            Operator.from_json(item["operator"]): Entry(
                Measurement.from_json(item["warm"]), Measurement.from_json(item["cold"])
            )
            for item in data["entries"]
        },
        failures={Operator.from_json(item["operator"]): Failure(item["reason"]) for item in data["failures"]},
        anchor=Anchor(Operator.from_json(anchor["operator"]), tuple(anchor["medians_ms"])),
        networks=tuple(map(NetworkRecord.from_json, data["networks"])),
        correction=Correction.from_json(data["correction"]),
        validation=None if (found := data["validation"]) is None else Validation.from_json(found),
        cross_check=None
        if (check := data.get("cross_check")) is None
        else NetworkCrossCheck.from_json(check),
        **_batch_and_affinity(data),
    )


def _batch_and_affinity(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tables say since schema 4. Raises ``TableError``."""
    batch, affinity = data.get("batch", 1), data.get("affinity", [])
    if type(batch) is not int or batch < 1:
        raise TableError(f"batch must be a positive integer, got {batch!r}")
    cpus = isinstance(affinity, list) and all(type(cpu) is int and cpu >= 0 for cpu in affinity)
    if not cpus or len(set(affinity)) != len(affinity):
        raise TableError(f"affinity must be a list of processor numbers, each once, got {affinity!r:.80}")
    return {"batch": batch, "affinity": tuple(affinity)}


def _base_name(name: str) -> str:
    return name.partition(":")[0].partition("@")[0]

"""Tables that somebody else measured: entries by the source's own key, and how they became ours.

Nobody here saw the device: an imported table has no samples, no fingerprint and no error on whole
networks. Where its keys are operators of a space, :meth:`ImportedTable.latency_table` makes a table
of it that search takes with ``--allow-foreign``.

Format history (``kind`` is ``"imported latency table"``, beside the tables of
:mod:`edgewright.latency.table`):

* schema 1: ``device runtime precision threads format unit source sha256 imported_utc
  edgewright_version space``, ``entries`` by key with ``count mean_ms std_ms``, ``operators`` with the
  keys that each is the sum of, ``dropped`` with the reason, and ``digest`` as in our own tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import edgewright
from edgewright.devices.conditions import Conditions, now_utc
from edgewright.devices.probe import Fingerprint
from edgewright.errors import SDKError, TableError, UsageError
from edgewright.files import digest_of, write_json
from edgewright.latency.importers import SourceEntry, find_importer
from edgewright.latency.importers.base import UNITS, Fault, number, unit_fault
from edgewright.latency.measurement import Measurement
from edgewright.latency.records import Anchor, Entry
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space
from edgewright.spaces.operator import Operator

KIND = "imported latency table"
SCHEMA = 1
UNKNOWN = "unknown"
_MEND = "import it again with `edgewright table import`"
_TEXTS: tuple[str, ...] = ("device", "runtime", "precision", "format", "unit", "source", "sha256")
_TEXTS += ("imported_utc", "edgewright_version", "space", "digest")
_KEYS = ("kind", "schema", *_TEXTS, "threads", "entries", "operators", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTable:
    """What somebody's file says, in milliseconds.

    Attributes:
        device: name that it is imported under.
        runtime: that the source used; ``unknown`` where nobody says.
        precision: likewise.
        threads: of an inference; 0 where nobody says.
        format: name of the importer.
        unit: of the numbers in the file.
        source: the file's name, and where it is from if that was given.
        sha256: of the file.
        imported_utc: ISO 8601.
        edgewright_version: that imported it.
        space: whose operators the keys are; empty where they are of none.
        entries: mean and spread in milliseconds, by key.
        operators: keys whose sum is an operator's cost.
        dropped: entries that were left out on demand.
        path: file that it was read from or saved to.
    """

    device: str
    runtime: str
    precision: str
    threads: int
    format: str
    unit: str
    source: str
    sha256: str
    imported_utc: str
    edgewright_version: str
    space: str
    entries: Mapping[str, SourceEntry]
    operators: Mapping[Operator, tuple[str, ...]]
    dropped: tuple[Fault, ...] = ()
    path: Path | None = None

    def summary(self) -> dict[str, Any]:
        """Return the main facts as JSON values."""
        means = [entry.mean for entry in self.entries.values()]
        return {
            "imported": True,
            "device": self.device,
            "runtime": self.runtime,
            "precision": self.precision,
            "threads": self.threads or None,
            "format": self.format,
            "source": self.source,
            "sha256": self.sha256,
            "unit_of_source": self.unit,
            "imported_utc": self.imported_utc,
            "space": self.space or None,
            "n_entries": len(self.entries),
            "n_operators": len(self.operators),
            "n_dropped": len(self.dropped),
            "entry_ms": {"min": min(means, default=0.0), "max": max(means, default=0.0)},
            "fingerprint": None,
            "validation": None,
        }

    def latency_table(self) -> LatencyTable:
        """Return a table that search can use: an operator's one sample is the sum of its keys' means.

        Raises:
            TableError: the keys are operators of no space that edgewright knows.
        """
        if not self.operators:
            raise TableError(
                f"the imported table{_where(self.path)} holds {len(self.entries)} entries of {self.format}, "
                "which are operators of no space that edgewright knows: it can be looked at with "
                "`edgewright table show`, not searched; measure a device with `edgewright profile`"
            )
        space = find_space(self.space)
        entries = {}
        for operator, keys in self.operators.items():
            mean = Measurement((sum(self.entries[key].mean for key in keys),))
            entries[operator] = Entry(warm=mean, cold=mean)
        return LatencyTable(
            device=self.device,
            runtime=self.runtime,
            runtime_version=f"{self.runtime} (imported, version {UNKNOWN})",
            runtime_conditions={"imported_from": self.source, "sha256": self.sha256},
            precision=self.precision,
            threads=self.threads,
            space_name=space.name,
            space_version=space.version,
            space_digest=space.digest,
            fingerprint=_no_fingerprint(),
            conditions_before=_no_conditions(self.imported_utc),
            conditions_after=_no_conditions(self.imported_utc),
            created_utc=self.imported_utc,
            edgewright_version=self.edgewright_version,
            seconds=0.0,
            settings={"imported_from": self.source, "format": self.format},
            entries=entries,
            failures={},
            anchor=Anchor(next(iter(entries)), ()),
            path=self.path,
        )

    def save(self, path: Path) -> ImportedTable:
        """Write the table atomically; return it with its ``path``. Raises ``StorageError``."""
        value = self._content()
        write_json(path, value | {"digest": digest_of(value)})
        return replace(self, path=path)

    def _content(self) -> dict[str, Any]:
        texts = {name: getattr(self, name) for name in _TEXTS if name != "digest"}
        return {
            "kind": KIND,
            "schema": SCHEMA,
            **texts,
            "threads": self.threads,
            "entries": [
                {"key": key, "count": entry.count, "mean_ms": entry.mean, "std_ms": entry.std}
                for key, entry in self.entries.items()
            ],
            "operators": [
                {"operator": operator.to_json(), "keys": list(keys)}
                for operator, keys in sorted(self.operators.items())
            ],
            "dropped": [fault._asdict() for fault in self.dropped],
        }


def is_imported(data: object) -> bool:
    """Return whether a JSON value says that it is an imported table."""
    return isinstance(data, dict) and data.get("kind") == KIND


def imported_from_json(data: Mapping[str, Any], path: Path) -> ImportedTable:
    """Return the imported table that a file holds. Raises ``TableError`` that names every fault."""
    if data.get("schema") != SCHEMA:
        raise TableError(
            f"imported table {path} has schema {data.get('schema')!r}, this edgewright reads {SCHEMA}; "
            f"{_MEND}"
        )
    faults = [f"missing key {key!r}" for key in _KEYS if key not in data]
    faults += [f"unknown key {key!r}" for key in data if key not in _KEYS]
    faults = faults or _faults(data)
    if faults:
        raise TableError(f"imported table {path}: {'; '.join(faults[:5])}; {_MEND}")
    try:
        return ImportedTable(
            **{name: data[name] for name in _TEXTS if name != "digest"},
            threads=data["threads"],
            entries={
                row["key"]: SourceEntry(row["key"], row["mean_ms"], row["count"], row["std_ms"])
                for row in data["entries"]
            },
            operators={Operator.from_json(row["operator"]): tuple(row["keys"]) for row in data["operators"]},
            dropped=tuple(Fault(**row) for row in data["dropped"]),
            path=path,
        )
    except (SDKError, TypeError, KeyError, ValueError) as error:
        raise TableError(f"imported table {path}: {error}; {_MEND}") from error


def import_table(
    file: Path,
    device: str,
    *,
    format_name: str | None = None,
    unit: str | None = None,
    runtime: str = UNKNOWN,
    precision: str = UNKNOWN,
    threads: int = 0,
    source: str = "",
    drop_faulty: bool = False,
) -> ImportedTable:
    """Read somebody's lookup table.

    Args:
        file: of a format in :data:`edgewright.latency.importers.IMPORTERS`.
        device: name to import it under.
        format_name: key of the registry; told by the file's content where ``None``.
        unit: of its numbers; the format's own where ``None``, and then checked for plausibility.
        runtime: that it was measured with.
        precision: likewise.
        threads: likewise; 0 where unknown.
        source: where the file is from, for the record.
        drop_faulty: leave faulty entries out and record them, instead of refusing the file.

    Raises:
        UsageError: the unit or the format is unknown.
        TableError: the file cannot be read, has faulty entries, or is in another unit.
    """
    text, digest = _read(file)
    if unit is not None and unit not in UNITS:
        raise UsageError(f"unknown unit {unit!r}; known: {', '.join(UNITS)}")
    try:
        importer = find_importer(format_name, text)
        reading = importer.read(text)
    except TableError as error:
        raise TableError(f"lookup table {file}: {error}; get the file again, or mend it") from error
    if reading.faults and not drop_faulty:
        listed = "; ".join(f"{fault.key}: {fault.reason}" for fault in reading.faults[:3])
        more = f"; and {len(reading.faults) - 3} more" if len(reading.faults) > 3 else ""
        raise TableError(
            f"lookup table {file} has {len(reading.faults)} faulty entries of "
            f"{len(reading.faults) + len(reading.entries)}: {listed}{more}; mend them, or leave them out "
            "with --drop-faulty"
        )
    if not reading.entries:
        raise TableError(f"lookup table {file} has no usable entries; get the file again")
    chosen = unit or importer.unit
    if unit is None and (fault := unit_fault(reading, importer, chosen)):
        raise TableError(
            f"lookup table {file} is read as {chosen}, but {fault}; say which it is with --unit "
            f"{', --unit '.join(UNITS)}"
        )
    dropped = {fault.key for fault in reading.faults}
    return ImportedTable(
        device=device,
        runtime=runtime,
        precision=precision,
        threads=threads,
        format=importer.name,
        unit=chosen,
        source=f"{file.name} ({source})" if source else file.name,
        sha256=digest,
        imported_utc=now_utc(),
        edgewright_version=edgewright.__version__,
        space=reading.space,
        entries={e.key: _in_ms(e, UNITS[chosen]) for e in reading.entries if e.key not in dropped},
        operators={op: keys for op, keys in reading.operators.items() if dropped.isdisjoint(keys)},
        dropped=reading.faults,
    )


def _in_ms(entry: SourceEntry, factor: float) -> SourceEntry:
    std = None if entry.std is None else entry.std * factor
    return SourceEntry(entry.key, entry.mean * factor, entry.count, std)


def _read(file: Path) -> tuple[str, str]:
    try:
        data = file.read_bytes()
        return data.decode("utf-8"), hashlib.sha256(data).hexdigest()
    except FileNotFoundError as error:
        raise TableError(f"lookup table {file} does not exist; give the path of a file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"lookup table {file} cannot be read ({error}); give a text file") from error


def _faults(data: Mapping[str, Any]) -> list[str]:
    faults = [f"{name} must be text" for name in _TEXTS if not isinstance(data[name], str)]
    if type(data["threads"]) is not int or data["threads"] < 0:
        faults.append("threads must be a count")
    for name in ("entries", "operators", "dropped"):
        if not isinstance(data[name], list) or not all(isinstance(row, dict) for row in data[name]):
            faults.append(f"{name} must be a list of objects")
    if faults:
        return faults
    keys: set[str] = set()
    for index, row in enumerate(data["entries"]):
        mean = number(row.get("mean_ms"))
        if set(row) != {"key", "count", "mean_ms", "std_ms"} or not isinstance(row["key"], str):
            faults.append(f"entry {index} needs exactly key, count, mean_ms and std_ms")
        elif mean is None or isinstance(row["mean_ms"], str) or not 0 <= mean < 1e7:
            faults.append(f"entry {index} ({row['key']}) has {row['mean_ms']!r:.40} as its mean_ms")
        elif row["key"] in keys:
            faults.append(f"entry {index} repeats {row['key']}")
        else:
            keys.add(row["key"])
    for index, row in enumerate(data["operators"]):
        named = row.get("keys")
        if not isinstance(named, list) or not named or not keys.issuperset(map(str, named)):
            faults.append(f"operator {index} needs keys that are entries")
    if not faults and digest_of({k: v for k, v in data.items() if k != "digest"}) != data["digest"]:
        faults.append("it was edited or damaged after it was written (its digest does not match)")
    return faults


def _where(path: Path | None) -> str:
    return f" {path}" if path else ""


def _no_fingerprint() -> Fingerprint:
    return Fingerprint(
        machine=UNKNOWN,
        system=UNKNOWN,
        cpu_model=f"{UNKNOWN}: the table was imported",
        cores=0,
        isa=(),
        caches=(),
        memory_bytes=0,
        governor=UNKNOWN,
        board="",
        gpus=(),
        hypervisor=False,
        emulated=False,
        os_release=UNKNOWN,
        python=UNKNOWN,
        packages={},
    )


def _no_conditions(time_utc: str) -> Conditions:
    return Conditions(
        time_utc=time_utc,
        clocks_mhz=(),
        governor=UNKNOWN,
        temperature_c=None,
        load_average=None,
        throttled=(),
        memory_available_bytes=None,
        steal_ms=None,
        affinity=(),
    )

"""The journal of a profile: every finished measurement on disk before the next begins.

JSON lines, each synced. The first names what is measured (``identity``); a process that goes on
appends ``started``. A line that a crash tore apart is cut off. Format history:

* schema 1: records of kind ``header``, ``started``, ``trying``, ``segment``, ``failure``, ``network``.
* schema 2: a ``segment`` holds visits to operators or to networks; operators stand behind their leads;
  ``opened`` ends a row of ``trying``. A ``cross-check`` may stand at its end, what the vendor's tool said.
* schema 3: a visit notes what disturbed its samples, those that were dropped, and how the machine was
  (:mod:`edgewright.latency.notes`). A journal of schema 2 is gone on with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

from edgewright.errors import RunError
from edgewright.files import storage_error

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

SCHEMA = 3
READ = (2, 3)  # schemas that can be gone on with
Record = Mapping[str, Any]


class Journal:
    """An append-only file of records, written by one process at a time.

    Args:
        path: the file; its folder is made.
        identity: what must agree before earlier records may be used: space, machine, runtime,
            precision, settings. Flat JSON values.
        facts: kept in the header for whoever goes on, not compared.

    Raises:
        RunError: the file is a journal of something else (says what differs), is no journal, or
            another process writes to it.
        StorageError: the disk is full, or the folder may not be written.
    """

    def __init__(self, path: Path, identity: Record, facts: Record) -> None:
        self.path = path
        self._mend = f"delete {path} to start again"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] = path.open("a+b")
        except OSError as error:
            raise storage_error(path, error) from error
        try:
            self._lock()
            records = self._read()
            if records:
                self._require(records[0], identity)
                self.append({"kind": "started"})
            else:
                header = {
                    "kind": "header",
                    "schema": SCHEMA,
                    "identity": dict(identity),
                    "facts": dict(facts),
                }
                self.append(header)
                records = [header]
        except BaseException:
            self.close()
            raise
        self.facts: Record = records[0]["facts"]
        self.records: tuple[Record, ...] = tuple(records[1:])
        self.resumed = len(records) > 1

    def append(self, record: Record, *, sync: bool = True) -> None:
        """Add a record; with ``sync`` it survives a power cut. Raises ``StorageError``."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n"
        try:
            self._stream.write(line)
            self._stream.flush()
            if sync:
                os.fsync(self._stream.fileno())
        except OSError as error:
            raise storage_error(self.path, error) from error

    def close(self) -> None:
        """Close the file; it stays.

        What an earlier ``append`` could not write fails here once more, and was told there.
        """
        with suppress(OSError):
            self._stream.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"another process measures into {self.path}; wait for it, or end it, then run this again"
            ) from error

    def _read(self) -> list[dict[str, Any]]:
        """Return the whole records and cut off what a crash left behind them."""
        self._stream.seek(0)
        data = self._stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        records = []
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise RunError(
                    f"line {number} of the journal {self.path} is damaged; {self._mend}"
                ) from error
            if not isinstance(record, dict) or "kind" not in record:
                raise RunError(f"{self.path} is no journal of a profile; {self._mend}")
            records.append(record)
        if len(whole) < len(data):
            self._stream.truncate(len(whole))
        return records

    def _require(self, header: Record, identity: Record) -> None:
        if header.get("kind") != "header" or header.get("schema") not in READ:
            raise RunError(f"{self.path} is no journal that this edgewright can go on with; {self._mend}")
        found = header["identity"]
        differences = [
            f"{key} is {_short(found.get(key))} there, {_short(identity.get(key))} here"
            for key in sorted(set(found) | set(identity))
            if found.get(key) != identity.get(key)
        ]
        if differences:
            raise RunError(
                f"the unfinished profile in {self.path} measured something else: {'; '.join(differences)}; "
                f"{self._mend}, or run the command that began it"
            )


def _short(value: object) -> str:
    return f"{value!s:.60}"

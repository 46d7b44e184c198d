"""The archive: everything that a search evaluated, in one SQLite file.

The file, whose format :mod:`edgewright.search.archive_format` tells, is in WAL mode and every
evaluation is committed when it is done, so a killed search loses at most the evaluations that it was
in. Rows are only ever added.
"""

from __future__ import annotations

import bisect
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.errors import RunError, StorageError
from edgewright.files import canonical_json
from edgewright.search.archive_format import (
    COLUMNS,
    ELSEWHERE,
    SCHEMA,
    TABLES,
    Evaluation,
    damaged,
    from_row,
    other_schema,
    select_rows,
    sqlite_errors,
    to_row,
    upgrade,
)
from edgewright.spaces.architecture import FloatArray, IntArray

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Archive", "Evaluation"]


class Archive:
    """A store of evaluations that only grows; any thread may use it, one writes at a time.

    Open it with :meth:`open` (to search) or :meth:`read` (to look). A context manager.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._evaluations = [from_row(row) for row in connection.execute(select_rows(connection))]

    @classmethod
    def open(
        cls,
        path: Path | str | None,
        meta: Mapping[str, Any] | None = None,
        *,
        notes: Mapping[str, Any] | None = None,
    ) -> Self:
        """Open the archive at ``path``, creating it where there is none.

        Args:
            path: the file; None keeps the archive in memory.
            meta: what the evaluations depend on (digests of weights and tables …), as JSON values;
                checked against the file's as by :meth:`require`.
            notes: what a reader may want to know of the first search, such as the versions of libraries;
                kept as it was then, and never compared.

        Raises:
            RunError: the file is no archive, or was made with other ``meta``.
            StorageError: the file cannot be written.
        """
        path = None if path is None else Path(path)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot create the folder of {path}: {error.strerror or error}") from error
        with sqlite_errors(path):
            connection = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=30.0)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.executescript(TABLES)
                upgrade(connection, path)
                archive = cls(connection, path)
                archive._forget_start()
                archive.require({"schema": SCHEMA, **(meta or {})})
                archive._note(notes or {})
            except BaseException:
                connection.close()
                raise
        return archive

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Open an existing archive without writing to it.

        Raises:
            RunError: there is no such file, it is no archive, or one whose search was ended at once.
        """
        path = Path(path)
        if not path.is_file():
            raise RunError(f"no archive at {path}; make one with `edgewright search`")
        with sqlite_errors(path):
            try:
                archive = cls._read(path, "mode=ro")
            except sqlite3.OperationalError:
                # A file in WAL mode is read by way of two others, which a disk that cannot be written to
                # has no place for. Where no log is left, there is nothing but the file itself.
                if _log_of(path).exists():
                    raise
                archive = cls._read(path, "mode=ro&immutable=1")
        schema = archive.meta.get("schema")
        if schema not in range(1, SCHEMA + 1):
            archive.close()
            if schema is None and not len(archive):
                raise _unfinished(path)
            raise other_schema(path, schema)
        return archive

    @classmethod
    def _read(cls, path: Path, how: str) -> Self:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{how}", uri=True, check_same_thread=False, timeout=30.0
        )
        try:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            if not names:  # killed between making the file and its tables
                raise _unfinished(path)
            return cls(connection, path)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. What was added stays readable in memory."""
        with self._lock:
            self._connection.close()

    def __len__(self) -> int:
        return len(self._evaluations)

    @property
    def meta(self) -> dict[str, Any]:
        """What the evaluations depend on."""
        return {key: json.loads(value) for key, value in self._query("SELECT key, value FROM meta")}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """All rows, failures included, by id."""
        with self._lock:
            return tuple(self._evaluations)

    @property
    def succeeded(self) -> tuple[Evaluation, ...]:
        """The rows that have objectives."""
        return tuple(row for row in self.evaluations if row.objectives is not None)

    @property
    def failures(self) -> tuple[Evaluation, ...]:
        """The quarantined rows."""
        return tuple(row for row in self.evaluations if row.failure is not None)

    def records(self) -> list[dict[str, Any]]:
        """Return every row as a flat dictionary, for ``csv.DictWriter`` or a data frame.

        All have the same keys: what is told of an evaluation, its encoding as digits between spaces, and the
        objectives and constraints by their names; None where it failed.
        """
        meta = self.meta
        names, limited = meta.get("objectives", ()), meta.get("constraints", ())
        found = list[dict[str, Any]]()
        for row in self.evaluations:
            told = {
                "id": row.id,
                "iteration": row.iteration,
                "x": " ".join(map(str, row.x)),
                **dict(zip(names, row.objectives or [None] * len(names), strict=False)),
                **dict(zip(limited, row.constraints, strict=False)),
                **row.circumstances(),
                "failure_kind": row.failure_kind,
                "failure": row.failure,
            }
            found.append(told)
        return found

    @property
    def X(self) -> IntArray:  # noqa: N802
        """Encodings of the rows that succeeded, ``(n, n_var)``."""
        return np.array([row.x for row in self.succeeded], dtype=np.int64)

    @property
    def F(self) -> FloatArray:  # noqa: N802
        """Objectives of the rows that succeeded, ``(n, n_obj)``."""
        return np.array([row.objectives for row in self.succeeded], dtype=np.float64)

    @property
    def reports(self) -> tuple[dict[str, Any], ...]:
        """The iterations' reports, as JSON values."""
        rows = self._query("SELECT report FROM iterations ORDER BY iteration")
        return tuple(json.loads(row[0]) for row in rows)

    def require(self, meta: Mapping[str, Any]) -> None:
        """Write ``meta`` into an archive without evaluations, or check it against the file's.

        Raises:
            RunError: the archive has evaluations and its ``meta`` differs; names all differences.
        """
        stored = {key: canonical_json(value) for key, value in self.meta.items()}
        wanted = {key: canonical_json(value) for key, value in meta.items()}
        differing = [key for key, value in wanted.items() if stored.get(key) != value]
        if not differing:
            return
        if len(self):
            faults = "; ".join(
                f"{key} was {stored.get(key, 'not recorded'):.80}, now {wanted[key]:.80}" for key in differing
            )
            raise RunError(
                f"archive {self.path or 'in memory'} holds {len(self)} evaluations made with other inputs: "
                f"{faults}; give the same inputs again, or {ELSEWHERE}"
            )
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(wanted.items()))

    def require_rows(self, n_choices: IntArray, n_objectives: int) -> None:
        """Check that a search of this kind can have written the rows: files are edited, and disks fail.

        Args:
            n_choices: of the space, ``(n_var,)``.
            n_objectives: of a row that succeeded.

        Raises:
            RunError: it cannot; names the first row.
        """
        for row in self.evaluations:
            x, values = row.x, row.objectives
            if len(x) != len(n_choices) or not all(0 <= v < n for v, n in zip(x, n_choices, strict=True)):
                raise damaged(
                    self.path, f"row {row.id} has the encoding {list(x)}, of no network of the space"
                )
            if values is not None and len(values) != n_objectives:
                raise damaged(
                    self.path, f"row {row.id} has {len(values)} objectives, expected {n_objectives}"
                )
        if not all(isinstance(report, dict) and "iteration" in report for report in self.reports):
            raise damaged(self.path, "the report of an iteration does not say of which")

    def _forget_start(self) -> None:
        """Delete what a search wrote that was ended before its first evaluation: it binds nobody."""
        if not len(self):
            with self._writing() as connection:
                connection.execute("DELETE FROM meta WHERE key != 'schema'")

    def _note(self, notes: Mapping[str, Any]) -> None:
        """Write what is not there yet."""
        rows = [(key, canonical_json(value)) for key, value in notes.items()]
        if {key for key, _ in rows} - self.meta.keys():
            with self._writing() as connection:
                connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", rows)

    def add(
        self,
        x: Sequence[int] | IntArray,
        *,
        objectives: Sequence[float] | None,
        constraints: Sequence[float] = (),
        iteration: int,
        position: int,
        seed: int,
        seconds: float,
        failure: str | None = None,
        failure_kind: str | None = None,
        attempts: int = 1,
        worker: str = "",
        weights: str | None = None,
    ) -> Evaluation:
        """Add one evaluation and commit it; see :class:`Evaluation` for the arguments.

        Its ``weights`` are those that the archive was opened with, where none are given. Its id is its
        place after all rows of earlier iterations, which must be complete: evaluations of one iteration
        may come in any order.

        Raises:
            RunError: the network, or the place, is taken.
            StorageError: the disk is full, or the file may not be written.
        """
        assert (objectives is None) != (failure is None), "an evaluation succeeds or fails"
        with self._lock:
            row = Evaluation(
                id=sum(row.iteration < iteration for row in self._evaluations) + position + 1,
                x=tuple(int(v) for v in x),
                objectives=None if objectives is None else tuple(float(v) for v in objectives),
                constraints=tuple(float(v) for v in constraints),
                iteration=iteration,
                position=position,
                seed=seed,
                seconds=seconds,
                failure=None if failure is None else failure.encode("utf-8", "backslashreplace").decode(),
                failure_kind=None if failure is None else failure_kind or "raised",
                attempts=attempts,
                worker=worker,
                weights=self._weights() if weights is None else weights,
            )
            values = to_row(row)
            with self._writing() as connection:
                places = ", ".join("?" * len(values))
                connection.execute(f"INSERT INTO evaluations ({COLUMNS}) VALUES ({places})", values)
            bisect.insort(self._evaluations, row, key=lambda found: found.id)
        return row

    def add_report(self, iteration: int, report: Mapping[str, Any], *, complete: bool) -> None:
        """Store an iteration's report, replacing one of the same iteration when it was cut short.

        Args:
            iteration: 0 for the initial design.
            report: JSON values.
            complete: whether all that the iteration proposed is evaluated.

        Raises:
            StorageError: the disk is full, or the file may not be written.
        """
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO iterations VALUES (?, ?, ?)",
                (iteration, int(complete), canonical_json(dict(report))),
            )

    def reported(self) -> dict[int, bool]:
        """Return the iterations that have a report, and whether they are complete."""
        return {row[0]: bool(row[1]) for row in self._query("SELECT iteration, complete FROM iterations")}

    def _weights(self) -> str:
        """Return the digest of the weights in ``meta``; empty where there is none."""
        for (value,) in self._query("SELECT value FROM meta WHERE key = 'weights'"):
            return str(json.loads(value))
        return ""

    def _query(self, sql: str) -> list[Any]:
        with self._lock, sqlite_errors(self.path):
            return self._connection.execute(sql).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, sqlite_errors(self.path), self._connection:
            yield self._connection


def _log_of(path: Path) -> Path:
    """Return the write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def _unfinished(path: Path) -> RunError:
    return RunError(
        f"archive {path} is unfinished: its search was ended before the first evaluation; give the same "
        "`edgewright search` again, or read another search with --name"
    )

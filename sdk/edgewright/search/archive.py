"""The archive: everything that a search evaluated, in one SQLite file.

Format history (``schema`` in the table ``meta``):

1. Tables ``meta`` (key, JSON value), ``evaluations`` (one row each, in the order of evaluation) and
   ``iterations`` (one JSON report each).

The file is in WAL mode and every evaluation is committed when it is done, so a killed search loses
at most the evaluation that it was in. Rows are only ever appended.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.errors import RunError, StorageError
from edgewright.files import canonical_json
from edgewright.spaces.architecture import FloatArray, IntArray

if TYPE_CHECKING:
    from typing import Self

SCHEMA = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS evaluations (
    id INTEGER PRIMARY KEY,
    x TEXT NOT NULL UNIQUE,
    objectives TEXT,
    constraints TEXT NOT NULL,
    iteration INTEGER NOT NULL,
    position INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    seconds REAL NOT NULL,
    failure TEXT,
    CHECK ((objectives IS NULL) != (failure IS NULL))
);
CREATE TABLE IF NOT EXISTS iterations (
    iteration INTEGER PRIMARY KEY, complete INTEGER NOT NULL, report TEXT NOT NULL
);
"""
_COLUMNS = "id, x, objectives, constraints, iteration, position, seed, seconds, failure"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluated network.

    Attributes:
        id: 1, 2, … in the order of evaluation; what ``--pick`` takes.
        x: canonical encoding, ``(n_var,)``.
        objectives: all minimised, the error first; None where the evaluation failed.
        constraints: costs that are only limited, not minimised.
        iteration: 0 for the initial design.
        position: place within the iteration.
        seed: of the search.
        seconds: the evaluation took, wall clock.
        failure: why it failed; None where it did not.
    """

    id: int
    x: tuple[int, ...]
    objectives: tuple[float, ...] | None
    constraints: tuple[float, ...]
    iteration: int
    position: int
    seed: int
    seconds: float
    failure: str | None


class Archive:
    """An append-only store of evaluations; any thread may use it, one writes at a time.

    Open it with :meth:`open` (to search) or :meth:`read` (to look). A context manager.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._evaluations = [_from_row(row) for row in connection.execute(_select())]

    @classmethod
    def open(
        cls,
        path: Path | None,
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
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot create the folder of {path}: {error.strerror or error}") from error
        with _sqlite_errors(path):
            connection = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=30.0)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.executescript(_TABLES)
                archive = cls(connection, path)
                archive.require({"schema": SCHEMA, **(meta or {})})
                archive._note(notes or {})
            except BaseException:
                connection.close()
                raise
        return archive

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing archive without writing to it.

        Raises:
            RunError: there is no such file, it is no archive, or one whose search was ended at once.
        """
        if not path.is_file():
            raise RunError(f"no archive at {path}; make one with `edgewright search`")
        with _sqlite_errors(path):
            try:
                archive = cls._read(path, "mode=ro")
            except sqlite3.OperationalError:
                # A file in WAL mode is read by way of two others, which a disk that cannot be written to
                # has no place for. Where no log is left, there is nothing but the file itself.
                if _log_of(path).exists():
                    raise
                archive = cls._read(path, "mode=ro&immutable=1")
        schema = archive.meta.get("schema")
        if schema != SCHEMA:
            archive.close()
            if schema is None and not len(archive):
                raise _unfinished(path)
            raise RunError(
                f"archive {path} has schema {schema!r}, this edgewright reads {SCHEMA}; upgrade it"
            )
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
        """All rows, failures included, in the order of evaluation."""
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
                f"{faults}; give the same inputs again, or search into a new run"
            )
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(wanted.items()))

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
    ) -> Evaluation:
        """Append one evaluation and commit it; see :class:`Evaluation` for the arguments.

        Raises:
            StorageError: the disk is full, or the file may not be written.
        """
        assert (objectives is None) != (failure is None), "an evaluation succeeds or fails"
        with self._lock:
            row = Evaluation(
                id=len(self._evaluations) + 1,
                x=tuple(int(v) for v in x),
                objectives=None if objectives is None else tuple(float(v) for v in objectives),
                constraints=tuple(float(v) for v in constraints),
                iteration=iteration,
                position=position,
                seed=seed,
                seconds=seconds,
                failure=failure,
            )
            with self._writing() as connection:
                connection.execute(
                    f"INSERT INTO evaluations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _to_row(row)
                )
            self._evaluations.append(row)
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

    def _query(self, sql: str) -> list[Any]:
        with self._lock, _sqlite_errors(self.path):
            return self._connection.execute(sql).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _sqlite_errors(self.path), self._connection:
            yield self._connection


def _log_of(path: Path) -> Path:
    """Return the write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def _unfinished(path: Path) -> RunError:
    return RunError(
        f"archive {path} is unfinished: its search was ended before the first evaluation; give the same "
        "`edgewright search` again, or read another search with --name"
    )


def _select() -> str:
    return f"SELECT {_COLUMNS} FROM evaluations ORDER BY id"


def _to_row(row: Evaluation) -> tuple[Any, ...]:
    objectives = None if row.objectives is None else json.dumps(row.objectives, allow_nan=False)
    constraints = json.dumps(row.constraints, allow_nan=False)
    x = json.dumps(row.x, separators=(",", ":"))
    tail = (row.iteration, row.position, row.seed, row.seconds, row.failure)
    return (row.id, x, objectives, constraints, *tail)


def _from_row(row: tuple[Any, ...]) -> Evaluation:
    identity, x, objectives, constraints, *tail = row
    values = None if objectives is None else tuple(json.loads(objectives))
    return Evaluation(identity, tuple(json.loads(x)), values, tuple(json.loads(constraints)), *tail)


@contextmanager
def _sqlite_errors(path: Path | None) -> Iterator[None]:
    """Turn SQLite's exceptions into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "no such table" in text or "no such column" in text:
            raise RunError(f"{path} is no archive of edgewright ({text}); search into a new run") from error
        if "full" in text:
            raise StorageError(
                f"no space left on the disk of {path}: free some, then run the same command again; "
                "all finished evaluations are saved"
            ) from error
        raise StorageError(f"cannot use the archive {path}: {text}") from error
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise RunError(
            f"archive {path} is damaged or no SQLite file ({error}); restore it, or search into a new run"
        ) from error

"""What lies in an archive's file: its tables, its rows, and how an earlier file becomes a present one.

Format history (``schema`` in the table ``meta``):

1. Tables ``meta`` (key, JSON value), ``evaluations`` (one row each, in the order of evaluation) and
   ``iterations`` (one JSON report each).
2. ``evaluations`` tells also the kind of a failure, how often the evaluation was tried and who did it.
   An id is a function of iteration and position, so rows may come in any order. A file of schema 1 is
   read as it is, and becomes one of schema 2 when a search goes on in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewright.errors import RunError, StorageError

SCHEMA = 2

TABLES = """
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
    failure_kind TEXT,
    attempts INTEGER NOT NULL DEFAULT 1,
    worker TEXT NOT NULL DEFAULT '',
    CHECK ((objectives IS NULL) != (failure IS NULL))
);
CREATE TABLE IF NOT EXISTS iterations (
    iteration INTEGER PRIMARY KEY, complete INTEGER NOT NULL, report TEXT NOT NULL
);
"""
_COLUMNS_1 = "id, x, objectives, constraints, iteration, position, seed, seconds, failure"
COLUMNS = f"{_COLUMNS_1}, failure_kind, attempts, worker"
# What schema 1 lacks, as SQL: columns to add, and their values in rows that were made without.
_ADDED = ("failure_kind TEXT", "attempts INTEGER NOT NULL DEFAULT 1", "worker TEXT NOT NULL DEFAULT ''")
_KIND_1 = (
    "CASE WHEN failure IS NULL THEN NULL WHEN failure LIKE 'the evaluator returned%' THEN 'not finite' "
    "ELSE 'raised' END"
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluated network.

    Attributes:
        id: 1, 2, … in the order that one evaluation after the other has; what ``--pick`` takes.
        x: canonical encoding, ``(n_var,)``.
        objectives: all minimised, the error first; None where the evaluation failed.
        constraints: costs that are only limited, not minimised.
        iteration: 0 for the initial design.
        position: place within the iteration.
        seed: of the search.
        seconds: the evaluation took, wall clock, on the worker that did it.
        failure: why it failed; None where it did not.
        failure_kind: ``raised``, ``not finite``, ``negative``, ``hung`` or ``lost``; None where it did not
            fail.
        attempts: how often it was begun; above 1 where a worker was lost.
        worker: who did it; empty in files of schema 1.
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
    failure_kind: str | None = None
    attempts: int = 1
    worker: str = ""


def other_schema(path: Path | None, schema: object) -> RunError:
    """Return the error to raise for a file of a later edgewright."""
    return RunError(
        f"archive {path} has schema {schema!r}, this edgewright reads up to {SCHEMA}; upgrade edgewright"
    )


def upgrade(connection: sqlite3.Connection, path: Path | None) -> None:
    """Make a file of schema 1 one of schema 2, at once or not at all.

    Raises:
        RunError: the file was written by a later edgewright.
    """
    stored = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    schema = None if stored is None else json.loads(stored[0])
    if schema not in (None, *range(1, SCHEMA + 1)):
        raise other_schema(path, schema)
    if not _lacks_columns(connection):
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for column in _ADDED:
            connection.execute(f"ALTER TABLE evaluations ADD COLUMN {column}")
        connection.execute(f"UPDATE evaluations SET failure_kind = {_KIND_1}")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (json.dumps(SCHEMA),))


def _lacks_columns(connection: sqlite3.Connection) -> bool:
    """Return whether the evaluations are a table of schema 1."""
    return "attempts" not in {row[1] for row in connection.execute("PRAGMA table_info(evaluations)")}


def select_rows(connection: sqlite3.Connection) -> str:
    """Return the query of all rows by id, whichever schema the file has."""
    # A file of schema 1 that is opened to be read alone stays one.
    columns = f"{_COLUMNS_1}, {_KIND_1}, 1, ''" if _lacks_columns(connection) else COLUMNS
    return f"SELECT {columns} FROM evaluations ORDER BY id"


def to_row(row: Evaluation) -> tuple[Any, ...]:
    """Return an evaluation's values in the order of :data:`COLUMNS`."""
    objectives = None if row.objectives is None else json.dumps(row.objectives, allow_nan=False)
    constraints = json.dumps(row.constraints, allow_nan=False)
    x = json.dumps(row.x, separators=(",", ":"))
    tail = (row.iteration, row.position, row.seed, row.seconds, row.failure)
    return (row.id, x, objectives, constraints, *tail, row.failure_kind, row.attempts, row.worker)


def from_row(row: tuple[Any, ...]) -> Evaluation:
    """Return the evaluation of values in the order of :data:`COLUMNS`."""
    identity, x, objectives, constraints, *tail = row
    values = None if objectives is None else tuple(json.loads(objectives))
    return Evaluation(identity, tuple(json.loads(x)), values, tuple(json.loads(constraints)), *tail)


@contextmanager
def sqlite_errors(path: Path | None) -> Iterator[None]:
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
    except sqlite3.IntegrityError as error:
        raise RunError(
            f"archive {path} holds that network, or another one in its place, already ({error}); let one "
            "search at a time write to it"
        ) from error
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise RunError(
            f"archive {path} is damaged or no SQLite file ({error}); restore it, or search into a new run"
        ) from error

"""What lies in an archive's file: its tables, its rows, and how an earlier file becomes a present one.

Format history (``schema`` in the table ``meta``):

1. Tables ``meta`` (key, JSON value), ``evaluations`` (one row each, in the order of evaluation) and
   ``iterations`` (one JSON report each).
2. ``evaluations`` tells also the kind of a failure, how often the evaluation was tried and who did it.
   An id is a function of iteration and position, so rows may come in any order.
3. ``evaluations`` tells also the digest of the weights that each was evaluated with.

An earlier file is read as it is, and becomes one of the present schema when a search goes on in it.
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

SCHEMA = 3
#: What to do where a file is not to be searched into.
ELSEWHERE = "search under another --name (in Python: into another archive)"

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
    weights TEXT NOT NULL DEFAULT '',
    CHECK ((objectives IS NULL) != (failure IS NULL))
);
CREATE TABLE IF NOT EXISTS iterations (
    iteration INTEGER PRIMARY KEY, complete INTEGER NOT NULL, report TEXT NOT NULL
);
"""
_COLUMNS_1 = "id, x, objectives, constraints, iteration, position, seed, seconds, failure"
# What earlier schemas lack, as SQL: the type of each column, and its value in rows that were made without.
_KIND_1 = (
    "CASE WHEN failure IS NULL THEN NULL WHEN failure LIKE 'the evaluator returned%' THEN 'not finite' "
    "ELSE 'raised' END"
)
# A digest needs no escapes in JSON. The same weights made all rows of a file, which ``meta`` holds it to.
_WEIGHTS_2 = "coalesce((SELECT trim(value, '\"') FROM meta WHERE key = 'weights'), '')"
_ADDED = {
    "failure_kind": ("TEXT", _KIND_1),
    "attempts": ("INTEGER NOT NULL DEFAULT 1", "1"),
    "worker": ("TEXT NOT NULL DEFAULT ''", "''"),
    "weights": ("TEXT NOT NULL DEFAULT ''", _WEIGHTS_2),
}
COLUMNS = ", ".join([_COLUMNS_1, *_ADDED])


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
        weights: digest of the supernet's weights that it was evaluated with; empty where the search was
            told none.
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
    weights: str = ""

    def circumstances(self) -> dict[str, Any]:
        """Return what it was evaluated with, by whom and how long it took, as JSON values."""
        return {
            "seconds": self.seconds,
            "seed": self.seed,
            "weights": self.weights,
            "worker": self.worker,
            "attempts": self.attempts,
        }


def other_schema(path: Path | None, schema: object) -> RunError:
    """Return the error to raise for a file of a later edgewright."""
    return RunError(
        f"archive {path} has schema {schema!r}, this edgewright reads up to {SCHEMA}; upgrade edgewright"
    )


def damaged(path: Path | None, why: str) -> RunError:
    """Return the error to raise for a file that edgewright did not leave so."""
    return RunError(f"archive {path} is damaged or no SQLite file ({why}); restore it, or {ELSEWHERE}")


def upgrade(connection: sqlite3.Connection, path: Path | None) -> None:
    """Make a file of an earlier schema one of the present, at once or not at all.

    Raises:
        RunError: the file was written by a later edgewright.
    """
    stored = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    schema = None if stored is None else json.loads(stored[0])
    if schema not in (None, *range(1, SCHEMA + 1)):
        raise other_schema(path, schema)
    lacking = _lacking(connection)
    if not lacking:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for name, (kind, _) in lacking.items():
            connection.execute(f"ALTER TABLE evaluations ADD COLUMN {name} {kind}")
        values = ", ".join(f"{name} = {value}" for name, (_, value) in lacking.items())
        connection.execute(f"UPDATE evaluations SET {values}")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (json.dumps(SCHEMA),))


def _lacking(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Return the columns that a file of an earlier schema lacks: type, and value in rows without."""
    present = {row[1] for row in connection.execute("PRAGMA table_info(evaluations)")}
    return {name: column for name, column in _ADDED.items() if name not in present}


def select_rows(connection: sqlite3.Connection) -> str:
    """Return the query of all rows by id, whichever schema the file has."""
    # A file of an earlier schema that is opened to be read alone stays one.
    lacking = _lacking(connection)
    added = [lacking[name][1] if name in lacking else name for name in _ADDED]
    return f"SELECT {', '.join([_COLUMNS_1, *added])} FROM evaluations ORDER BY id"


def to_row(row: Evaluation) -> tuple[Any, ...]:
    """Return an evaluation's values in the order of :data:`COLUMNS`."""
    objectives = None if row.objectives is None else json.dumps(row.objectives, allow_nan=False)
    constraints = json.dumps(row.constraints, allow_nan=False)
    x = json.dumps(row.x, separators=(",", ":"))
    tail = (row.iteration, row.position, row.seed, row.seconds, row.failure)
    added = (row.failure_kind, row.attempts, row.worker, row.weights)
    return (row.id, x, objectives, constraints, *tail, *added)


def from_row(row: tuple[Any, ...]) -> Evaluation:
    """Return the evaluation of values in the order of :data:`COLUMNS`.

    Raises:
        sqlite3.DataError: they are none of an evaluation.
        json.JSONDecodeError: likewise.
    """
    identity, x, objectives, constraints, *tail = row
    values = None if objectives is None else json.loads(objectives)
    lists = (json.loads(x), [] if values is None else values, json.loads(constraints))
    if not all(isinstance(found, list) and all(map(_is_number, found)) for found in lists):
        raise sqlite3.DataError(f"row {identity} is no evaluation")
    return Evaluation(
        identity, tuple(lists[0]), None if values is None else tuple(values), tuple(lists[2]), *tail
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


@contextmanager
def sqlite_errors(path: Path | None) -> Iterator[None]:
    """Turn SQLite's exceptions into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "no such table" in text or "no such column" in text:
            raise RunError(f"{path} is no archive of edgewright ({text}); {ELSEWHERE}") from error
        if "full" in text:
            raise StorageError(
                f"no space left on the disk of {path}: free some, then run the same command again; "
                "all finished evaluations are saved"
            ) from error
        if "locked" in text or "busy" in text:
            raise StorageError(
                f"cannot use the archive {path}: another program writes to it ({text}); wait for it, or end "
                "it, then run the same command again; all finished evaluations are saved"
            ) from error
        raise StorageError(
            f"cannot use the archive {path}: {text}; give the path of a file that you may write to, in a "
            "folder that you may write to"
        ) from error
    except sqlite3.IntegrityError as error:
        raise RunError(
            f"archive {path} holds that network, or another one in its place, already ({error}); let one "
            "search at a time write to it"
        ) from error
    except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
        raise damaged(path, str(error)) from error

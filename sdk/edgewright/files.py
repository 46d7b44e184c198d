"""Files that are whole or absent: written beside their place, synced, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgewright.errors import SDKError, StorageError, UsageError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` when the block succeeds.

    Raises:
        StorageError: the disk is full or the folder may not be written; ``path`` is as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp creates 0600; give the file the rights that open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except SDKError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error to raise for an ``OSError`` met while writing ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no space left on the disk of {path.parent}: free some, then run the same command again; "
            "what was saved before is intact"
        )
    return StorageError(
        f"cannot write {path}: {error.strerror or error}; give a folder that you may write to"
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically. Raises ``StorageError``."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, in UTF-8. Raises ``StorageError``."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON to ``path`` atomically. NaN is refused. Raises ``StorageError``."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, *, what: str, mend: str, error: type[SDKError] = UsageError) -> Any:
    """Return the JSON in ``path``; raise ``error`` with one line where there is none.

    Args:
        path: the file.
        what: what the file should be, for the message: "latency table".
        mend: what the user can do, for the message.
        error: the class that is raised.
    """
    try:
        return parse_json(path.read_text("utf-8"))
    except FileNotFoundError as cause:
        raise error(f"{what} {path} does not exist; {mend}") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{what} {path} cannot be read ({cause}); {mend}") from cause
    except json.JSONDecodeError as cause:
        raise error(
            f"{what} {path} is truncated or not JSON (line {cause.lineno}: {cause.msg}); {mend}"
        ) from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{what} {path} is no JSON that can be used ({cause}); {mend}") from cause


def parse_json(text: str) -> Any:
    """Return the JSON value of ``text``.

    Raises:
        ValueError: it is not JSON, or a key stands twice in one object, where Python's own reader
            would keep the last.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(value: Any) -> str:
    """Return the hexadecimal SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def file_digest(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()

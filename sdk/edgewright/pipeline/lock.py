"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from edgewright.errors import RunError
from edgewright.files import storage_error

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which is made, while the block runs; a killed process lets go of it.

    Raises:
        RunError: another process holds it.
        StorageError: the folder may not be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    except OSError as error:
        raise storage_error(path, error) from error
    with stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"another process works in {folder}; wait for it, or end it, then run this again"
                ) from error
            except OSError:  # a file system without locks
                pass
        yield

"""Artifacts while a profile runs: built once, kept for later passes while there is room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edgewright.errors import RuntimeFailureError
from edgewright.files import digest_of
from edgewright.latency.runner import FATAL

MAX_BYTES = 1 << 30


class Workshop:
    """A folder of artifacts beside the journal; a resumed profile finds those of the killed one.

    Args:
        folder: is made; :meth:`close` removes it.
        suffix: of the runtime's artifacts.
        max_bytes: artifacts beyond it are deleted after use.
    """

    def __init__(self, folder: Path, suffix: str, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.suffix = suffix
        self.max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._bytes = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())

    def artifact(self, key: str, build: Callable[[Path], None]) -> Path:
        """Return the file of ``key``, built now unless it is there.

        Raises:
            RuntimeFailureError: ``build`` failed; its reason is the message.
            StorageError: the disk is full. So do the other errors of ``FATAL`` pass.
        """
        path = self._path(key)
        if path.is_file():
            return path
        try:
            build(path)
        except FATAL:
            raise
        except Exception as error:  # a user's exporter may raise anything; one operator must not end the run
            raise RuntimeFailureError(f"cannot be built: {error}") from error
        if not path.is_file():
            raise RuntimeFailureError("cannot be built: the exporter wrote no file")
        self._bytes += path.stat().st_size
        return path

    def release(self, key: str) -> None:
        """Delete the artifact of ``key`` if there is no room to keep it."""
        path = self._path(key)
        if self._bytes > self.max_bytes and path.is_file():
            self._bytes -= path.stat().st_size
            path.unlink()

    def close(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{digest_of(key)[:24]}{self.suffix}"

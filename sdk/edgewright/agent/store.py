"""Artifacts on the device, named by their digest: whole or absent, the oldest deleted first."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from edgewright.agent.protocol import MAX_FILE_BYTES, STORED_NAME
from edgewright.errors import StorageError, UsageError

MAX_BYTES = 1 << 30
_SPARE_BYTES = 16 << 20  # left free on the device's disk


class Store:
    """A folder of artifacts.

    Args:
        folder: is made when something is put.
        max_bytes: artifacts beyond it make room, those unused for longest first.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that are not there; those that are count as used now."""
        absent = []
        for name in names:
            path = self.path(name)
            if path.is_file():
                with contextlib.suppress(OSError):
                    os.utime(path)
            else:
                absent.append(name)
        return absent

    def path(self, name: str) -> Path:
        """Return where ``name`` lies or would lie. Raises ``UsageError``."""
        if not STORED_NAME.fullmatch(name):
            raise UsageError(
                f"{name!r:.100} is no name of a stored file: a SHA-256 and a suffix are expected"
            )
        return self.folder / name

    def put(self, name: str, data: bytes, *, offset: int, size: int) -> bool:
        """Add a chunk to a file; return whether the file is now whole.

        Args:
            name: digest and suffix.
            data: the chunk.
            offset: where it belongs.
            size: of the whole file.

        Raises:
            StorageError: the disk is full, or the folder may not be written.
            UsageError: the file is too large, its bytes have another digest, or another offset is due.
        """
        path = self.path(name)
        if not 0 < size <= MAX_FILE_BYTES or offset + len(data) > size:
            raise UsageError(
                f"a stored file has 1 to {MAX_FILE_BYTES} bytes, got {offset + len(data)} of {size}"
            )
        part = path.with_name(f".part-{name}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            present = part.stat().st_size if part.exists() else 0
            if offset == 0:
                present = 0
                self._make_room(size, keep={name})
            if offset != present:
                raise UsageError(f"{name} has {present} bytes so far, a chunk at {offset} does not follow")
            with part.open("wb" if offset == 0 else "ab") as stream:
                stream.write(data)
                stream.flush()
                if offset + len(data) < size:
                    return False
                os.fsync(stream.fileno())
            digest = hashlib.sha256(part.read_bytes()).hexdigest()
            if digest != name[:64]:
                part.unlink()
                raise UsageError(f"{name} arrived damaged: its digest is {digest}; send it again")
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise full(self.folder, error) from error
        return True

    def clean(self) -> tuple[int, int]:
        """Delete every artifact; return how many and their bytes."""
        files = self._files()
        freed = 0
        for file in files:
            with contextlib.suppress(OSError):
                size = file.stat().st_size
                file.unlink()
                freed += size
        return len(files), freed

    def total_bytes(self) -> int:
        """Return the bytes of all artifacts."""
        return sum(file.stat().st_size for file in self._files())

    def _files(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if file.is_file()] if self.folder.is_dir() else []

    def _make_room(self, size: int, *, keep: Collection[str]) -> None:
        """Delete what was not used for longest until ``size`` bytes fit."""
        # Files used within the last minutes may belong to the turn that is being put together.
        files = sorted(self._files(), key=lambda file: file.stat().st_mtime)
        total = sum(file.stat().st_size for file in files)
        for file in files:
            if total + size <= self.max_bytes and self._fits(size):
                return
            if file.name not in keep:
                total -= file.stat().st_size
                file.unlink()
        if not self._fits(size):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _fits(self, size: int) -> bool:
        return shutil.disk_usage(self.folder).free >= size + min(_SPARE_BYTES, size)


def full(folder: Path, error: OSError) -> StorageError:
    """Return the error to raise for an ``OSError`` met while writing below ``folder`` on the device."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no space left on the disk of {folder}: free some there, or empty what edgewright keeps with: "
            "edgewright device clean"
        )
    return StorageError(f"cannot write below {folder}: {error.strerror or error}")

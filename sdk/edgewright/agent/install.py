"""Installing a runtime on the device from wheels that the host fetched: unzipped, tried, then renamed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgewright.agent import places
from edgewright.agent.store import full
from edgewright.errors import RuntimeFailureError, UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*")
_TRY_S = 300.0


def folder_of(runtime: str) -> Path | None:
    """Return the folder whose packages a runtime is imported from; ``None`` where none was installed."""
    link = places.runtimes() / runtime
    return link.resolve() if runtime and link.is_dir() else None


def install(
    runtime: str, label: str, wheels: Sequence[Path], *, archive: Path, note: Callable[[str], None]
) -> str:
    """Unzip ``wheels`` into a folder of their own, see whether the runtime loads, and put it to use.

    What was in use before stays so until the new one has loaded, and is deleted then.

    Args:
        runtime: key of the backend registry.
        label: name of the folder: package, version and a digest of the wheels.
        wheels: wheel files on this device.
        archive: the agent's zip, to try the runtime in a process of its own.
        note: told what is done.

    Returns:
        Package and version, as the runtime itself says.

    Raises:
        StorageError: the disk is full; what was there is as it was.
        RuntimeFailureError: the runtime does not load on this device.
    """
    if not (_NAME.fullmatch(runtime) and _NAME.fullmatch(label)):
        raise UsageError(f"{runtime!r}, {label!r} are no names of a runtime and its folder")
    root = places.runtimes()
    target = root / label
    staged: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not target.is_dir():  # which is whole where it is there at all
            staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=root))
            for number, wheel in enumerate(wheels, 1):
                note(f"unpacking {number} of {len(wheels)}")
                _unpack(wheel, staged)
        note("loading it")
        version = _try(runtime, staged or target, archive)
        if staged is not None:
            staged.chmod(0o755)
            staged.rename(target)
        link = root / f".link-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(label)
        before = folder_of(runtime)
        link.replace(root / runtime)
        if before is not None and before != target:
            shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise full(root, error) from error
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)
        _sweep(root)
    return version


def _unpack(wheel: Path, folder: Path) -> None:
    """Put a wheel's files where they are imported from."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise UsageError(f"{wheel.name} is no wheel: {error}") from error
    for data in folder.glob("*.data"):
        for kind in ("purelib", "platlib"):
            if (data / kind).is_dir():
                shutil.copytree(data / kind, folder, dirs_exist_ok=True)
        shutil.rmtree(data)


def _try(runtime: str, folder: Path, archive: Path) -> str:
    """Return the version that the runtime in ``folder`` says it is."""
    command = [sys.executable, "-u", str(archive), "--worker-version", runtime, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRY_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeFailureError(f"{runtime} was unpacked, but did not load in {_TRY_S:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeFailureError(
            f"{runtime} was unpacked but does not load on this device ({lines[-1]:.300}); "
            "what was in use before is kept"
        )
    return done.stdout.strip().splitlines()[-1]


def _sweep(root: Path) -> None:
    """Delete what an installation that was cut off left."""
    with contextlib.suppress(OSError):
        for left in root.glob(".staged-*"):
            shutil.rmtree(left, ignore_errors=True)

"""The agent as one file, ``edgewright-agent.pyz``: the same bytes from the same sources, on any host."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PACKAGE = Path(__file__).resolve().parents[1]
# What the agent needs of the package; a test imports all of it on Python 3.10 with numpy alone.
_PARTS = (
    "__init__.py",
    "errors.py",
    "files.py",
    "agent/*.py",
    "backends/__init__.py",
    "backends/artifact.py",
    "backends/base.py",
    "backends/registry.py",
    "backends/silence.py",
    "backends/*/__init__.py",
    "backends/*/runtime.py",
    "backends/tensorrt/cuda.py",
    "backends/tensorrt/log.py",
    "devices/*.py",
    "latency/__init__.py",
    "latency/footprint.py",
    "latency/footprint_child.py",
    "latency/local_runner.py",
    "latency/machine.py",
    "latency/measure.py",
    "latency/measurement.py",
    "latency/notes.py",
    "latency/paired.py",
    "latency/runner.py",
    "latency/stopwatch.py",
)
# Older Pythons must be able to read this much, to say what is wrong.
_MAIN = """\
import sys

if sys.version_info < (3, 10):
    print('{"edgewright-agent": 0, "python": [%d, %d, %d]}' % sys.version_info[:3])
    sys.exit(0)

from edgewright.agent.main import main

sys.exit(main())
"""
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


class Archive(NamedTuple):
    """The agent.

    Attributes:
        data: a zip that Python runs.
        digest: its hexadecimal SHA-256.
    """

    data: bytes
    digest: str


@cache
def agent_archive() -> Archive:
    """Return the agent of this edgewright."""
    files = {"__main__.py": _MAIN.encode("utf-8")}
    for pattern in _PARTS:
        for path in _PACKAGE.glob(pattern):
            files[f"edgewright/{path.relative_to(_PACKAGE).as_posix()}"] = path.read_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in sorted(files.items()):
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3  # Unix, wherever it is made
            # Not compressed: another zlib would give other bytes, and importing is faster so.
            archive.writestr(info, data)
    data = stream.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest())

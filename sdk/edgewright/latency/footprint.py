"""What a compiled network needs besides time: file, memory, and time to load.

A process that has imported more than the runtime says nothing of a network's memory, and one that has
loaded the network before says nothing of its first load. So a fresh process is started
(:mod:`edgewright.latency.footprint_child`), which

1. imports the runtime and no more, and has the kernel forget the peak of that,
2. opens the artifact, timed: the first load,
3. runs it a few times, and reads its peak of resident memory,
4. opens the artifact again and again, timed: the load of a process that has done it before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edgewright
from edgewright.errors import RuntimeFailureError

TIMEOUT_S = 120.0  # a network that takes longer to load ten times does not fit the device anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a compiled network costs besides time.

    Attributes:
        size_bytes: of the file.
        memory_bytes: peak resident memory of a process that loads and runs it, less what the same process
            held with only the runtime imported; ``None`` where the system does not tell. Main memory: that
            of a GPU is not in it.
        baseline_bytes: the latter, the interpreter included; ``None`` where the system does not tell.
        load_ms: median time to open it in a process that opened it before.
        first_load_ms: time to open it in a fresh process, whose runtime sets itself up meanwhile; the file
            itself lies in the system's cache.
        n_loads: opens that ``load_ms`` is the median of.
    """

    size_bytes: int
    memory_bytes: int | None
    baseline_bytes: int | None
    load_ms: float
    first_load_ms: float
    n_loads: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Footprint:
        """Return what ``to_json`` described. Raises ``ValueError`` where it is none."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) != names:
            raise ValueError(f"a footprint needs exactly the keys {sorted(names)}")
        for name, value in data.items():
            kinds = (int, float) if name.endswith("_ms") else (int,)
            known = value is not None or name not in ("memory_bytes", "baseline_bytes")
            if known and (type(value) not in kinds or not 0 <= value < 1e15):
                raise ValueError(f"{name} of a footprint is a number of 0 or more, got {value!r:.40}")
        return cls(**data)

    def text(self) -> str:
        """Return a line for a terminal."""
        if self.memory_bytes is None:
            memory = "peak memory not told by this system"
        else:
            memory = f"peak memory {self.memory_bytes / 1e6:.3g} MB above the runtime's own"
        return (
            f"file {self.size_bytes / 1e6:.3g} MB, {memory}, loads in {self.load_ms:.3g} ms "
            f"({self.first_load_ms:.3g} ms in a fresh process)"
        )


def measure_footprint(
    artifact: Path, runtime_name: str, *, threads: int = 1, timeout_s: float = TIMEOUT_S
) -> Footprint:
    """Return what an artifact costs besides time, measured in a process of its own.

    Args:
        artifact: a file of the runtime.
        runtime_name: key of the backend registry.
        threads: of the runtime; each has memory of its own.
        timeout_s: the process is ended after it.

    Raises:
        RuntimeFailureError: the runtime refuses the file, or takes the process down, or is too slow.
    """
    command = [sys.executable, "-m", "edgewright.latency.footprint_child"]
    command += [runtime_name, str(artifact), str(threads)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeFailureError(
            f"{artifact} did not load and run within {timeout_s:.0f} s in a fresh process; "
            "it is too large for this device, or the machine is too busy"
        ) from error
    except OSError as error:
        raise RuntimeFailureError(f"cannot start {sys.executable} to load {artifact}: {error}") from error
    found = _last_line(done.stdout)
    if "error" in found:
        raise RuntimeFailureError(str(found["error"]))
    if not found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeFailureError(
            f"{runtime_name} took a fresh process down while it loaded {artifact} (status {done.returncode}: "
            f"{reason:.200}); compile it again with: edgewright compile"
        )
    return Footprint(size_bytes=artifact.stat().st_size, **found)


def _environment() -> dict[str, str]:
    """Return an environment in which a new interpreter finds this very package, even in a zip file."""
    package = str(Path(edgewright.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    # What lies in the working folder must not hide a module, as it cannot in a console script either.
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}


def _last_line(text: str) -> dict[str, Any]:
    """Return the JSON object on the last line; a runtime may have printed before it."""
    try:
        value = json.loads(text.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}

"""The fresh process behind :mod:`edgewright.latency.footprint`, which starts it and reads its one line.

``python -m edgewright.latency.footprint_child RUNTIME ARTIFACT THREADS`` prints a JSON object.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgewright.backends.artifact import random_feeds
from edgewright.backends.registry import runtime
from edgewright.errors import SDKError

resource: ModuleType | None
try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

RUNS = 5  # memory that a runtime takes only while it runs is taken in the first few
MAX_LOADS = 11
MAX_LOADING_S = 5.0
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def peak_bytes() -> int | None:
    """Return the peak of this process's resident memory; ``None`` where the system does not tell.

    On Linux from ``VmHWM``: ``ru_maxrss`` survives ``exec``, so that a child starts with its parent's.
    """
    try:
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if resource is None or sys.platform == "linux":
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, kilobytes elsewhere


def forget_peak() -> None:
    """Have the kernel take the present memory for the peak, where it can (proc(5), ``clear_refs``).

    Elsewhere the peak of the imports stands, and hides as much of what follows as they gave back.
    """
    with contextlib.suppress(OSError):
        _CLEAR_REFS.write_text("5")


def footprint(runtime_name: str, artifact: Path, threads: int) -> dict[str, Any]:
    """Return what was measured, by the names of :class:`~edgewright.latency.footprint.Footprint`.

    Raises:
        SDKError: the runtime is absent, or refuses the file.
    """
    engine = runtime(runtime_name)
    rng = np.random.default_rng(0)
    forget_peak()
    before = peak_bytes()
    start = time.perf_counter()
    with engine.open(artifact, threads=threads) as session:
        first_load_ms = (time.perf_counter() - start) * 1e3
        run = session.bind(random_feeds(session.inputs, rng))
        for _ in range(RUNS):
            run()
        session.synchronize()
        after = peak_bytes()
    del run, session
    loads_ms: list[float] = []
    began = time.perf_counter()
    while not loads_ms or (len(loads_ms) < MAX_LOADS and time.perf_counter() - began < MAX_LOADING_S):
        start = time.perf_counter()
        with engine.open(artifact, threads=threads):
            loads_ms.append((time.perf_counter() - start) * 1e3)
    return {
        "memory_bytes": None if before is None or after is None else after - before,
        "baseline_bytes": before,
        "load_ms": round(float(np.median(loads_ms)), 4),
        "first_load_ms": round(first_load_ms, 4),
        "n_loads": len(loads_ms),
    }


def main() -> None:
    """Print one JSON object: what was measured, or ``error``."""
    runtime_name, artifact, threads = sys.argv[1:]
    try:
        found = footprint(runtime_name, Path(artifact), int(threads))
    except SDKError as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

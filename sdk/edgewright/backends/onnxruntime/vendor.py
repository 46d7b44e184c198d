"""ONNX Runtime's own profile of an artifact.

``SessionOptions.enable_profiling`` has the session write one event a node and a run, in whole
microseconds, as Chrome trace JSON (onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html).
The same session options as in :mod:`edgewright.backends.onnxruntime.runtime` are measured. Writing the
events slows every node down, small networks many times over: what can be compared is its clock with ours
around the same runs, and the share of each kind of node.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.backends.artifact import random_feeds
from edgewright.backends.cross_check import N_RUNS, N_WARMUP, CrossCheck, NoCrossCheck
from edgewright.backends.onnxruntime.runtime import OnnxRuntime
from edgewright.errors import RuntimeFailureError


def profile(artifact: Path, threads: int) -> CrossCheck | NoCrossCheck:
    """Return what ONNX Runtime's profiler tells of ``artifact``.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        RuntimeFailureError: it refuses the file, or wrote no profile.
    """
    engine = OnnxRuntime()
    with tempfile.TemporaryDirectory() as folder:
        with engine.open_profiled(artifact, Path(folder) / "profile", threads=threads) as (session, end):
            run = session.bind(random_feeds(session.inputs, np.random.default_rng(0)))
            times_ms = []
            for _ in range(N_WARMUP + N_RUNS):
                start = time.perf_counter()
                run()
                times_ms.append((time.perf_counter() - start) * 1e3)
            path = end()
        try:
            events = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RuntimeFailureError(
                f"{engine.version} wrote no profile that can be read: {error}"
            ) from error
    same_runs_ms = float(np.median(times_ms[N_WARMUP:]))
    return read_profile(events, f"profile of {engine.version}", same_runs_ms=same_runs_ms)


def read_profile(
    events: list[dict[str, Any]], tool: str, *, same_runs_ms: float | None = None
) -> CrossCheck | NoCrossCheck:
    """Return what the events of a profile say of the runs after the warm-up."""
    runs = [event for event in events if event.get("name") == "model_run"][N_WARMUP:]
    if not runs:
        return NoCrossCheck(f"the {tool} holds no run after the warm-up")
    start = min(event["ts"] for event in runs)
    spent: dict[str, float] = defaultdict(float)
    n_nodes = 0
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time") and event["ts"] >= start:
            spent[event["args"].get("op_name", "unknown")] += event["dur"]
            n_nodes += 1
    total = sum(spent.values())
    shares = {op: us / total for op, us in sorted(spent.items(), key=lambda item: -item[1])} if total else {}
    return CrossCheck(
        tool=tool,
        median_ms=float(np.median([event["dur"] for event in runs])) / 1e3,
        n=len(runs),
        resolution_ms=1e-3,
        same_runs_ms=same_runs_ms,
        remark=f"the profiler slows each of the {n_nodes // len(runs)} nodes down; without it, see above",
        shares=shares,
    )

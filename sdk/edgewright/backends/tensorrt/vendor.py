"""``trtexec``, and ``tensorrt_rtx`` of TensorRT-RTX, where one is on ``PATH``; the wheels bring neither.

Both take ``--loadEngine`` and write the trace of every run with ``--exportTimes``, a JSON list of objects
with ``startComputeMs`` and ``computeMs`` among others (TensorRT's ``samples/common/sampleReporting.cpp``).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from edgewright.backends.cross_check import N_RUNS, TIMEOUT_S, CrossCheck, NoCrossCheck, last_words
from edgewright.errors import RuntimeFailureError

WARMUP_MS = 200
REMARK = "time of the kernels on the GPU, without the call from the host"


def trtexec(artifact: Path, threads: int) -> CrossCheck | NoCrossCheck:
    """Return what ``trtexec`` tells of an engine. Raises ``RuntimeFailureError`` where it fails."""
    return _check("trtexec", artifact)


def tensorrt_rtx(artifact: Path, threads: int) -> CrossCheck | NoCrossCheck:
    """Return what ``tensorrt_rtx`` tells of an engine. Raises ``RuntimeFailureError`` where it fails."""
    return _check("tensorrt_rtx", artifact)


def _check(tool: str, artifact: Path) -> CrossCheck | NoCrossCheck:
    path = shutil.which(tool)
    if path is None:
        return NoCrossCheck(
            f"{tool} is not on PATH; it comes with NVIDIA's archive of TensorRT, not with its Python wheel: "
            "add the archive's bin folder to PATH"
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "times.json"
        command = [path, f"--loadEngine={artifact}", f"--warmUp={WARMUP_MS}", f"--iterations={N_RUNS}"]
        command += ["--duration=0", "--noDataTransfers", "--useSpinWait", f"--exportTimes={out}"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeFailureError(f"{tool} did not end: {error}") from error
        if done.returncode != 0 or not out.is_file():
            raise RuntimeFailureError(
                f"{tool} ended with status {done.returncode}: {last_words(done.stderr, done.stdout)}"
            )
        return read_times(out.read_text("utf-8"), tool)


def read_times(text: str, tool: str) -> CrossCheck:
    """Return what the trace says of the runs after the warm-up.

    Raises:
        RuntimeFailureError: it is no trace, or has no run after the warm-up.
    """
    try:
        # Older versions write the runs of the warm-up too.
        times = [float(run["computeMs"]) for run in json.loads(text) if run["startComputeMs"] >= WARMUP_MS]
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeFailureError(f"{tool} wrote times that cannot be read ({error!r})") from error
    if not times:
        raise RuntimeFailureError(f"{tool} wrote no run after its warm-up of {WARMUP_MS} ms")
    return CrossCheck(
        tool=tool, median_ms=float(np.median(times)), n=len(times), resolution_ms=1e-6, remark=REMARK
    )

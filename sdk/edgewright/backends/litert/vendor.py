"""``litert-benchmark``, which comes with the wheel of ai-edge-litert (2.1 and later).

It runs the artifact through LiteRT's compiled model, where
:mod:`edgewright.backends.litert.runtime` uses the interpreter; both delegate to XNNPACK. It knows neither
preemption nor warm-up until stable, and tells milliseconds to two decimals.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path

from edgewright.backends.cross_check import (
    N_RUNS,
    N_WARMUP,
    TIMEOUT_S,
    CrossCheck,
    NoCrossCheck,
    last_words,
    python,
)
from edgewright.backends.litert.runtime import LiteRTRuntime
from edgewright.errors import RuntimeFailureError

# The console script is not on PATH where an environment is not activated; its module is there.
MODULE = "ai_edge_litert.tools.benchmark_litert_model"


def benchmark(artifact: Path, threads: int) -> CrossCheck | NoCrossCheck:
    """Return what ``litert-benchmark`` tells of ``artifact``.

    Raises:
        MissingExtraError: LiteRT is not installed.
        RuntimeFailureError: the tool failed.
    """
    version = LiteRTRuntime().version
    if not _is_installed():
        return NoCrossCheck(
            f"litert-benchmark is not part of {version}; install a newer one with: "
            "pip install --upgrade ai-edge-litert"
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [python(), "-m", MODULE, "--model", str(artifact), "--num_threads", str(threads)]
        command += ["--num_runs", str(N_RUNS), "--warmup_runs", str(N_WARMUP), "--result_json", str(out)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeFailureError(f"litert-benchmark did not end: {error}") from error
        if done.returncode != 0 or not out.is_file():
            reason = last_words(done.stderr, done.stdout)
            raise RuntimeFailureError(f"litert-benchmark ended with status {done.returncode}: {reason}")
        return read_result(out.read_text("utf-8"), f"litert-benchmark of {version}")


def read_result(text: str, tool: str) -> CrossCheck:
    """Return what the tool's JSON says. Raises ``RuntimeFailureError`` where it says nothing."""
    try:
        found = json.loads(text)
        latency = found["latency"]
        remark = "through the compiled model, the interpreter here"
        if not found["fully_accelerated"]:
            remark += "; some nodes ran outside the accelerator"
        return CrossCheck(
            tool=tool,
            median_ms=float(latency["median_ms"]),
            n=int(latency["num_runs"]),
            resolution_ms=0.01,
            remark=remark,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeFailureError(f"{tool} wrote what cannot be read ({error!r})") from error


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(MODULE) is not None
    except ModuleNotFoundError:  # a package above it is absent
        return False

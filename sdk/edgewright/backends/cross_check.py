"""A second reading of a latency by the vendor's own tool: a timer of ours may not be its only witness."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from edgewright.backends.artifact import check_artifact
from edgewright.backends.registry import backend
from edgewright.errors import MissingExtraError, SDKError

N_RUNS = 100
N_WARMUP = 20
TIMEOUT_S = 120.0

_SUFFIXES = {"onnxruntime": ".onnx", "litert": ".tflite", "tensorrt": ".engine", "tensorrt-rtx": ".engine"}
_CHECKS = {
    "onnxruntime": "edgewright.backends.onnxruntime.vendor:profile",
    "litert": "edgewright.backends.litert.vendor:benchmark",
    "tensorrt": "edgewright.backends.tensorrt.vendor:trtexec",
    "tensorrt-rtx": "edgewright.backends.tensorrt.vendor:tensorrt_rtx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheck:
    """What the vendor's tool measured of an artifact.

    Attributes:
        tool: its name, and the version where it tells one.
        median_ms: of its own samples.
        n: samples.
        resolution_ms: to which the tool tells its figures.
        same_runs_ms: median of our own clock around the very runs that the tool measured, where they were
            ours; ``None`` elsewhere. A tool that slows down what it watches is told from a wrong clock so.
        remark: what its figure counts that ours does not, or the other way round.
        shares: part of the time by kind of node, 0 to 1, where the tool tells; largest first.
    """

    tool: str
    median_ms: float
    n: int
    resolution_ms: float
    same_runs_ms: float | None = None
    remark: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)

    def ratio(self, measured_ms: float) -> float:
        """Return the vendor's median over ``measured_ms``, or over that of the same runs."""
        return self.median_ms / (self.same_runs_ms or measured_ms)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "tool": self.tool,
            "median_ms": self.median_ms,
            "n": self.n,
            "resolution_ms": self.resolution_ms,
            "same_runs_ms": self.same_runs_ms,
            "remark": self.remark,
            "shares": dict(self.shares),
        }

    @classmethod
    def from_json(cls, data: Any) -> CrossCheck:
        """Return what ``to_json`` described. Raises ``TypeError`` or ``ValueError`` where it is none."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) != names:
            raise ValueError(f"a cross-check needs exactly the keys {sorted(names)}")
        texts, shares, same = (data["tool"], data["remark"]), data["shares"], data["same_runs_ms"]
        if not all(isinstance(text, str) for text in texts) or not isinstance(shares, dict):
            raise ValueError("a cross-check's tool and remark are text, its shares numbers by name")
        figures = [data["median_ms"], data["resolution_ms"], *shares.values()]
        figures += [] if same is None else [same]
        if not all(_is_figure(value) for value in figures) or same == 0:
            raise ValueError(f"a cross-check's figures are milliseconds and shares, got {figures!r:.80}")
        if type(data["n"]) is not int or data["n"] < 1:
            raise ValueError(f"a cross-check's n is a count, got {data['n']!r:.40}")
        return cls(**data)

    def line(self, measured_ms: float) -> str:
        """Return both figures side by side and their ratio, in one line."""
        coarse = self.resolution_ms / max(self.median_ms, self.resolution_ms)
        digits = f" (told to {self.resolution_ms:g} ms, so within {coarse / 2:.0%})" if coarse > 0.02 else ""
        ours = f"edgewright {measured_ms:.4g} ms"
        if self.same_runs_ms is not None:
            ours = f"edgewright {self.same_runs_ms:.4g} ms around the same runs"
        return (
            f"{self.tool}: median {self.median_ms:.4g} ms over {self.n} runs{digits}, {ours}, "
            f"ratio {self.ratio(measured_ms):.3f}"
        )

    def text(self, measured_ms: float) -> str:
        """Return lines for a terminal: both figures side by side, their ratio, and where the time goes."""
        lines = [self.line(measured_ms)]
        lines += [f"  {self.remark}"] if self.remark else []
        if self.shares:
            told = ", ".join(f"{name} {share:.0%}" for name, share in list(self.shares.items())[:6])
            lines.append(f"  time by kind of node: {told}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class NoCrossCheck:
    """Why the vendor's tool gave no figure."""

    reason: str


def cross_check(artifact: Path, runtime_name: str, threads: int = 1) -> CrossCheck | NoCrossCheck:
    """Return what the vendor's own tool measures of an artifact, or why it measures nothing.

    Args:
        artifact: a file of the runtime.
        runtime_name: key of the backend registry.
        threads: of the runtime.

    Raises:
        UsageError: there is no such runtime.
        RuntimeFailureError: the file is absent, empty or of another kind.
    """
    backend(runtime_name)
    check_artifact(artifact, _SUFFIXES[runtime_name])
    module, _, name = _CHECKS[runtime_name].partition(":")
    run = cast("Callable[[Path, int], CrossCheck | NoCrossCheck]", getattr(import_module(module), name))
    try:
        return run(artifact, threads)
    except MissingExtraError as error:
        return NoCrossCheck(str(error))
    except SDKError as error:
        return NoCrossCheck(f"the vendor's tool failed: {error}")


def last_words(stderr: str, stdout: str = "") -> str:
    """Return the line of a failed tool's output that most likely says why."""
    lines = [line.strip() for line in (stderr + "\n" + stdout).splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower()]
    return (told or lines or ["no reason given"])[-1][:300]


def python() -> str:
    """Return the interpreter that runs a vendor's Python tool."""
    return sys.executable


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7

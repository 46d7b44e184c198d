"""Measure a compiled file on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.backends.artifact import random_feeds
from edgewright.backends.registry import runtime
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import BudgetError, BudgetViolationError, DeviceUnavailableError
from edgewright.latency.measure import MeasureConfig, Measurement, Stopwatch, measure
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.search.budget import format_cost, parse_budgets

MEASURE = MeasureConfig(min_samples=50)
ATTEMPTS = 3  # a noisy measurement is made again, never averaged in


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A measured artifact.

    Attributes:
        artifact: the file.
        device: name of the profile.
        runtime: package and version.
        threads: of the runtime.
        measurement: the samples.
        budget_ms: limit on the median, if one was given.
    """

    artifact: Path
    device: str
    runtime: str
    threads: int
    measurement: Measurement
    budget_ms: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values, every sample included."""
        m = self.measurement
        return {
            "artifact": str(self.artifact),
            "device": self.device,
            "runtime": self.runtime,
            "threads": self.threads,
            "median_ms": m.median_ms,
            "p95_ms": m.p95_ms,
            "iqr_ms": m.iqr_ms,
            "interval_ms": m.interval_ms,
            "verdict": m.verdict,
            "budget_ms": self.budget_ms,
            **m.to_json(),
        }

    def text(self) -> str:
        """Return a line for a terminal."""
        m = self.measurement
        return (
            f"{self.artifact} on {self.device} ({self.runtime}, {self.threads} thread): "
            f"median {m.median_ms:.4g} ms, p95 {m.p95_ms:.4g} ms, IQR {m.iqr_ms:.2g} ms over {m.n} samples "
            f"({m.n_dropped} disturbed ones dropped), {m.verdict}"
        )

    def require(self) -> None:
        """Raise ``BudgetViolationError`` where the median is above the budget."""
        median = self.measurement.median_ms
        if self.budget_ms is not None and median > self.budget_ms:
            raise BudgetViolationError(
                f"{self.artifact} measures {median:.4g} ms on {self.device}, "
                f"{median / self.budget_ms - 1:.1%} over its budget of "
                f"{format_cost('latency', self.budget_ms)}; pick a smaller network with: "
                f"edgewright front pick RUN --under '{self.device}={self.budget_ms:g}ms'"
            )


def bench_artifact(
    artifact: Path,
    device: str | DeviceProfile,
    *,
    budget: str = "",
    gauge_ns: float = math.inf,
    progress: Progress = SILENT,
) -> BenchResult:
    """Time a compiled file in a tight loop on a device.

    Args:
        artifact: a file that ``edgewright compile`` made, or any of the runtime's own.
        device: a profile, or its name, alias or path.
        budget: a time such as ``4ms``.
        gauge_ns: speed of an undisturbed core, as a latency table of the device keeps it; samples on
            a core that others slow down are then told apart even where all of them are.
        progress: told what is measured.

    Raises:
        DeviceUnavailableError: the device is not attached to this machine.
        RuntimeFailureError: the runtime refuses the file.
        BudgetError: the budget cannot be read.
    """
    profile = device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)
    limit = _read_budget(budget)
    require_local(profile)
    engine = runtime(profile.runtime)
    with (
        progress.task(f"measuring {artifact.name}"),
        engine.open(artifact, threads=profile.threads) as session,
    ):
        run = session.bind(random_feeds(session.inputs, np.random.default_rng(0)))
        best: Measurement | None = None
        for _ in range(ATTEMPTS):
            found = measure(
                run,
                synchronize=session.synchronize,
                config=MEASURE,
                watch=Stopwatch.for_threads(profile.threads, reference_ns=gauge_ns),
            )
            if best is None or found.interval_ms < best.interval_ms:
                best = found
            if best.verdict == "ok":
                break
    assert best is not None
    return BenchResult(artifact, profile.name, engine.version, profile.threads, best, limit)


def require_local(profile: DeviceProfile) -> None:
    """Raise ``DeviceUnavailableError`` unless the device is this machine."""
    if not profile.is_local:
        raise DeviceUnavailableError(
            f"device {profile.name} is not attached to this machine (reach = {profile.reach!r} in "
            f"{profile.path}); run this on the device itself with a profile whose reach is 'local'"
        )


def _read_budget(text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_budgets(f"latency={text}")[0].limit
    except BudgetError as error:
        raise BudgetError(f"cannot read the budget {text!r}; write a time such as 4ms or 800us") from error

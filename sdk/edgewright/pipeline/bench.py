"""Measure a compiled file on a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgewright.backends.artifact import random_feeds
from edgewright.backends.cross_check import CrossCheck, NoCrossCheck, cross_check
from edgewright.backends.registry import runtime
from edgewright.devices.affinity import pinned
from edgewright.devices.energy import Energy, Metered, measure_energy
from edgewright.devices.energy_sensors import find_sensors
from edgewright.devices.profile import DeviceProfile
from edgewright.devices.throttle import Snapshot, changed, snapshot
from edgewright.errors import BudgetError, BudgetViolationError, RuntimeFailureError, SDKError
from edgewright.latency.device_time import DeviceTime, measure_device_time
from edgewright.latency.footprint import Footprint, measure_footprint
from edgewright.latency.measure import MeasureConfig, Measurement, Stopwatch, measure
from edgewright.latency.notes import Moment
from edgewright.latency.runner import Runner
from edgewright.pipeline.card import require_card
from edgewright.pipeline.gauge import known_gauge_ns
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import BEHIND_SSH, require_attached, runner_on
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
        slowed_by: what throttled the device while it was measured.
        too_hot: why no further attempt was made; empty where none was needed.
        before: clock and temperature before the samples.
        after: the same after them.
        footprint: memory and load time; ``None`` where they could not be measured.
        footprint_reason: why not.
        device_time: by the device's own clock; ``None`` where it has none.
        device_time_reason: why not.
        energy: of an inference, by sensor.
        energy_reason: why there is none.
        vendor: what the vendor's own tool measures; ``None`` where it was not asked.
        affinity: processors that it was pinned to; empty where it might use any.
    """

    artifact: Path
    device: str
    runtime: str
    threads: int
    measurement: Measurement
    budget_ms: float | None
    slowed_by: tuple[str, ...] = ()
    too_hot: str = ""
    before: Snapshot | None = None
    after: Snapshot | None = None
    footprint: Footprint | None = None
    footprint_reason: str = ""
    device_time: DeviceTime | None = None
    device_time_reason: str = ""
    energy: tuple[Energy, ...] = ()
    energy_reason: str = ""
    vendor: CrossCheck | NoCrossCheck | None = None
    affinity: tuple[int, ...] = ()

    @property
    def verdict(self) -> str:
        """``ok``, ``noisy``, ``throttled``, or ``aborted``: it grew too hot to measure until it was ok."""
        if self.too_hot:
            return "aborted"
        return "throttled" if self.slowed_by else self.measurement.verdict

    @property
    def verdict_reason(self) -> str:
        """Why the verdict is not ``ok``; empty where it is."""
        if self.too_hot or self.slowed_by:
            return self.too_hot or f"the device was slowed down: {', '.join(self.slowed_by)}"
        return "" if self.verdict == "ok" else "the median is not known to within 2.5 %"

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values, every sample included."""
        m = self.measurement
        return {
            "artifact": str(self.artifact),
            "device": self.device,
            "runtime": self.runtime,
            "threads": self.threads,
            "batch": 1,
            "affinity": list(self.affinity),
            "median_ms": m.median_ms,
            "p95_ms": m.p95_ms,
            "iqr_ms": m.iqr_ms,
            "interval_ms": m.interval_ms,
            "verdict": self.verdict,
            "verdict_reason": self.verdict_reason,
            "budget_ms": self.budget_ms,
            "size_bytes": self.artifact.stat().st_size,
            "footprint": self.footprint.to_json() if self.footprint else None,
            "footprint_reason": self.footprint_reason,
            "device_time": self.device_time.to_json() if self.device_time else None,
            "device_time_reason": self.device_time_reason,
            "energy": [energy.to_json() for energy in self.energy],
            "energy_reason": self.energy_reason,
            "before": self.before.to_json() if self.before else None,
            "after": self.after.to_json() if self.after else None,
            **self._vendor_json(),
            **m.to_json(),
            "marks": m.marks,
            "dropped": {mark: list(times) for mark, times in m.dropped.times_ms().items()},
        }

    def text(self) -> str:
        """Return lines for a terminal."""
        m = self.measurement
        reason = f": {self.verdict_reason}" if self.verdict_reason else ""
        lines = [
            f"{self.artifact} on {self.device} ({self.runtime}, {self.threads} thread): "
            f"median {m.median_ms:.4g} ms, p95 {m.p95_ms:.4g} ms, IQR {m.iqr_ms:.2g} ms over {m.n} samples "
            f"({m.n_dropped} disturbed ones dropped), {self.verdict}{reason}"
        ]
        if self.footprint is not None:
            lines.append(self.footprint.text())
        elif self.footprint_reason:
            lines.append(f"memory and load time not measured: {self.footprint_reason}")
        if self.device_time is not None:
            lines.append(self.device_time.text(m.median_ms))
        elif self.device_time_reason:
            lines.append(f"device time not measured: {self.device_time_reason}")
        lines += [energy.text() for energy in self.energy] or [f"energy not measured: {self.energy_reason}"]
        if isinstance(self.vendor, CrossCheck):
            lines.append(self.vendor.text(m.median_ms))
        elif self.vendor is not None:
            lines.append(f"no cross-check: {self.vendor.reason}")
        return "\n".join(lines)

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

    def _vendor_json(self) -> dict[str, Any]:
        if self.vendor is None:
            return {}
        if isinstance(self.vendor, NoCrossCheck):
            return {"vendor": None, "vendor_reason": self.vendor.reason}
        ratio = self.vendor.ratio(self.measurement.median_ms)
        return {"vendor": self.vendor.to_json() | {"ratio": ratio}, "vendor_reason": ""}


class _Timed(NamedTuple):
    """The best of a few attempts, and how the machine was meanwhile."""

    measurement: Measurement
    slowed_by: tuple[str, ...]
    too_hot: str
    before: Snapshot
    after: Snapshot


def bench_artifact(
    artifact: Path,
    device: str | DeviceProfile,
    *,
    budget: str = "",
    gauge_ns: float | None = None,
    tables: Path = Path("latency_tables"),
    vendor: bool = False,
    progress: Progress = SILENT,
) -> BenchResult:
    """Time a compiled file in a tight loop on a device, then measure what else it costs.

    Args:
        artifact: a file that ``edgewright compile`` made, or any of the runtime's own.
        device: a profile, or its name, alias or path.
        budget: a time such as ``4ms``.
        gauge_ns: speed of an undisturbed core, as a latency table of the device keeps it; samples on
            a core that others slow down are then told apart even where all of them are. Looked for in
            ``tables`` where ``None``; infinity where it is not known.
        tables: folder of latency tables.
        vendor: have the vendor's own tool measure it too.
        progress: told what is measured.

    Raises:
        DeviceUnavailableError: the device is not attached to this machine, or cannot be reached, or this
            machine has another GPU.
        RuntimeFailureError: the runtime refuses the file.
        BudgetError: the budget cannot be read.
    """
    profile = device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)
    limit = _read_budget(budget)
    require_attached(profile)
    if not profile.is_local:
        return _bench_remote(artifact, profile, limit, gauge_ns, vendor=vendor, progress=progress)
    require_card(profile)
    engine = runtime(profile.runtime)
    if gauge_ns is None:
        gauge_ns = known_gauge_ns(tables, profile)
    sensors = find_sensors()
    energy: tuple[Energy, ...] = ()
    with (
        progress.task(f"measuring {artifact.name}"),
        pinned(profile.affinity),
        engine.open(artifact, threads=profile.threads) as session,
    ):
        run = session.bind(random_feeds(session.inputs, np.random.default_rng(0)))
        timed = _timed(run, session.synchronize, profile, gauge_ns)
        wall_ms = timed.measurement.median_ms
        device_time, no_clock = measure_device_time(session, run, wall_ms, profile.runtime)
        if sensors.sensors:
            energy = measure_energy(run, session.synchronize, sensors.sensors)
    footprint, reason = _footprint(artifact, profile, progress)
    found: CrossCheck | NoCrossCheck | None = None
    if vendor:
        with progress.task(f"having the vendor's tool measure {artifact.name}"), pinned(profile.affinity):
            found = cross_check(artifact, profile.runtime, profile.threads)
    return BenchResult(
        artifact,
        profile.name,
        engine.version,
        profile.threads,
        timed.measurement,
        limit,
        slowed_by=timed.slowed_by,
        too_hot=timed.too_hot,
        before=timed.before,
        after=timed.after,
        footprint=footprint,
        footprint_reason=reason,
        device_time=device_time,
        device_time_reason=no_clock,
        energy=energy,
        energy_reason="" if energy else sensors.reason or "the sensors did not answer",
        vendor=found,
        affinity=profile.affinity,
    )


def _timed(
    run: Callable[[], object], synchronize: Callable[[], object], profile: DeviceProfile, gauge_ns: float
) -> _Timed:
    """Measure until a measurement is ok, a few times at most; return the best one, untroubled ones first."""
    gpus = profile.runtime.startswith("tensorrt")
    best: _Timed | None = None
    for _ in range(ATTEMPTS):
        before = snapshot(gpus=gpus)
        limit, hottest = profile.gates.max_temperature_c, before.temperature_c
        if best is not None and limit is not None and hottest is not None and hottest > limit:
            too_hot = f"the device is at {hottest:.0f} °C, its gate is {limit:.0f} °C; let it cool down"
            return best._replace(too_hot=too_hot)
        measurement = measure(
            run,
            synchronize=synchronize,
            config=MEASURE,
            watch=Stopwatch.for_threads(profile.threads, reference_ns=gauge_ns),
        )
        after = snapshot(gpus=gpus)
        measurement = replace(measurement, moments=(Moment.of(measurement.n, before, after),))
        found = _Timed(measurement, changed(before, after), "", before, after)
        if best is None or _rank(found) < _rank(best):
            best = found
        if not best.slowed_by and best.measurement.verdict == "ok":
            break
    assert best is not None
    return best


def _rank(timed: _Timed) -> tuple[bool, float]:
    return bool(timed.slowed_by), timed.measurement.interval_ms


def _footprint(artifact: Path, profile: DeviceProfile, progress: Progress) -> tuple[Footprint | None, str]:
    """Return memory and load time, or why they are not known: the latency is, and is not thrown away."""
    try:
        with progress.task(f"loading {artifact.name} in a fresh process"), pinned(profile.affinity):
            return measure_footprint(artifact, profile.runtime, threads=profile.threads), ""
    except RuntimeFailureError as error:
        return None, str(error)


def _bench_remote(
    artifact: Path,
    profile: DeviceProfile,
    limit: float | None,
    gauge_ns: float | None,
    *,
    vendor: bool,
    progress: Progress,
) -> BenchResult:
    """Have the agent on a device behind ssh measure; what it cannot tell is said to be absent."""
    with (
        progress.task(f"measuring {artifact.name} on {profile.name}"),
        runner_on(profile, progress=progress) as runner,
    ):
        before = runner.conditions()
        measurement = runner.time_alone(
            artifact,
            seed=[0],
            config=MEASURE,
            attempts=ATTEMPTS,
            gauge_ns=None if gauge_ns == float("inf") else gauge_ns,
        )
        throttled = (*before.throttled, *measurement.throttled, *runner.conditions().throttled)
        version = runner.version
        footprint, footprint_reason, metered = _costs_remote(artifact, profile.name, runner)
    return BenchResult(
        artifact,
        profile.name,
        version,
        profile.threads,
        measurement,
        limit,
        slowed_by=tuple(dict.fromkeys(throttled)),
        before=measurement.moments[0].before if measurement.moments else None,
        after=measurement.moments[-1].after if measurement.moments else None,
        footprint=footprint,
        footprint_reason=footprint_reason,
        device_time_reason="the device is behind ssh, where the agent reads the wall clock alone",
        energy=metered.energy,
        energy_reason=metered.reason,
        vendor=NoCrossCheck(BEHIND_SSH) if vendor else None,
        affinity=profile.affinity,
    )


def _costs_remote(artifact: Path, device: str, runner: Runner) -> tuple[Footprint | None, str, Metered]:
    """Return memory and load time, or why they are not known, and energy: the latency is kept without."""
    footprint, reason = None, ""
    try:
        footprint = runner.footprint(artifact)
    except RuntimeFailureError as error:
        reason = str(error)
    except SDKError as error:  # the device is gone: it would be waited for once more
        return None, str(error), Metered((), str(error))
    try:
        metered = runner.energy(artifact)
    except SDKError as error:
        return footprint, reason, Metered((), str(error))
    why = f"{device}: {metered.reason}" if metered.reason else ""
    return footprint, reason, metered._replace(reason=why)


def _read_budget(text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_budgets(f"latency={text}")[0].limit
    except BudgetError as error:
        raise BudgetError(f"cannot read the budget {text!r}; write a time such as 4ms or 800us") from error

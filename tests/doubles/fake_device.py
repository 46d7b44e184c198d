"""A device with a known latency law and a clock of its own, behind the seams of the profiler.

Its artifacts are JSON files ``{"ms": …}``; running one advances the fake clock by so much::

    device = FakeDevice()
    table = profile_space(space, device.target(space), journal=...)
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgewright.backends.base import TensorSpec
from edgewright.devices.conditions import Conditions
from edgewright.devices.probe import Fingerprint
from edgewright.devices.throttle import Snapshot
from edgewright.errors import ExportError, RuntimeFailureError
from edgewright.files import write_json
from edgewright.latency.local_runner import LocalRunner
from edgewright.latency.stopwatch import Stopwatch
from edgewright.latency.target import Target
from edgewright.spaces import Architecture, MobileSpace, Operator

FINGERPRINT = Fingerprint(
    machine="fake64",
    system="FakeOS",
    cpu_model="Fake CPU",
    cores=2,
    isa=("simd",),
    caches=("L1 Data 32K x2",),
    memory_bytes=8 << 30,
    governor="none",
    board="",
    gpus=(),
    hypervisor=False,
    emulated=False,
    os_release="1.0",
    python="3.11.0",
    packages={},
)
CONDITIONS = Conditions(
    time_utc="2026-01-01T00:00:00Z",
    clocks_mhz=(1000.0, 1000.0),
    governor="none",
    temperature_c=40.0,
    load_average=0.1,
    throttled=(),
    memory_available_bytes=4 << 30,
    steal_ms=0,
    affinity=(0, 1),
)


@dataclass
class FakeClock:
    """A clock that only moves when it is told to."""

    now_ns: int = 1

    def __call__(self) -> int:
        return self.now_ns

    def advance_ms(self, ms: float) -> None:
        self.now_ns += round(ms * 1e6)


def law_ms(operator: Operator) -> float:
    """Latency of an operator when it runs alone: 5 µs for the call, and its arithmetic."""
    return 0.005 + operator.macs * 1e-6


def measured_law_ms(operator: Operator) -> float:
    """Latency of an operator as it is measured: behind its lead, in one call."""
    return law_ms(operator) + (0.0 if operator.lead is None else operator.lead.macs * 1e-6)


def network_law_ms(space: MobileSpace, arch: Architecture) -> float:
    """Latency of a network: one call, and 10 % less arithmetic since the borders fall away."""
    return 0.005 + 0.9 * sum(law_ms(operator) - 0.005 for operator in space.operators(arch))


@dataclass
class FakeDevice:
    """Machine, runtime and exporter in one.

    Attributes:
        clock: advanced by every inference.
        noise: relative, of each inference.
        slowness: factor on every latency.
        fingerprint: what the machine says it is.
        refused: keys of operators that the exporter cannot express.
        broken: keys of operators that the runtime fails to run.
        crashing: keys of operators that end the process when they run.
        nap_s: real time of opening an artifact, so that a test can kill in between.
        builds: how often each operator was built.
        disturbance: called before each inference with its number; may move the clock or a counter.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    noise: float = 0.0
    slowness: float = 1.0
    fingerprint_value: Fingerprint = FINGERPRINT
    refused: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    crashing: frozenset[str] = frozenset()
    nap_s: float = 0.0
    builds: dict[str, int] = field(default_factory=dict)
    preempted: int = 0
    told: int | None = None
    throttled: tuple[str, ...] = ()
    disturbance: Callable[[int], None] | None = None
    runs: int = 0
    name: str = "onnxruntime"
    version: str = "fake 1.0"

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(7)

    # Machine

    def fingerprint(self) -> Fingerprint:
        return self.fingerprint_value

    def conditions(self, threads: int | None = None) -> object:
        return CONDITIONS if threads is None else {"threads": threads}

    def stopwatch(self, threads: int) -> Stopwatch:
        return Stopwatch(self.clock, preemptions=lambda: self.preempted)

    def snapshot(self, *, gpus: bool) -> Snapshot:
        return Snapshot(clock_mhz=1000.0, temperature_c=40.0, throttled=self.throttled)

    def told_preemptions(self) -> int | None:
        return self.told

    # Runtime

    @contextmanager
    def open(self, artifact: Path, *, threads: int = 1) -> Iterator[FakeSession]:
        time.sleep(self.nap_s)
        yield FakeSession(self, json.loads(artifact.read_text("utf-8")))

    # Exporter

    def target(self, space: MobileSpace) -> Target:
        def build(operator: Operator, path: Path) -> None:
            self.builds[operator.key] = self.builds.get(operator.key, 0) + 1
            if operator.key in self.refused:
                raise ExportError("this exporter does not know such an operator")
            write_json(path, {"ms": measured_law_ms(operator), "key": operator.key})

        def build_network(arch: Architecture, path: Path) -> None:
            write_json(path, {"ms": network_law_ms(space, arch), "key": ""})

        return Target(
            device="fake",
            runner=LocalRunner(self, machine=self),  # type: ignore[arg-type]
            suffix=".json",
            precision="fp32",
            build=build,
            build_network=build_network,
        )

    def elsewhere(self, **changes: object) -> FakeDevice:
        """Return the same device in another machine."""
        return replace(self, fingerprint_value=replace(self.fingerprint_value, **changes))  # type: ignore[arg-type]


class FakeSession:
    """An opened fake artifact."""

    def __init__(self, device: FakeDevice, artifact: Mapping[str, object]) -> None:
        self._device, self._ms, self._key = device, float(str(artifact["ms"])), str(artifact["key"])

    inputs = (TensorSpec("x", (1, 3, 4, 4), "float32", "NCHW"),)
    outputs = (TensorSpec("y", (1, 10), "float32"),)

    def bind(self, feeds: Mapping[str, np.ndarray]) -> Callable[[], object]:
        assert set(feeds) == {"x"}
        return self._infer

    def synchronize(self) -> None:
        pass

    def _infer(self) -> None:
        device = self._device
        if self._key in device.crashing:
            os._exit(139)
        if self._key in device.broken:
            raise RuntimeFailureError("illegal instruction")
        device.runs += 1
        if device.disturbance is not None:
            device.disturbance(device.runs)
        device.clock.advance_ms(
            self._ms * device.slowness * (1 + device.noise * device._rng.standard_normal())
        )

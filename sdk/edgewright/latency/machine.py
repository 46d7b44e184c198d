"""The machine under a local runner: its clock, its fingerprint, its conditions."""

from __future__ import annotations

from typing import Protocol

from edgewright.devices.conditions import Conditions, read_conditions
from edgewright.devices.probe import Fingerprint, probe
from edgewright.devices.throttle import Snapshot, snapshot
from edgewright.latency.stopwatch import Stopwatch, told_preemptions


class Machine(Protocol):
    """Where the clock, the fingerprint and the conditions come from; tests bring their own."""

    def fingerprint(self) -> Fingerprint:
        """Return what this machine is."""
        ...

    def conditions(self) -> Conditions:
        """Return how it is now."""
        ...

    def stopwatch(self, threads: int) -> Stopwatch:
        """Return the clock that samples are taken with."""
        ...

    def snapshot(self, *, gpus: bool) -> Snapshot:
        """Return how fast and how hot it is at this moment, its GPUs too where ``gpus``."""
        ...

    def told_preemptions(self) -> int | None:
        """Return how often the calling thread lost its core by the scheduler's own account, if it tells."""
        ...


class ThisMachine:
    """The machine that this process runs on."""

    def fingerprint(self) -> Fingerprint:
        """Return what this machine is."""
        return probe()

    def conditions(self) -> Conditions:
        """Return how it is now."""
        return read_conditions()

    def stopwatch(self, threads: int) -> Stopwatch:
        """Return the clock that samples are taken with."""
        return Stopwatch.for_threads(threads)

    def snapshot(self, *, gpus: bool) -> Snapshot:
        """Return how fast and how hot it is at this moment, its GPUs too where ``gpus``."""
        return snapshot(gpus=gpus)

    def told_preemptions(self) -> int | None:
        """Return how often the calling thread lost its core by the scheduler's own account, if it tells."""
        return told_preemptions()

"""What a profile measures, how thoroughly, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgewright.backends.cross_check import NoCrossCheck
from edgewright.latency.cross_check import VendorTool
from edgewright.latency.runner import Runner
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.operator import Operator

_NOT_ASKED = NoCrossCheck("nobody asked the vendor's tool")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileConfig:
    """How thoroughly to measure.

    Attributes:
        passes: visits to every operator, each in another segment and at another time.
        max_visits: to operators, in all passes together; a large space gets fewer passes, at least one.
        rounds: turns of a visit to an operator.
        segment: operators that are open and timed in turns, the anchor not counted.
        warm_ms: time that the warm calls of a sample fill.
        n_fit: whole networks that the correction is fitted on.
        n_validate: whole networks that judge it.
        network_visits: visits to every network, spread over the whole profile: a machine's speed
            wanders by percents within minutes, and a network's error averages out over nothing else.
        network_rounds: turns of a visit to a network, each beside the reference network
            (:mod:`edgewright.latency.paired`).
        network_segment: networks that are open and timed in turns.
        network_samples: samples of a turn of a network where there is no reference.
        max_repeats: further passes over what was tainted.
        repeat_s: time after which no further pass begins.
        wait_s: time to wait, all in all, for moments in which nobody slows the core.
        taint: relative distance of a visit's anchor from its median at which the visit is tainted.
    """

    passes: int = 3
    max_visits: int = 2600
    rounds: int = 12
    segment: int = 31
    warm_ms: float = 0.3
    n_fit: int = 40
    n_validate: int = 40
    network_visits: int = 4
    network_rounds: int = 2
    network_segment: int = 12
    network_samples: int = 6
    max_repeats: int = 4
    repeat_s: float = 60.0
    wait_s: float = 40.0
    taint: float = 0.08

    def for_operators(self, n: int) -> ProfileConfig:
        """Return the settings for a space of ``n`` operators."""
        return replace(self, passes=max(1, min(self.passes, self.max_visits // max(n, 1))))


PRESETS: dict[str, ProfileConfig] = {
    "quick": ProfileConfig(
        passes=2,
        rounds=7,
        n_fit=16,
        n_validate=16,
        network_visits=2,
        network_samples=4,
        repeat_s=20.0,
        wait_s=15.0,
    ),
    "default": ProfileConfig(),
    "thorough": ProfileConfig(
        passes=6,
        max_visits=100_000,
        rounds=20,
        n_fit=60,
        n_validate=100,
        network_visits=8,
        repeat_s=600.0,
        wait_s=300.0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is profiled.

    Attributes:
        device: name of the profile.
        runner: the machine and the runtime on it.
        suffix: of its artifacts.
        precision: of the artifacts.
        build: writes the artifact of an operator behind its lead to a path.
        build_network: writes the artifact of a whole network to a path.
        vendor: the vendor's own tool, that is asked for one network a table.
    """

    device: str
    runner: Runner
    suffix: str
    precision: str
    build: Callable[[Operator, Path], None]
    build_network: Callable[[Architecture, Path], None]
    vendor: VendorTool = _NOT_ASKED

"""What a device's own clock says of an inference, beside the wall clock of its host.

A GPU keeps the time by events on its stream: they leave out the call from the host, so beside the wall
clock they show whether the device waits. Runtimes on a CPU have no clock but the one that all share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgewright.backends.base import DeviceTimed, Session
from edgewright.errors import RuntimeFailureError

MIN_RUNS, MAX_RUNS = 20, 200
_PATIENCE_MS = 2000.0  # that the runs may take together, unless the fewest take longer


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """Times of single inferences by the device's own clock.

    Attributes:
        samples_ms: one for each inference, in order.
    """

    samples_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """The median."""
        return float(np.median(self.samples_ms))

    @property
    def p95_ms(self) -> float:
        """What 95 % of the inferences stay below."""
        return float(np.percentile(self.samples_ms, 95))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values, every sample included."""
        return {"median_ms": self.median_ms, "p95_ms": self.p95_ms, "samples_ms": list(self.samples_ms)}

    def text(self, wall_ms: float) -> str:
        """Return a line for a terminal, beside a median by the wall clock."""
        return (
            f"by the device's own clock: median {self.median_ms:.4g} ms, p95 {self.p95_ms:.4g} ms over "
            f"{len(self.samples_ms)} inferences, {self.median_ms / wall_ms:.0%} of the wall clock"
        )


def measure_device_time(
    session: Session, infer: Callable[[], object], wall_ms: float, runtime: str
) -> tuple[DeviceTime | None, str]:
    """Time inferences by the device's own clock, after those that the wall clock timed.

    Args:
        session: an opened artifact.
        infer: one inference of it, warm.
        wall_ms: what an inference takes; decides on their number.
        runtime: its name.

    Returns:
        The times, or ``None`` and why there are none: the latency is kept without.
    """
    if not isinstance(session, DeviceTimed):
        return None, f"{runtime} has no clock on the device apart from the wall clock"
    n_runs = int(np.clip(_PATIENCE_MS / max(wall_ms, 1e-3), MIN_RUNS, MAX_RUNS))
    try:
        return DeviceTime(tuple(session.device_times_ms(infer, n_runs))), ""
    except RuntimeFailureError as error:
        return None, str(error)

"""Whether two measured medians differ by more than their noise, for many pairs at once.

Each median has two errors. Within a visit: the half-width of its 95 % interval (as
:func:`edgewright.latency.measurement.interval_ms`), and what rounding to the stored resolution leaves.
Between visits: the machine's state differs from one stretch to the next, which samples of one
stretch cannot show; the repeated anchor operator does, and its robust spread over the number of
visits is added. Log ratios are tested with Student's t (Welch–Satterthwaite degrees of freedom; a
quartile distance knows its spread as well as 0.37 times as many samples would by their standard
deviation), and false discoveries among many operators are held at 5 % (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgewright.latency.measurement import Measurement
from edgewright.spaces.architecture import FloatArray

FALSE_DISCOVERIES = 0.05
NORMAL_95 = 1.96
_IQR_EFFICIENCY = 0.37  # of the quartile distance against the standard deviation, normal law
_RESOLUTION_MS = 1e-4  # samples are stored to 0.1 µs


class Spread(NamedTuple):
    """A relative standard error and how well it is known.

    Attributes:
        share: of the median.
        freedom: degrees of freedom.
    """

    share: float
    freedom: float


class Between(NamedTuple):
    """What visits of a table vary by, seen on its anchor.

    Attributes:
        share: relative standard deviation of a visit.
        n: visits of the anchor.
        visits: to an operator.
    """

    share: float
    n: int
    visits: int

    @property
    def common(self) -> float:
        """Relative standard error that all operators of the table share."""
        return self.share / np.sqrt(self.n) if self.n else 0.0


def between_visits(anchor_ms: Sequence[float], visits: int) -> Between:
    """Return the spread of a machine's state, from the anchor's median in each segment ``(n,)``."""
    values = np.asarray(anchor_ms, dtype=np.float64)
    if len(values) < 3:
        return Between(0.0, 0, max(visits, 1))
    middle = float(np.median(values))
    share = 1.4826 * float(np.median(np.abs(values - middle))) / middle
    return Between(share, len(values), max(visits, 1))


def spread_of(measurement: Measurement, between: Between) -> Spread:
    """Return the relative standard error of a measurement's median."""
    median, n = measurement.median_ms, measurement.n
    rounding = _RESOLUTION_MS / median / np.sqrt(12)
    within = (measurement.interval_ms / NORMAL_95 / median) ** 2 + rounding**2
    state = between.share**2 / between.visits
    total = within + state
    freedom_within = max(1.0, _IQR_EFFICIENCY * (n - 1))
    freedom_state = max(1.0, _IQR_EFFICIENCY * (between.n - 1))
    freedom = total**2 / max(within**2 / freedom_within + state**2 / freedom_state, 1e-300)
    return Spread(float(np.sqrt(total)), float(min(max(freedom, 1.0), 1e6)))


def difference_p(a_ms: float, b_ms: float, a: Spread, b: Spread) -> float:
    """Return the probability of so large a ratio of two medians where nothing has changed."""
    from scipy.special import stdtr  # here, since what measures on a device has no scipy

    error = np.hypot(a.share, b.share)
    if error == 0:
        return float(a_ms == b_ms)
    freedom = error**4 / (a.share**4 / a.freedom + b.share**4 / b.freedom)
    return float(2 * stdtr(freedom, -abs(np.log(b_ms / a_ms)) / error))


def discoveries(p: Sequence[float], share: float = FALSE_DISCOVERIES) -> list[bool]:
    """Return which of the tests hold when ``share`` of those that do may be false (Benjamini–Hochberg)."""
    values: FloatArray = np.asarray(p, dtype=np.float64)
    if not len(values):
        return []
    order = np.argsort(values)
    passed = values[order] <= share * np.arange(1, len(values) + 1) / len(values)
    n_found = int(np.flatnonzero(passed)[-1]) + 1 if passed.any() else 0
    found = np.zeros(len(values), dtype=bool)
    found[order[:n_found]] = True
    return [bool(value) for value in found]

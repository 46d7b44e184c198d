"""How fast an undisturbed core is, as the latency tables of this machine remember it.

Without it a benchmark on a machine that is busy throughout takes the slowed core for the usual one.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from edgewright.devices.probe import Fingerprint, probe
from edgewright.devices.profile import DeviceProfile


def gauge_of_table(path: Path, *, here: Fingerprint | None = None) -> float:
    """Return the nanoseconds that a table's gauge took on an undisturbed core; infinity if not known.

    It is not known where the table is gone or unreadable, of another machine, or of another Python,
    which does the gauge's work at another speed.

    Args:
        path: of the table. Its digest is not checked: the gauge is a hint, no figure.
        here: this machine; probed where not given.
    """
    here = here or probe()
    try:
        data = json.loads(path.read_text("utf-8"))
        there = data["fingerprint"]
        gauge_ns = float(data["settings"]["gauge_ns"])
    except (OSError, ValueError, TypeError, KeyError):
        return math.inf
    same = (there.get("digest"), there.get("python")) == (here.digest, here.python)
    return gauge_ns if same and gauge_ns > 0 else math.inf


def known_gauge_ns(tables: Path, profile: DeviceProfile) -> float:
    """Return the fastest gauge of a device's tables in a folder; infinity where none is known."""
    paths = sorted((tables / profile.name).glob("*.json"))
    if not paths:
        return math.inf
    here = probe()
    return min(gauge_of_table(path, here=here) for path in paths)

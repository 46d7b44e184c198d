"""A profile in a process of its own, for tests that kill it: ``FOLDER [crashing operator]``.

FOLDER/asked is there while the vendor's tool runs.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space

from edgewright.backends.cross_check import CrossCheck
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig

CONFIG = ProfileConfig(passes=2, rounds=3, segment=7, n_fit=4, n_validate=4)


def cross_check(folder: Path) -> CrossCheck:
    (folder / "asked").touch()
    time.sleep(0.2)
    (folder / "asked").unlink()
    return CrossCheck(tool="the tool", median_ms=0.01, n=100, resolution_ms=1e-3)


def main() -> None:
    folder, *crashing = sys.argv[1:]
    space = small_space()
    device = FakeDevice(nap_s=0.01, crashing=frozenset(crashing))
    journal = Path(folder) / "journal"
    print("measuring", flush=True)
    target = replace(device.target(space), vendor=lambda artifact: cross_check(Path(folder)))
    table = profile_space(space, target, journal=journal, config=CONFIG)
    table.save(Path(folder) / "table.json")


if __name__ == "__main__":
    main()

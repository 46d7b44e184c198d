"""A profile in a process of its own, for tests that kill it: ``FOLDER [crashing operator]``."""

import sys
from pathlib import Path

from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space

from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig

CONFIG = ProfileConfig(passes=2, rounds=3, segment=7, n_fit=4, n_validate=4)


def main() -> None:
    folder, *crashing = sys.argv[1:]
    space = small_space()
    device = FakeDevice(nap_s=0.01, crashing=frozenset(crashing))
    journal = Path(folder) / "journal"
    print("measuring", flush=True)
    table = profile_space(space, device.target(space), journal=journal, config=CONFIG)
    table.save(Path(folder) / "table.json")


if __name__ == "__main__":
    main()

"""Energy sensors on machines that have none: a real folder of RAPL's, whose counter something advances."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from doubles.fake_device import FakeClock, FakeDevice
from doubles.sysfs import tree

from edgewright.devices.energy import measure_energy
from edgewright.devices.energy_sensors import find_sensors

ZONE = "/sys/class/powercap/intel-rapl:0"
SENSOR = "RAPL package-0"
IDLE_W = 1.0


def package(root):
    """Write a processor's package that has counted nothing; return the tree."""
    files = {"name": "package-0", "energy_uj": "0", "max_energy_range_uj": "262143328850"}
    return tree(root, {f"{ZONE}/{name}": f"{text}\n" for name, text in files.items()})


@contextmanager
def powered(root, watts=5.0):
    """Count ``watts`` by the real clock while the block runs; yield the tree that stands for ``/``."""
    package(root)
    counter, fresh = root / ZONE.lstrip("/") / "energy_uj", root / "fresh"
    done, start = threading.Event(), time.perf_counter()

    def count():
        while not done.wait(0.001):
            fresh.write_text(f"{int((time.perf_counter() - start) * watts * 1e6)}\n")
            fresh.replace(counter)  # the kernel's is never empty either

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield root
    finally:
        done.set()
        thread.join()


def reading(monkeypatch, root, *, seconds=0.1, modules=("latency.local_runner",)):
    """Have this process find its sensors below ``root`` and read them for ``seconds`` a network."""
    for module in modules:
        monkeypatch.setattr(f"edgewright.{module}.find_sensors", partial(find_sensors, root=root))
        monkeypatch.setattr(f"edgewright.{module}.measure_energy", partial(measure_energy, seconds=seconds))


def energy_mj(ms):
    """Return what an inference of a metered device takes: the longer ones draw a little less power."""
    return 3.0 * ms**0.9


@dataclass
class MeteredClock(FakeClock):
    """A clock whose device takes energy while it moves; the counter of ``root`` follows."""

    root: Path = field(default_factory=Path)
    spent_uj: float = 0.0

    def advance_ms(self, ms):
        super().advance_ms(ms)
        self.spend(energy_mj(ms))

    def sleep(self, seconds):
        super().advance_ms(seconds * 1e3)
        self.spend(IDLE_W * seconds * 1e3)

    def spend(self, mj):
        self.spent_uj += mj * 1e3
        (self.root / ZONE.lstrip("/") / "energy_uj").write_text(f"{self.spent_uj:.0f}\n")


def metered_device(monkeypatch, root, **changes):
    """Return a fake device whose clock this process's sensor follows."""
    device = FakeDevice(clock=MeteredClock(root=package(root)), **changes)
    reading(monkeypatch, root)
    monkeypatch.setattr(
        "edgewright.latency.local_runner.measure_energy",
        partial(
            measure_energy,
            seconds=0.05,
            clock_s=lambda: device.clock.now_ns / 1e9,
            sleep=device.clock.sleep,
        ),
    )
    return device

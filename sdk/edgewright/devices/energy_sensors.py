"""Energy sensors: counters of joules, and rails whose power is read again and again.

* RAPL of Intel and AMD processors, through the kernel's power capping interface
  (``Documentation/power/powercap/powercap.rst``): ``energy_uj`` counts up to ``max_energy_range_uj`` and
  starts again. Only root may read it since Linux 5.10 (CVE-2020-8694).
* NVML's ``nvmlDeviceGetTotalEnergyConsumption``: millijoules since the driver was loaded.
* INA3221 monitors on the rails of a Jetson, through hwmon
  (``Documentation/hwmon/ina3221.rst``): millivolts and milliamperes of each channel, that is, power now.

Each counts the whole of what it is wired to, whoever uses it.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from edgewright.devices import nvidia, system

_RAPL = "/sys/class/powercap"
# Rails that hold all others of their board come first; without one, the rails are told one by one.
_INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "SYS_POWER_IN")
SAMPLE_S = 0.01  # between two readings of a rail; an INA3221 averages over some milliseconds


class Sensor(Protocol):
    """Something that counts energy. Opened as a context, so that rails are read only meanwhile."""

    @property
    def name(self) -> str:
        """What it is wired to: ``RAPL package-0``, ``NVML GPU 0``, ``INA3221 VDD_IN``."""
        ...

    def __enter__(self) -> Sensor: ...

    def __exit__(self, *_: object) -> None: ...

    def read_mj(self) -> float:
        """Return millijoules since some moment before; raises ``OSError`` where it is gone."""
        ...


class Found(NamedTuple):
    """The energy sensors of a machine.

    Attributes:
        sensors: that can be read.
        reason: why there is none; empty where there is one.
    """

    sensors: tuple[Sensor, ...]
    reason: str


def find_sensors(*, root: Path = system.ROOT) -> Found:
    """Return the energy sensors of this machine, or why there is none.

    Args:
        root: folder that stands for ``/``; tests give a tree of their own.
    """
    rapl, locked = _rapl(root)
    sensors: list[Sensor] = [*rapl, *_rails(root)]
    if root == system.ROOT:  # NVML knows no other
        sensors += [NvmlSensor(index) for index in range(nvidia.n_energy_counters())]
    if sensors:
        return Found(tuple(sensors), "")
    if locked:
        return Found(
            (),
            f"{locked} may be read by root alone; allow it with: sudo chmod a+r "
            f"{_RAPL}/intel-rapl:*/energy_uj",
        )
    return Found(
        (),
        f"no energy sensor on this machine (looked for RAPL in {_RAPL}, NVML, and INA3221 rails in "
        "/sys/class/hwmon)",
    )


class RaplSensor:
    """A domain of RAPL.

    Args:
        path: its folder, ``/sys/class/powercap/intel-rapl:0``.
        root: folder that stands for ``/``.
    """

    def __init__(self, path: str, *, root: Path = system.ROOT) -> None:
        self._path, self._root = path, root
        name, parent = (system.read_text(f"{p}/name", root=root) for p in (path, path.rpartition(":")[0]))
        self.name = f"RAPL {name} of {parent}" if parent else f"RAPL {name}"
        self._range_uj = system.read_int(f"{path}/max_energy_range_uj", root=root)
        self._total_uj = 0
        self._last_uj: int | None = None

    def __enter__(self) -> RaplSensor:
        self._last_uj, self._total_uj = None, 0
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_mj(self) -> float:
        """Return millijoules since the first reading; the counter may start again once between two."""
        now = system.read_int(f"{self._path}/energy_uj", root=self._root)
        if now is None:
            raise OSError(f"{self._path}/energy_uj cannot be read")
        if self._last_uj is not None:
            step = now - self._last_uj
            if step < 0:
                if self._range_uj is None:
                    raise OSError(f"{self._path} started again and does not tell its range")
                step += self._range_uj
            self._total_uj += step
        self._last_uj = now
        return self._total_uj / 1e3


class NvmlSensor:
    """The counter of an NVIDIA GPU, Volta or newer.

    Args:
        index: of the GPU in the driver's order.
    """

    def __init__(self, index: int) -> None:
        self.name = f"NVML GPU {index}"
        self._index = index

    def __enter__(self) -> NvmlSensor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_mj(self) -> float:
        """Return millijoules since the driver was loaded."""
        value = nvidia.energy_mj(self._index)
        if value is None:
            raise OSError(f"{self.name} tells no energy")
        return float(value)


class RailSensor:
    """A channel of an INA3221, whose power is read by a thread and summed up while it is open.

    Args:
        folder: its hwmon folder, ``/sys/class/hwmon/hwmon1``.
        channel: 1, 2 or 3.
        label: of the rail.
        root: folder that stands for ``/``.
    """

    def __init__(self, folder: str, channel: int, label: str, *, root: Path = system.ROOT) -> None:
        self.name = f"INA3221 {label}"
        self._files = (f"{folder}/in{channel}_input", f"{folder}/curr{channel}_input")
        self._root = root
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._total_mj = 0.0
        self._last: tuple[float, float] | None = None

    def __enter__(self) -> RailSensor:
        self._closing.clear()
        self._total_mj, self._last = 0.0, None
        self._thread = threading.Thread(target=self._watch, name=self.name, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def read_mj(self) -> float:
        """Return millijoules since it was opened: the trapezoidal sum of the readings so far."""
        self._step()
        with self._lock:
            return self._total_mj

    def power_mw(self) -> float:
        """Return the power now. Raises ``OSError`` where the rail is gone."""
        millivolts, milliamperes = (system.read_int(file, root=self._root) for file in self._files)
        if millivolts is None or milliamperes is None:
            raise OSError(f"{self.name} cannot be read")
        return millivolts * milliamperes / 1e3

    def _step(self) -> None:
        with self._lock:
            power_mw, now = self.power_mw(), time.perf_counter()
            if self._last is not None:
                before_mw, before = self._last
                self._total_mj += (before_mw + power_mw) / 2 * (now - before)
            self._last = (power_mw, now)

    def _watch(self) -> None:
        while not self._closing.wait(SAMPLE_S):
            try:
                self._step()
            except OSError:
                return  # the next reading tells


def _rapl(root: Path) -> tuple[list[RaplSensor], str]:
    """Return the packages and their memory, and one that is there but may not be read."""
    sensors, locked = [], ""
    for path in system.paths(f"{_RAPL}/intel-rapl:*", root=root):
        name = system.read_text(f"{path}/name", root=root)
        # A package holds its cores and its graphics; memory is apart from it, as is the whole platform.
        if not name.startswith(("package", "dram", "psys")):
            continue
        if system.read_int(f"{path}/energy_uj", root=root) is None:
            locked = locked or f"{path}/energy_uj"
        else:
            sensors.append(RaplSensor(path, root=root))
    return sensors, locked


def _rails(root: Path) -> list[RailSensor]:
    """Return the rail that feeds a Jetson's module, or all labelled rails where none does."""
    rails = {}
    for folder in system.paths("/sys/class/hwmon/hwmon*", root=root):
        if system.read_text(f"{folder}/name", root=root) != "ina3221":
            continue
        for channel in (1, 2, 3):
            label = system.read_text(f"{folder}/in{channel}_label", root=root)
            files = (f"{folder}/in{channel}_input", f"{folder}/curr{channel}_input")
            if label and all(system.read_int(file, root=root) is not None for file in files):
                rails[label] = RailSensor(folder, channel, label, root=root)
    whole = [rails[label] for label in _INPUT_RAILS if label in rails]
    return whole or list(rails.values())

"""Whether something slowed this machine down between two moments: clocks, heat, power.

A visit of a profile, or an attempt of a benchmark, takes a :func:`snapshot` before and after;
:func:`changed` says why what lies between is not to be trusted. Where a system tells nothing, nothing is
found; an absent sensor is no proof of health.

Read are, where they exist:

* the Raspberry Pi's firmware, ``get_throttled``: bits 0 to 3 hold now, 16 to 19 since boot, so that what
  came and went in between is seen too;
* the kernel's counters ``thermal_throttle/*_throttle_count`` of x86 processors;
* ``oc*_event_cnt`` of a Jetson's over-current alarms (hwmon);
* cooling devices of the kernel (``/sys/class/thermal/cooling_device*``) that hold back a processor;
* NVML's throttle reasons of NVIDIA GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from edgewright.devices import nvidia, system

PI_BITS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_PI_SINCE_BOOT = 16  # the same four, as history
_PI_FILE = "/sys/devices/platform/soc/soc:firmware/get_throttled"
# Of /sys/class/thermal/cooling_device*/type: these take speed away, a fan does not.
_SLOWING = ("cpufreq", "processor", "devfreq", "powerclamp", "throttle", "cpu-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How fast and how hot the machine is at one moment.

    Attributes:
        clock_mhz: of the slowest core; ``None`` where the system does not tell. The governor moves it:
            it is recorded, and never judged.
        temperature_c: of the hottest sensor; ``None`` where there is none.
        throttled: what slows the machine down at this moment.
        events: counters of slow-downs since boot, by name.
    """

    clock_mhz: float | None
    temperature_c: float | None
    throttled: tuple[str, ...] = ()
    events: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, without the counters, which mean something in pairs alone."""
        return {
            "clock_mhz": self.clock_mhz,
            "temperature_c": self.temperature_c,
            "throttled": list(self.throttled),
        }


class _Sources(NamedTuple):
    """The files that a machine has, found once: a snapshot is taken thousands of times."""

    clocks: tuple[str, ...]
    temperatures: tuple[str, ...]
    counters: tuple[str, ...]
    cooling: tuple[tuple[str, str], ...]
    is_pi: bool


def snapshot(*, gpus: bool = False, root: Path = system.ROOT) -> Snapshot:
    """Return how fast and how hot this machine is now.

    Args:
        gpus: ask the NVIDIA driver too, where a GPU does the work. It takes milliseconds, and a GPU that
            holds itself back says nothing of a processor.
        root: folder that stands for ``/``; tests give a tree of their own.
    """
    sources = _sources(root)
    clocks = [v for file in sources.clocks if (v := system.read_int(file, root=root)) is not None]
    temperatures = read_temperatures(sources.temperatures, root)
    throttled = [
        f"{kind} holds back ({state})"
        for folder, kind in sources.cooling
        if (state := system.read_int(f"{folder}/cur_state", root=root) or 0) > 0
    ]
    events = [
        (file.removeprefix("/sys/"), count)
        for file in sources.counters
        if (count := system.read_int(file, root=root)) is not None
    ]
    bits = pi_bits(root) if sources.is_pi else 0
    throttled += [name for bit, name in enumerate(PI_BITS) if bits >> bit & 1]
    events += [
        (f"{name} (firmware)", 1) for bit, name in enumerate(PI_BITS) if bits >> (bit + _PI_SINCE_BOOT) & 1
    ]
    for gpu in nvidia.gpu_states() if gpus else ():
        throttled += gpu.throttled
        temperatures.append(gpu.temperature_c)
    return Snapshot(
        clock_mhz=min(clocks) / 1e3 if clocks else None,
        temperature_c=max(temperatures, default=None),
        throttled=tuple(throttled),
        events=tuple(events),
    )


def changed(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Return what slowed the machine down between two snapshots; empty where nothing is known to have.

    A reason at either end counts, and so does a counter that moved.
    """
    counted = dict(before.events)
    moved = [
        f"{name} rose by {count - counted.get(name, 0)}"
        for name, count in after.events
        if count > counted.get(name, 0)
    ]
    return tuple(dict.fromkeys((*before.throttled, *after.throttled, *moved)))


def pi_bits(root: Path) -> int:
    """Return the Raspberry Pi firmware's ``get_throttled``; 0 where it does not answer.

    The kernel's file is read where there is one: starting ``vcgencmd`` takes milliseconds.
    """
    text = system.read_text(_PI_FILE, root=root)
    if not text and root == system.ROOT:
        text = system.output_of(["vcgencmd", "get_throttled"]).partition("=")[2]
    try:
        return int(text, 16)
    except ValueError:
        return 0


def is_raspberry_pi(root: Path) -> bool:
    """Return whether the device tree says so."""
    return "raspberry pi" in system.read_text("/proc/device-tree/model", root=root).lower()


def temperature_files(root: Path) -> tuple[str, ...]:
    """Return the sensors of the kernel."""
    zones = system.paths("/sys/class/thermal/thermal_zone*/temp", root=root)
    return (*zones, *system.paths("/sys/class/hwmon/hwmon*/temp*_input", root=root))


def read_temperatures(files: tuple[str, ...], root: Path) -> list[float]:
    """Return what sensors read, in degrees Celsius."""
    values = [value for path in files if (value := system.read_int(path, root=root)) is not None]
    # Absent sensors report -273 or 0 degrees, some broken ones thousands.
    return [value / 1e3 for value in values if 0 < value < 150_000]


@lru_cache(maxsize=4)
def _sources(root: Path) -> _Sources:
    counters = system.paths("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count", root=root)
    counters += system.paths("/sys/class/hwmon/hwmon*/oc[0-9]*_event_cnt", root=root)
    cooling = [
        (folder, kind)
        for folder in system.paths("/sys/class/thermal/cooling_device*", root=root)
        if any(word in (kind := system.read_text(f"{folder}/type", root=root)).lower() for word in _SLOWING)
    ]
    return _Sources(
        clocks=tuple(system.paths("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq", root=root)),
        temperatures=temperature_files(root),
        counters=tuple(counters),
        cooling=tuple(cooling),
        is_pi=is_raspberry_pi(root),
    )

"""How a machine is at one moment: clocks, temperature, load, throttling."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgewright.devices import nvidia, system, throttle
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError, TableError

_USER_HZ = 100  # ticks a second in /proc/stat on every Linux that runs Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """A snapshot. ``None`` and empty mean that the system does not tell.

    Attributes:
        time_utc: ISO 8601, whole seconds.
        clocks_mhz: of each core.
        governor: of the first core.
        temperature_c: of the hottest sensor.
        load_average: one minute.
        throttled: why the firmware or driver slows the device down now.
        memory_available_bytes: main memory that can still be used.
        steal_ms: time since boot that a hypervisor gave to others while this machine wanted to run.
        affinity: cores that this process may use.
    """

    time_utc: str
    clocks_mhz: tuple[float, ...]
    governor: str
    temperature_c: float | None
    load_average: float | None
    throttled: tuple[str, ...]
    memory_available_bytes: int | None
    steal_ms: int | None
    affinity: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Any) -> Conditions:
        """Return the conditions that ``to_json`` described. Raises ``TableError``."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) != names:
            raise TableError(f"conditions need exactly the keys {sorted(names)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def read_conditions(*, root: Path = system.ROOT) -> Conditions:
    """Return how this machine is now.

    Args:
        root: folder that stands for ``/``; tests give a tree of their own.
    """
    gpus = nvidia.gpu_states()
    temperatures = throttle.read_temperatures(throttle.temperature_files(root), root) + [
        gpu.temperature_c for gpu in gpus
    ]
    throttled = _pi_throttled(root) + tuple(reason for gpu in gpus for reason in gpu.throttled)
    return Conditions(
        time_utc=now_utc(),
        clocks_mhz=_clocks_mhz(root),
        governor=system.read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", root=root)
        or "none",
        temperature_c=max(temperatures, default=None),
        load_average=_load_average(),
        throttled=throttled,
        memory_available_bytes=_memory_available(root),
        steal_ms=_steal_ms(root),
        affinity=tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else (),
    )


def require_gates(profile: DeviceProfile, conditions: Conditions) -> None:
    """Raise ``DeviceUnavailableError`` unless a device is fit to be measured."""
    if faults := check_gates(profile, conditions):
        raise DeviceUnavailableError(
            f"{profile.name} is not fit to be measured: {'; '.join(faults)}; mend that, or change "
            f"[gates] in a copy of {profile.path}"
        )


def now_utc() -> str:
    """Return the time as ISO 8601, as tables and journals keep it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: UP017 - Python 3.10


def check_gates(profile: DeviceProfile, conditions: Conditions) -> tuple[str, ...]:
    """Return why measuring may not begin, each with its mend; empty when it may.

    A gate on what the system does not tell (no sensor, no governor) is passed: the conditions in
    the table show that it was unknown.
    """
    gates, faults = profile.gates, []
    hottest = conditions.temperature_c
    if gates.max_temperature_c is not None and hottest is not None and hottest > gates.max_temperature_c:
        faults.append(
            f"temperature is {hottest:.0f} °C, the gate of {profile.name} is "
            f"{gates.max_temperature_c:.0f} °C; let it cool down"
        )
    if gates.governor is not None and conditions.governor not in (gates.governor, "none"):
        faults.append(
            f"the CPU governor is {conditions.governor!r}, {profile.name} asks for {gates.governor!r}; "
            f"set it with: echo {gates.governor} | "
            "sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    load = conditions.load_average
    if gates.max_load is not None and load is not None:
        per_core = load / (os.cpu_count() or 1)
        if per_core > gates.max_load:
            faults.append(
                f"load is {per_core:.2f} a core, the gate of {profile.name} is {gates.max_load:.2f}; "
                "end what else is running"
            )
    if conditions.throttled:
        faults.append(
            f"the device is slowed down now ({', '.join(conditions.throttled)}); "
            "check its power supply and cooling"
        )
    return tuple(faults)


def _clocks_mhz(root: Path) -> tuple[float, ...]:
    files = system.paths("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq", root=root)
    if khz := [value for file in files if (value := system.read_int(file, root=root)) is not None]:
        return tuple(value / 1e3 for value in khz)
    lines = system.read_text("/proc/cpuinfo", root=root).splitlines()
    return tuple(round(float(line.split(":")[1]), 1) for line in lines if line.startswith("cpu MHz"))


def _pi_throttled(root: Path) -> tuple[str, ...]:
    """Return what the Raspberry Pi's firmware says; it acts behind the governor's back."""
    if not throttle.is_raspberry_pi(root):
        return ()
    bits = throttle.pi_bits(root)
    return tuple(name for bit, name in enumerate(throttle.PI_BITS) if bits >> bit & 1)


def _load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def _memory_available(root: Path) -> int | None:
    for line in system.read_text("/proc/meminfo", root=root).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _steal_ms(root: Path) -> int | None:
    fields = system.read_text("/proc/stat", root=root).partition("\n")[0].split()
    return int(fields[8]) * 1000 // _USER_HZ if len(fields) > 8 else None

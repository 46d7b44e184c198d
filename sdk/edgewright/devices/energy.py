"""Energy of inferences, as the machine's own sensors count it (:mod:`edgewright.devices.energy_sensors`).

Where there is none, there is no figure: energy is never estimated from time or from a data sheet. A
sensor counts the whole of what it is wired to, whoever uses it: a measurement keeps the power while idle
beside the energy under load.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from edgewright.devices.energy_sensors import Sensor


class SensorNames(NamedTuple):
    """The energy sensors of a machine as another one hears of them.

    Attributes:
        names: of those that can be read, the one that stands for the machine first.
        reason: why there is none; empty where there is one.
    """

    names: tuple[str, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"names": list(self.names), "reason": self.reason}

    @classmethod
    def from_json(cls, data: Any) -> SensorNames:
        """Return what ``to_json`` described. Raises ``ValueError`` where it is none."""
        names, reason = (data.get("names"), data.get("reason")) if isinstance(data, dict) else (None, None)
        if not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
            raise ValueError(f"sensors are a list of names, got {data!r:.80}")
        if not isinstance(reason, str) or bool(reason) == bool(names):
            raise ValueError("there is either a sensor or a reason why there is none")
        return cls(tuple(names), reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What an inference took of one sensor's energy.

    Attributes:
        sensor: name of the sensor; all that it is wired to is counted.
        energy_mj: millijoules of one inference.
        idle_power_mw: of the sensor while this process slept.
        power_mw: of the sensor while it ran one inference after the other.
        n: inferences.
        seconds: that they took.
    """

    sensor: str
    energy_mj: float
    idle_power_mw: float
    power_mw: float
    n: int
    seconds: float

    @property
    def net_mj(self) -> float:
        """Millijoules of one inference beyond what the idle machine takes in the same time."""
        return self.energy_mj - self.idle_power_mw * self.seconds / self.n

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"net_mj": self.net_mj}

    @classmethod
    def from_json(cls, data: Any) -> Energy:
        """Return what ``to_json`` described. Raises ``ValueError`` where it is none."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) - {"net_mj"} != names:
            raise ValueError(f"an energy needs exactly the keys {sorted(names)}")
        figures = {name: data[name] for name in names - {"sensor"}}
        if not all(type(value) in (int, float) and math.isfinite(value) for value in figures.values()):
            raise ValueError(f"an energy is told in finite numbers, got {figures!r:.120}")
        if not (isinstance(data["sensor"], str) and type(data["n"]) is int and data["n"] > 0):
            raise ValueError(f"an energy needs its sensor and a count of inferences, got {data!r:.120}")
        return cls(sensor=data["sensor"], **figures)

    def text(self) -> str:
        """Return a line for a terminal."""
        return (
            f"{self.energy_mj:.3g} mJ an inference on {self.sensor} ({self.net_mj:.3g} mJ above idle; "
            f"{self.power_mw / 1e3:.3g} W, idle {self.idle_power_mw / 1e3:.3g} W)"
        )


class Metered(NamedTuple):
    """The energy of an inference on a machine.

    Attributes:
        energy: by sensor.
        reason: why there is none; empty where there is some.
    """

    energy: tuple[Energy, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"energy": [each.to_json() for each in self.energy], "reason": self.reason}

    @classmethod
    def from_json(cls, data: Any) -> Metered:
        """Return what ``to_json`` described. Raises ``ValueError`` where it is none."""
        if not isinstance(data, dict) or not isinstance(data.get("energy"), list):
            raise ValueError(f"energies are a list, got {data!r:.80}")
        energy = tuple(map(Energy.from_json, data["energy"]))
        reason = data.get("reason")
        if not isinstance(reason, str) or bool(reason) == bool(energy):
            raise ValueError("there is either energy or a reason why there is none")
        return cls(energy, reason)


def measure_energy(
    run: Callable[[], object],
    synchronize: Callable[[], object],
    sensors: tuple[Sensor, ...],
    *,
    seconds: float = 1.0,
    clock_s: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[Energy, ...]:
    """Return what ``run`` takes of each sensor's energy, in a loop that is not the one that was timed.

    Idle power is measured first, for half of ``seconds``. A sensor that fails meanwhile is left out.

    Args:
        run: one inference.
        synchronize: returns once the device is idle.
        sensors: from :func:`find_sensors`.
        seconds: that inferences are run for; a GPU's counter moves every tenth of a second or so.
        clock_s: a monotonic clock.
        sleep: waits some seconds.
    """
    found = []
    with ExitStack() as stack:
        opened = [stack.enter_context(sensor) for sensor in sensors]
        run()
        synchronize()
        before, start = _read(opened), clock_s()
        sleep(seconds / 2)
        idle, middle = _read(opened), clock_s()
        n = 0
        while clock_s() - middle < seconds:
            run()
            n += 1
        synchronize()
        loaded, end = _read(opened), clock_s()
        for sensor, a, b, c in zip(opened, before, idle, loaded, strict=True):
            if a is None or b is None or c is None:
                continue
            found.append(
                Energy(
                    sensor=sensor.name,
                    energy_mj=(c - b) / n,
                    idle_power_mw=(b - a) / (middle - start),
                    power_mw=(c - b) / (end - middle),
                    n=n,
                    seconds=end - middle,
                )
            )
    return tuple(found)


def _read(sensors: list[Sensor]) -> list[float | None]:
    values: list[float | None] = []
    for sensor in sensors:
        try:
            values.append(sensor.read_mj())
        except OSError:
            values.append(None)
    return values

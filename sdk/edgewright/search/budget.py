"""Budgets: the hard limits of a search, as a user writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edgewright.errors import BudgetError

# Factors to the base unit of each quantity. kB and KB are both read as 1000 bytes: users write
# either, and the difference to KiB is below what a budget is precise to.
TIME_UNITS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
SIZE_UNITS = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20}
COUNT_UNITS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
ENERGY_UNITS = {"uJ": 1e-3, "µJ": 1e-3, "mJ": 1.0, "J": 1e3}
SHARE_UNITS = {"": 1.0, "%": 0.01}

#: Costs that are not latencies: their units and the base unit of their limit.
QUANTITIES = {"size": (SIZE_UNITS, "B"), "macs": (COUNT_UNITS, ""), "params": (COUNT_UNITS, "")}
#: Shares of images that only an evaluation tells. They are minimised, and a front is chosen from under a
#: limit on them; no search can hold one before.
ADVERSARIAL_ERROR = "adversarial-error"
ERRORS = ("error", ADVERSARIAL_ERROR)
#: What users call 1 less the error, of which a limit would be a lower one.
ACCURACIES = ("accuracy", "acc", "top1")
#: What follows a device's name where its energy is meant: ``cpu.energy``.
ENERGY = "energy"
#: What is told to who names energy without a device.
BARE_ENERGY = (
    "'energy' is of a device that has an energy sensor: write DEVICE.energy, such as cpu.energy, and measure "
    "its model first with `edgewright table energy DEVICE --space SPACE`"
)
EXAMPLE = "cpu=4ms,size=2MB,macs=30M,params=0.5M,cpu.energy=20mJ"

_ITEM = re.compile(
    r"(?P<name>[A-Za-z][\w.+-]*)\s*(?:=|<=)\s*"
    r"(?P<value>(?:[-+]?[\d.]+(?:[eE][-+]?\d+)?)?)\s*(?P<unit>[A-Za-zµ%]*)"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """An upper limit on one cost of a network.

    Attributes:
        name: ``size``, ``macs``, ``params``, the name of a device, that and ``.energy``, or an error.
        limit: in ``unit``; a network that costs exactly this much is feasible.
        unit: base unit: ``ms`` for a device, ``mJ`` for its energy, ``B`` for ``size``, none for counts and
            errors.
    """

    name: str
    limit: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name}={format_cost(self.name, self.limit).replace(' ', '')}"


def device_of_energy(name: str) -> str:
    """Return the device whose energy a cost is; empty where it is none: ``cpu`` of ``cpu.energy``."""
    device, dot, quantity = name.rpartition(".")
    return device if dot and quantity == ENERGY else ""


def _units(name: str) -> tuple[dict[str, float], str]:
    """Return the units of a cost, and its base unit."""
    if name in ERRORS:
        return SHARE_UNITS, ""
    if device_of_energy(name):
        return ENERGY_UNITS, "mJ"
    return QUANTITIES.get(name, (TIME_UNITS, "ms"))


def format_cost(name: str, value: float, units: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a cost with a readable unit, four significant digits: ``2.31 ms``, ``1.8 MB``, ``7.41%``.

    Args:
        name: of the cost.
        value: in its base unit.
        units: of costs that users name themselves; a name that is in neither place is a device's.
    """
    if name in units:
        return f"{value:.4g} {units[name]}".rstrip()
    if name in ERRORS:
        return f"{value:.2%}"
    known, base = _units(name)
    shown = {"size": ("B", "kB", "MB", "GB"), "macs": ("", "k", "M", "G"), "params": ("", "k", "M", "G")}
    chosen = base
    if name in shown:
        fitting = [unit for unit in shown[name] if abs(value) >= known[unit]]
        chosen = fitting[-1] if fitting else shown[name][0]
    return f"{value / known[chosen]:.4g} {chosen}".rstrip()


def parse_budgets(
    text: str, *, devices: Sequence[str] | None = None, errors: Sequence[str] = ()
) -> tuple[Budget, ...]:
    """Return the budgets written as ``cpu=4ms,size=2MB``, in the order written.

    Args:
        text: comma-separated ``name=value`` with a unit: us, ms or s for devices; uJ, mJ or J for their
            energy; B, kB, MB, MiB … for ``size``; none, k, M or G for ``macs`` and ``params``; none or %
            for an error. An empty text is no budget.
        devices: names whose latency and energy may be limited; None leaves any name to be a device's.
        errors: of :data:`ERRORS` that may be limited, as they may in what is evaluated already.

    Raises:
        BudgetError: names every fault of ``text`` at once.
    """
    budgets: dict[str, Budget] = {}
    faults = list[str]()
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            if text.strip():
                faults.append("an item between commas is empty")
            continue
        parsed = _parse_item(part, devices, errors)
        if isinstance(parsed, str):
            faults.append(parsed)
        elif parsed.name in budgets:
            faults.append(f"{parsed.name!r} is given twice")
        else:
            budgets[parsed.name] = parsed
    if faults:
        raise BudgetError(f"cannot read the budget {text!r}: {'; '.join(faults)}; write it as {EXAMPLE}")
    return tuple(budgets.values())


def _parse_item(part: str, devices: Sequence[str] | None, errors: Sequence[str]) -> Budget | str:
    """Return the budget of one item, or what is wrong with it."""
    match = _ITEM.fullmatch(part)
    if match is None:
        return f"{part!r} is not NAME=VALUE"
    name, number, unit = match["name"], match["value"], match["unit"]
    if name in ERRORS and name not in errors:
        return (
            f"no search can hold {name!r}, which only evaluating a network tells; minimise it, then choose "
            f"with `edgewright front pick RUN --under {name}=10%`"
        )
    if name == ENERGY and name not in (devices or ()):
        return BARE_ENERGY
    if devices is not None and not (
        name in (*devices, *QUANTITIES, *errors) or device_of_energy(name) in devices
    ):
        if name in ACCURACIES:
            return (
                f"{name!r} is told as the error, which is minimised; choose with `edgewright front pick RUN "
                "--under error=30%`, which is an accuracy of at least 70%"
            )
        known = ", ".join(dict.fromkeys([*devices, *QUANTITIES, *errors, f"DEVICE.{ENERGY}"]))
        return f"unknown name {name!r} (known: {known})"
    units, base = _units(name)
    try:
        value = float(number)
    except ValueError:
        return f"{name!r} needs a number, got {number + unit!r}"
    if unit not in units:
        wanted = ", ".join(key or "none" for key in units)
        return f"{name!r} takes the units {wanted}, got {unit or 'none'}"
    if not math.isfinite(value) or value <= 0:
        return f"{name!r} must be above 0, got {number}{unit}"
    if name in ERRORS and value * units[unit] > 1:
        return f"{name!r} is a share of images, at most 1 or 100%, got {number}{unit}"
    return Budget(name, value * units[unit], base)

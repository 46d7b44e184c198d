"""Numbers as a reader wants them: few digits, a unit, a dash where nothing is known."""

from __future__ import annotations

import math

from edgewright.report.data import Objective, known

DASH = "–"
SPACE = "\u00a0"  # a number and its unit stay on one line
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def significant(value: float, *, digits: int = 3, fixed: bool = False) -> str:
    """Return ``value`` with ``digits`` significant digits, never in powers of ten.

    Args:
        value: finite.
        digits: significant ones.
        fixed: keep trailing zeros, for columns in which values are compared: ``1.50``.
    """
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == 0:
        return "0"
    shown = f"{rounded:.{min(9, max(0, digits - 1 - math.floor(math.log10(abs(rounded)))))}f}"
    return shown if fixed or "." not in shown else shown.rstrip("0").rstrip(".")


def quantity(value: float | None, unit: str, *, fixed: bool = False) -> str:
    """Return ``value`` with its unit, in the convention of :attr:`Objective.unit`."""
    if not known(value):
        return DASH
    factor, shown = display_scale(unit, abs(value))
    if unit == "fraction":
        return percent(value)
    return f"{significant(value * factor, fixed=fixed and unit != '')}{SPACE}{shown}".strip()


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """Return a share as ``2.0 %``."""
    if not known(value):
        return DASH
    return f"{value * 100:{'+' if sign else ''}.{digits}f}{SPACE}%"


def display_scale(unit: str, largest: float) -> tuple[float, str]:
    """Return ``(factor, unit)`` in which values up to ``largest`` are pleasant to read."""
    if unit == "fraction":
        return 100.0, "%"
    if unit in ("", "B"):
        for size, prefix in _PREFIXES:
            if largest >= size:
                return 1 / size, prefix + unit
    return 1.0, unit


def objective_value(objective: Objective, value: float | None) -> float | None:
    """Return what the reader is shown of ``value``, still in the objective's own unit."""
    if not known(value):
        return None
    return 1 - value if objective.complement else value


def plural(n: int, noun: str) -> str:
    """Return ``1 network``, ``2 networks``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")

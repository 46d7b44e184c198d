"""Numbers as a reader wants them: few digits, a unit, a dash where nothing is known."""

from __future__ import annotations

from edgewright.report.data import Objective, known

DASH = "–"
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, never in powers of ten."""
    if value == 0:
        return "0"
    short = f"{value:.{digits}g}"
    return f"{float(short):.0f}" if "e+" in short else f"{float(short):.9f}".rstrip("0").rstrip(".")


def quantity(value: float | None, unit: str) -> str:
    """Return ``value`` with its unit, in the convention of :attr:`Objective.unit`."""
    if not known(value):
        return DASH
    factor, shown = display_scale(unit, abs(value))
    if unit == "fraction":
        return f"{value * 100:.1f} %"
    return f"{significant(value * factor)} {shown}".strip()


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """Return a share as ``2.0 %``."""
    if not known(value):
        return DASH
    return f"{value * 100:{'+' if sign else ''}.{digits}f} %"


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

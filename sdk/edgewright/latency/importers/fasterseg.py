"""FasterSeg's TensorRT table (json): ``{"BasicResidual1x_H32_W64_Cin64_Cout64_stride1_dilation1": ms}``.

Kinds are ``ConvNorm``, ``BasicResidual1x``, ``BasicResidual2x``, both with ``_downup`` (half the
resolution inside), ``FactorizedReduce``, ``ff`` and ``head``; ``H`` and ``W`` are of the input.
Latencies are milliseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgewright.latency.importers.base import Fault, Reading, SourceEntry, latency_fault
from edgewright.latency.importers.single_path import json_object

_KEY = re.compile(
    r"(?P<kind>ConvNorm|BasicResidual1x|BasicResidual2x|BasicResidual_downup_1x|BasicResidual_downup_2x"
    r"|FactorizedReduce|ff|head)_H(?P<h>\d+)_W(?P<w>\d+)"
    r"(_Cin(?P<cin>\d+)_Cout(?P<cout>\d+)|_C(?P<c>\d+))"
    r"(_kernel(?P<kernel>[137]))?(_stride(?P<stride>[12]))?(_dilation(?P<dilation>\d+))?"
)


@dataclass(frozen=True, slots=True)
class FasterSegJson:
    """Reads FasterSeg's tables of TensorRT operators."""

    name: str = "fasterseg"
    title: str = "FasterSeg, TensorRT operators (json)"
    unit: str = "ms"
    # Of a GPU, from small feature maps to its tensor cores.
    macs_per_s: tuple[float, float] = (2e10, 2e14)

    def matches(self, text: str) -> bool:
        """Return whether a file has FasterSeg's operators as keys."""
        return re.search(r'"(BasicResidual|FactorizedReduce|ConvNorm)[^"]*_H\d+_W\d+_', text) is not None

    def read(self, text: str) -> Reading:
        """Return what a file says. Its operators are of none of our spaces."""
        entries, faults = list[SourceEntry](), list[Fault]()
        for key, value in json_object(text).items():
            match = _KEY.fullmatch(key)
            if match is None:
                faults.append(Fault(key, "is no key of this format"))
            elif fault := latency_fault(key, value):
                faults.append(fault)
            else:
                entries.append(SourceEntry(key, float(str(value)), macs=_macs(match)))
        return Reading(entries=tuple(entries), faults=tuple(faults))


def _macs(match: re.Match[str]) -> float | None:
    """Return about how much an operator computes, where it is one of convolutions alone."""
    kind = match["kind"]
    if match["cin"] is None or kind in ("ff", "head"):
        return None
    cin, cout = int(match["cin"]), int(match["cout"])
    pixels = int(match["h"]) * int(match["w"]) / int(match["stride"] or 1) ** 2
    kernel = {"ConvNorm": int(match["kernel"] or 3), "FactorizedReduce": 1}.get(kind, 3)
    inside = 0.25 if "downup" in kind else 1.0
    more = cout * cout if "2x" in kind else 0
    return pixels * inside * kernel**2 * (cin * cout + more)

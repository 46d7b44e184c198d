"""ProxylessNAS's table (``mobile_trim.yaml``): as OFA's, but older.

``expand`` is the ratio, not the width inside; the spread is given as a variance; there is no
squeeze-and-excitation; ``Logits`` includes the pooling. Means are milliseconds. Rule of summing:
``ProxylessNASLatencyTable`` of the ``ofa`` package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgewright.latency.importers.base import Fault, Reading, SourceEntry
from edgewright.latency.importers.yaml_entries import entry_of, read_rows

_SHAPE = r"(\d+)x(\d+)x(\d+)"
_PLAIN = re.compile(rf"(Conv|Conv_1)-input:{_SHAPE}-output:{_SHAPE}")
_LOGITS = re.compile(rf"(Logits)-input:{_SHAPE}-output:(\d+)")
_BLOCK = re.compile(
    rf"(expanded_conv)-input:{_SHAPE}-output:{_SHAPE}-expand:(\d+)-kernel:(\d+)-stride:([12])-idskip:([01])"
)


@dataclass(frozen=True, slots=True)
class ProxylessYaml:
    """Reads ProxylessNAS's tables of MobileNetV2 blocks."""

    name: str = "proxylessnas"
    title: str = "ProxylessNAS, MobileNetV2 blocks (yaml)"
    unit: str = "ms"
    macs_per_s: tuple[float, float] = (1e8, 2e12)

    def matches(self, text: str) -> bool:
        """Return whether a file has blocks without squeeze-and-excitation in their keys."""
        return re.search(r"^expanded_conv-input:.*-idskip:[01]:", text, re.MULTILINE) is not None

    def read(self, text: str) -> Reading:
        """Return what a file says. Its operators are of none of our spaces."""
        rows, faults = read_rows(text)
        entries: list[SourceEntry] = []
        for row in rows:
            macs = _macs(row.key)
            found = Fault(row.key, macs) if isinstance(macs, str) else entry_of(row, macs, spread="var")
            (faults if isinstance(found, Fault) else entries).append(found)  # type: ignore[arg-type]
        return Reading(entries=tuple(entries), faults=tuple(faults))


def _macs(key: str) -> float | str:
    """Return the multiply-accumulates of a key, or what is wrong with it."""
    if match := _BLOCK.fullmatch(key):
        h, w, c, oh, ow, oc, ratio, k, stride, skip = map(int, match.groups()[1:])
        if (oh, ow) != (-(-h // stride), -(-w // stride)):
            return f"its output of {oh}x{ow} does not follow from {h}x{w} at stride {stride}"
        if skip and (stride != 1 or c != oc):
            return "idskip:1 needs stride 1 and as many channels out as in"
        if ratio > 12:
            return f"expand:{ratio} is no ratio; widths inside are OFA's notation"
        mid = c * ratio
        return float((h * w * c * mid if ratio != 1 else 0) + oh * ow * mid * (k * k + oc))
    if match := _PLAIN.fullmatch(key):
        _, _, c, oh, ow, oc = map(int, match.groups()[1:])
        return float(oh * ow * c * oc * (9 if match[1] == "Conv" else 1))
    if match := _LOGITS.fullmatch(key):
        return float(int(match[4]) * int(match[5]))
    return "is no key of this format"

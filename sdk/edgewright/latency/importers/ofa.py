"""Once-for-All's MobileNetV3 tables (``<resolution>_lookup_table.yaml`` of han-cai/files).

A key is ``expanded_conv-input:HxWxC-output:HxWxC-expand:MID-kernel:K-stride:S-idskip:I-se:B-hs:B``,
where ``expand`` is the width inside, not the ratio; ``Conv``, ``Conv_1``, ``AvgPool2D``, ``Conv_2``
and ``Logits`` have input and output alone. Means are milliseconds. The head of our networks is the
sum of the last four. The rule of summing is ``MBv3LatencyTable`` of the ``ofa`` package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edgewright.errors import SpaceError
from edgewright.latency.importers.base import Fault, Reading, SourceEntry
from edgewright.latency.importers.yaml_entries import entry_of, read_rows
from edgewright.spaces import find_space
from edgewright.spaces.operator import Operator, make_divisible

_SHAPE = r"(\d+)x(\d+)x(\d+)"
_PLAIN = re.compile(rf"(Conv|Conv_1|AvgPool2D|Conv_2)-input:{_SHAPE}-output:{_SHAPE}")
_LOGITS = re.compile(rf"(Logits)-input:{_SHAPE}-output:(\d+)")
_BLOCK = re.compile(
    rf"(expanded_conv)-input:{_SHAPE}-output:{_SHAPE}"
    r"-expand:(\d+)-kernel:(\d+)-stride:([12])-idskip:([01])-se:([01])-hs:([01])"
)
SPACES = ("mobilenetv3-w1.2", "mobilenetv3-w1.0")


@dataclass(frozen=True, slots=True)
class OfaYaml:
    """Reads OFA's tables of MobileNetV3 blocks."""

    name: str = "ofa"
    title: str = "Once-for-All, MobileNetV3 blocks (yaml)"
    unit: str = "ms"
    # From a phone's slow core to a GPU at batch 1.
    macs_per_s: tuple[float, float] = (1e8, 2e12)

    def matches(self, text: str) -> bool:
        """Return whether a file has blocks with squeeze-and-excitation in their keys."""
        return re.search(r"^expanded_conv-input:.*-se:[01]-hs:[01]", text, re.MULTILINE) is not None

    def read(self, text: str) -> Reading:
        """Return what a file says, and which operators of which space its keys are."""
        rows, faults = read_rows(text)
        entries: list[SourceEntry] = []
        for row in rows:
            macs = _macs(row.key)
            found = Fault(row.key, macs) if isinstance(macs, str) else entry_of(row, macs, spread="std")
            (faults if isinstance(found, Fault) else entries).append(found)  # type: ignore[arg-type]
        space, operators = _operators({entry.key for entry in entries})
        return Reading(entries=tuple(entries), faults=tuple(faults), space=space, operators=operators)


def keys_of(operator: Operator) -> tuple[str, ...]:
    """Return the keys whose sum is the cost of an operator of an OFA-MobileNetV3 space."""
    op, size, out = operator, operator.in_size, operator.out_size
    if op.kind == "stem":
        return (f"Conv-input:{size}x{size}x{op.in_channels}-output:{out}x{out}x{op.out_channels}",)
    if op.kind == "mbconv":
        return (
            f"expanded_conv-input:{size}x{size}x{op.in_channels}-output:{out}x{out}x{op.out_channels}"
            f"-expand:{op.mid_channels}-kernel:{op.kernel_size}-stride:{op.stride}"
            f"-idskip:{op.residual:d}-se:{op.se:d}-hs:{op.act == 'h_swish':d}",
        )
    mid, hidden = op.mid_channels, op.hidden_channels
    return (
        f"Conv_1-input:{size}x{size}x{op.in_channels}-output:{size}x{size}x{mid}",
        f"AvgPool2D-input:{size}x{size}x{mid}-output:1x1x{mid}",
        f"Conv_2-input:1x1x{mid}-output:1x1x{hidden}",
        f"Logits-input:1x1x{hidden}-output:{op.out_channels}",
    )


def _operators(keys: set[str]) -> tuple[str, dict[Operator, tuple[str, ...]]]:
    """Return the space and resolution that most keys are of, and its operators that have all their keys."""
    best: tuple[str, dict[Operator, tuple[str, ...]]] = ("", {})
    for base in SPACES:
        for spec in _specs(base, keys):
            try:
                space = find_space(spec)
            except SpaceError:  # a resolution that the space does not have
                continue
            found = {op: keys_of(op) for op in space.all_operators() if keys.issuperset(keys_of(op))}
            if len(found) > len(best[1]):
                best = (space.name, found)
    return best


def _specs(base: str, keys: Iterable[str]) -> list[str]:
    """Return the spaces that a file can be of: its input's resolution and its classes."""
    sides = {int(m[2]) for key in keys if (m := _PLAIN.fullmatch(key)) and m[1] == "Conv"}
    classes = {int(m[5]) for key in keys if (m := _LOGITS.fullmatch(key))}
    return [f"{base}@{side}:{n}" for side in sorted(sides) for n in sorted(classes)]


def _macs(key: str) -> float | str:
    """Return the multiply-accumulates of a key, or what is wrong with it."""
    if match := _BLOCK.fullmatch(key):
        h, w, c, oh, ow, oc, mid, k, stride, skip, se, _ = map(int, match.groups()[1:])
        if (oh, ow) != (-(-h // stride), -(-w // stride)):
            return f"its output of {oh}x{ow} does not follow from {h}x{w} at stride {stride}"
        if skip and (stride != 1 or c != oc):
            return "idskip:1 needs stride 1 and as many channels out as in"
        expansion = h * w * c * mid if mid != c else 0
        squeeze = 2 * mid * make_divisible(mid // 4) if se else 0
        return float(expansion + oh * ow * mid * (k * k + oc) + squeeze)
    if match := _PLAIN.fullmatch(key):
        h, w, c, oh, ow, oc = map(int, match.groups()[1:])
        weights = {"Conv": 9 * c * oc, "Conv_1": c * oc, "Conv_2": c * oc, "AvgPool2D": 0}[match[1]]
        return float(oh * ow * weights)
    if match := _LOGITS.fullmatch(key):
        return float(int(match[4]) * int(match[5]))
    return "is no key of this format"

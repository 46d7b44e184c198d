"""Operators: the pieces of a network as a runtime compiles them, with their exact costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from edgewright.errors import SpaceError

KINDS = ("stem", "mbconv", "head", "lead")
LEAD_CHANNELS = 8


def make_divisible(value: float, divisor: int = 8) -> int:
    """Return ``value`` rounded to a multiple of ``divisor``, never below 90 % of it.

    The rule of MobileNet's and OFA's own code; exact widths depend on it.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@dataclass(frozen=True, slots=True, order=True)
class Operator:
    """One piece of a subnet with its input shape: the key of a latency table's entry.

    Attributes:
        kind: ``stem`` is conv-BN-act; ``mbconv`` an inverted residual block; ``head`` is
            conv-BN-act, global average pooling, a 1x1 convolution without BN, act, and the
            classifier. ``lead`` is a cheap 1x1 conv-BN-act: no part of a network, it stands before
            an operator that is measured (:attr:`lead`).
        in_size: height and width of the input, in pixels. Batch is 1.
        in_channels: channels of the input.
        mid_channels: width inside: of the expansion (``mbconv``; equal to ``in_channels`` where
            there is none), of the first convolution (``head``), 0 for a ``stem``.
        hidden_channels: width before the classifier (``head``), else 0.
        out_channels: channels of the output; classes of a ``head``.
        kernel_size: of the depthwise convolution, or of the stem's convolution; 1 for a ``head``.
        stride: of the same convolution.
        se: whether a squeeze-and-excitation follows the depthwise convolution.
        act: ``relu`` or ``h_swish``.
        residual: whether input and output are added.
    """

    kind: str
    in_size: int
    in_channels: int
    mid_channels: int
    hidden_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    se: bool
    act: str
    residual: bool

    @property
    def out_size(self) -> int:
        """Height and width of the output in pixels; 1 for a ``head``."""
        return 1 if self.kind == "head" else -(-self.in_size // self.stride)

    @property
    def has_expansion(self) -> bool:
        """Whether an ``mbconv`` starts with a 1x1 convolution."""
        return self.kind == "mbconv" and self.mid_channels != self.in_channels

    @property
    def se_channels(self) -> int:
        """Width inside the squeeze-and-excitation; 0 without one."""
        return make_divisible(self.mid_channels // 4) if self.se else 0

    @property
    def lead(self) -> Operator | None:
        """The operator that precedes this one where it is measured; ``None`` for one that takes images.

        An operator behind a lead minus the lead alone costs what the operator adds to a network: the
        call and the reordering of its output fall away, since what one operator of a network hands
        over is what the next one takes.
        """
        if self.kind in ("stem", "lead"):
            return None
        return Operator(
            "lead", self.in_size, LEAD_CHANNELS, 0, 0, self.in_channels, 1, 1, False, "relu", False
        )

    @property
    def key(self) -> str:
        """A readable name, unique among operators."""
        parts = [
            self.kind,
            f"{self.in_size}px",
            f"i{self.in_channels}",
            f"m{self.mid_channels}",
            f"h{self.hidden_channels}",
            f"o{self.out_channels}",
            f"k{self.kernel_size}",
            f"s{self.stride}",
            "se" if self.se else "nose",
            self.act,
            "res" if self.residual else "plain",
        ]
        return "-".join(parts)

    @property
    def params(self) -> int:
        """Learned parameters; BatchNorm counts scale and shift."""
        if self.kind in ("stem", "lead"):
            return self.in_channels * self.out_channels * self.kernel_size**2 + 2 * self.out_channels
        if self.kind == "head":
            first = self.in_channels * self.mid_channels + 2 * self.mid_channels
            mix = self.mid_channels * self.hidden_channels
            return first + mix + (self.hidden_channels + 1) * self.out_channels
        mid, squeeze = self.mid_channels, self.se_channels
        expansion = self.in_channels * mid + 2 * mid if self.has_expansion else 0
        depthwise = mid * self.kernel_size**2 + 2 * mid
        excitation = 2 * mid * squeeze + squeeze + mid if self.se else 0
        return expansion + depthwise + excitation + mid * self.out_channels + 2 * self.out_channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers, at batch 1."""
        before, after = self.in_size**2, self.out_size**2
        if self.kind in ("stem", "lead"):
            return self.in_channels * self.out_channels * self.kernel_size**2 * after
        if self.kind == "head":
            first = self.in_channels * self.mid_channels * before
            mix = self.mid_channels * self.hidden_channels
            return first + mix + self.hidden_channels * self.out_channels
        mid = self.mid_channels
        expansion = self.in_channels * mid * before if self.has_expansion else 0
        depthwise = mid * self.kernel_size**2 * after
        return expansion + depthwise + 2 * mid * self.se_channels + mid * self.out_channels * after

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Operator:
        """Return the operator that ``to_json`` described. Raises ``SpaceError``."""
        wanted = {field.name: str(field.type) for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != set(wanted):
            raise SpaceError(f"an operator needs exactly the keys {sorted(wanted)}, got {data!r:.200}")
        for name, kind in wanted.items():
            if type(data[name]).__name__ != kind:
                raise SpaceError(f"operator key {name!r} must be {kind}, got {data[name]!r}")
        if data["kind"] not in KINDS:
            raise SpaceError(f"operator kind must be one of {KINDS}, got {data['kind']!r}")
        return cls(**data)


def with_leads(operators: Iterable[Operator]) -> tuple[Operator, ...]:
    """Return ``operators`` and the leads that they are measured behind, each once, sorted."""
    found = set(operators)
    found |= {lead for operator in found if (lead := operator.lead) is not None}
    return tuple(sorted(found))

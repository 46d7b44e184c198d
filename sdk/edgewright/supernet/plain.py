"""Networks of plain layers: what is profiled, extracted, converted and shipped.

Only ``nn.Conv2d``, ``nn.BatchNorm2d``, ``nn.ReLU``, ``nn.Hardswish``, ``nn.Hardsigmoid``,
``nn.AdaptiveAvgPool2d``, ``nn.Flatten``, ``nn.Dropout`` and ``nn.Linear``, joined by ``+`` and ``*``:
all of it can be traced by ``torch.fx``, and every backend knows how to express it. Layer order,
paddings and constants are those of OFA's MobileNetV3 (arXiv:1908.09791).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from edgewright.errors import SpaceError
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import KINDS, Operator
from edgewright.supernet.initialise import materialise


def activation(name: str) -> nn.Module:
    """Return the layer of an operator's ``act``. Raises ``SpaceError`` for an unknown name."""
    if name == "relu":
        return nn.ReLU()
    if name == "h_swish":
        return nn.Hardswish()
    raise SpaceError(f"act of an operator must be relu or h_swish, got {name!r}")


def conv_norm(
    in_channels: int,
    out_channels: int,
    *,
    kernel_size: int = 1,
    stride: int = 1,
    groups: int = 1,
    act: str | None = None,
) -> nn.Sequential:
    """Return a convolution without bias, its BatchNorm and, where ``act`` is given, an activation."""
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, bn=nn.BatchNorm2d(out_channels))
    if act is not None:
        layers["act"] = activation(act)
    return nn.Sequential(layers)


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation (arXiv:1709.01507) with MobileNetV3's hard sigmoid.

    Args:
        channels: of input and output.
        squeezed: width between the two convolutions.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of ``x`` ``(N, C, H, W)``."""
        scale: Tensor = self.gate(self.expand(self.act(self.reduce(self.pool(x)))))  # (N, C, 1, 1)
        return x * scale


class InvertedResidual(nn.Module):
    """An ``mbconv`` operator: expand, depthwise convolution, squeeze-and-excitation, project."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        op, mid = operator, operator.mid_channels
        self.expand = conv_norm(op.in_channels, mid, act=op.act) if op.has_expansion else None
        self.depthwise = conv_norm(
            mid, mid, kernel_size=op.kernel_size, stride=op.stride, groups=mid, act=op.act
        )
        self.se = SqueezeExcitation(mid, op.se_channels) if op.se else None
        self.project = conv_norm(mid, op.out_channels)
        self.residual = op.residual

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``."""
        y = x if self.expand is None else self.expand(x)
        y = self.depthwise(y)
        if self.se is not None:
            y = self.se(y)
        y = self.project(y)
        out: Tensor = x + y if self.residual else y
        return out


class Head(nn.Module):
    """A ``head`` operator: last convolution, pooling, mixing convolution without BN, classifier.

    Args:
        operator: the head.
        dropout: share of the hidden features dropped while training.
    """

    def __init__(self, operator: Operator, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.final = conv_norm(operator.in_channels, operator.mid_channels, act=operator.act)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.mix = nn.Conv2d(operator.mid_channels, operator.hidden_channels, 1, bias=False)
        self.act = activation(operator.act)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(operator.hidden_channels, operator.out_channels)

    def features(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to what the classifier reads, ``(N, hidden_channels)``."""
        hidden: Tensor = self.flatten(self.act(self.mix(self.pool(self.final(x)))))
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to logits ``(N, out_channels)``."""
        logits: Tensor = self.classifier(self.dropout(self.features(x)))
        return logits


def _build(operator: Operator) -> nn.Module:
    op = operator
    if op.kind in ("stem", "lead"):
        return conv_norm(
            op.in_channels, op.out_channels, kernel_size=op.kernel_size, stride=op.stride, act=op.act
        )
    if op.kind == "mbconv":
        return InvertedResidual(op)
    if op.kind == "head":
        return Head(op)
    raise SpaceError(f"operator kind must be one of {KINDS}, got {op.kind!r}")


def module_from_operator(operator: Operator, *, seed: int = 0) -> nn.Module:
    """Return one operator as a module of plain layers in evaluation mode, with random weights.

    It maps ``(N, in_channels, in_size, in_size)`` to ``(N, out_channels, out_size, out_size)``, a
    ``head`` to logits ``(N, out_channels)``. Same operator and seed, same weights.

    Raises:
        SpaceError: the operator's kind or activation is unknown.
    """
    return materialise(lambda: _build(operator), seed).eval()


def measured_module(operator: Operator, *, seed: int = 0) -> nn.Sequential:
    """Return an operator behind its lead (:attr:`Operator.lead`), as a device measures it.

    It maps ``(N, C, in_size, in_size)``, where ``C`` is the lead's ``in_channels``, or the operator's
    own where it has no lead, to the operator's output.

    Raises:
        SpaceError: the operator's kind or activation is unknown.
    """
    parts = (
        OrderedDict(operator=operator)
        if operator.lead is None
        else OrderedDict(lead=operator.lead, operator=operator)
    )

    def build() -> nn.Sequential:
        return nn.Sequential(OrderedDict((name, _build(part)) for name, part in parts.items()))

    return materialise(build, seed).eval()


def network_from_architecture(space: MobileSpace, arch: Architecture, *, seed: int = 0) -> nn.Sequential:
    """Return a subnet as plain layers in evaluation mode, with random weights.

    Its children are the modules of ``space.operators(arch)`` in order: ``stem``, ``block0`` …,
    ``head``. It maps images ``(N, 3, resolution, resolution)`` to logits ``(N, n_classes)``.

    Raises:
        ArchitectureError: ``arch`` is not of ``space``.
    """
    operators = space.operators(arch)

    def build() -> nn.Sequential:
        names = ["stem", *(f"block{i}" for i in range(len(operators) - 2)), "head"]
        return nn.Sequential(OrderedDict(zip(names, map(_build, operators), strict=True)))

    return materialise(build, seed).eval()

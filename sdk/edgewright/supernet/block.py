"""The elastic inverted residual block."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.spaces.operator import Operator, make_divisible
from edgewright.supernet.conv import ElasticDepthwiseConv2d, ElasticPointwiseConv2d
from edgewright.supernet.norm import ElasticBatchNorm2d


class ElasticSqueezeExcitation(nn.Module):
    """Squeeze-and-excitation over leading channels; a quarter of the active ones inside.

    Args:
        max_channels: of the largest subnet.
    """

    def __init__(self, max_channels: int) -> None:
        super().__init__()
        squeezed = make_divisible(max_channels // 4)
        self.reduce = ElasticPointwiseConv2d(max_channels, squeezed, bias=True)
        self.expand = ElasticPointwiseConv2d(squeezed, max_channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of ``x`` ``(N, C, H, W)``."""
        channels = x.shape[1]
        pooled = functional.adaptive_avg_pool2d(x, 1)
        hidden = functional.relu(self.reduce(pooled, make_divisible(channels // 4)))
        return x * functional.hardsigmoid(self.expand(hidden, channels))


class ElasticPointwise(nn.Module):
    """Elastic 1x1 convolution and its BatchNorm."""

    def __init__(self, in_max: int, out_max: int) -> None:
        super().__init__()
        self.conv = ElasticPointwiseConv2d(in_max, out_max)
        self.bn = ElasticBatchNorm2d(out_max)

    def forward(self, x: Tensor, out_channels: int) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, out_channels, H, W)``."""
        y: Tensor = self.bn(self.conv(x, out_channels))
        return y


class ElasticDepthwise(nn.Module):
    """Elastic depthwise convolution and its BatchNorm."""

    def __init__(self, max_channels: int, kernel_sizes: tuple[int, ...], *, stride: int) -> None:
        super().__init__()
        self.conv = ElasticDepthwiseConv2d(max_channels, kernel_sizes, stride=stride)
        self.bn = ElasticBatchNorm2d(max_channels)

    def forward(self, x: Tensor, kernel_size: int) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, H / stride, W / stride)``."""
        y: Tensor = self.bn(self.conv(x, kernel_size))
        return y


class ElasticBlock(nn.Module):
    """Inverted residual block with elastic kernel size and expansion.

    Args:
        largest: the block of the largest subnet.
        kernel_sizes: choices of the depthwise kernel, ascending.
    """

    def __init__(self, largest: Operator, kernel_sizes: tuple[int, ...]) -> None:
        super().__init__()
        mid = largest.mid_channels
        self.act = largest.act
        self.residual = largest.residual
        self.out_channels = largest.out_channels
        self.expand = ElasticPointwise(largest.in_channels, mid)
        self.depthwise = ElasticDepthwise(mid, kernel_sizes, stride=largest.stride)
        self.se = ElasticSqueezeExcitation(mid) if largest.se else None
        self.project = ElasticPointwise(mid, largest.out_channels)

    def _activate(self, x: Tensor) -> Tensor:
        # In place is safe: BatchNorm's backward reads its input, not its output.
        return functional.relu(x, inplace=True) if self.act == "relu" else functional.hardswish(x)

    def forward(self, x: Tensor, *, kernel_size: int, mid_channels: int) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``."""
        y = self._activate(self.expand(x, mid_channels))
        y = self._activate(self.depthwise(y, kernel_size))
        if self.se is not None:
            y = self.se(y)
        y = self.project(y, self.out_channels)
        out: Tensor = x + y if self.residual else y
        return out

    def state_for(self, operator: Operator) -> dict[str, Tensor]:
        """Return the state of the subnet's :class:`edgewright.supernet.plain.InvertedResidual`."""
        op, mid = operator, operator.mid_channels
        parts: dict[str, dict[str, Tensor]] = {
            "expand.conv": self.expand.conv.state_for(op.in_channels, mid),
            "expand.bn": self.expand.bn.state_for(mid),
            "depthwise.conv": {"weight": self.depthwise.conv.weight_for(mid, op.kernel_size)},
            "depthwise.bn": self.depthwise.bn.state_for(mid),
            "project.conv": self.project.conv.state_for(mid, op.out_channels),
            "project.bn": self.project.bn.state_for(op.out_channels),
        }
        if self.se is not None:
            parts["se.reduce"] = self.se.reduce.state_for(mid, op.se_channels)
            parts["se.expand"] = self.se.expand.state_for(op.se_channels, mid)
        return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}

    @torch.no_grad()
    def sort_channels(self, boundaries: tuple[int, ...] = ()) -> None:
        """Reorder the inner channels by importance, the most important first, in place.

        Importance is the L1 norm of a channel's weights in the projection ("Elastic Width" of
        arXiv:1908.09791, section 3.3). The block's function at its largest stays the same.

        Args:
            boundaries: widths already trained; no channel crosses one of them.
        """
        importance = self.project.conv.weight.abs().sum(dim=(0, 2, 3))  # (mid,)
        order = _sorted_within(importance, boundaries)
        _permute(self.expand.conv.weight, 0, order)
        for bn in (self.expand.bn, self.depthwise.bn):
            for tensor in (bn.weight, bn.bias, bn.running_mean, bn.running_var):
                _permute(tensor, 0, order)
        _permute(self.depthwise.conv.weight, 0, order)
        _permute(self.project.conv.weight, 1, order)
        if self.se is not None:
            _permute(self.se.reduce.weight, 1, order)
            _permute(self.se.expand.weight, 0, order)
            _permute(self.se.expand.bias, 0, order)
            squeezed = tuple(make_divisible(width // 4) for width in boundaries)
            inner = _sorted_within(self.se.expand.weight.abs().sum(dim=(0, 2, 3)), squeezed)
            _permute(self.se.expand.weight, 1, inner)
            _permute(self.se.reduce.weight, 0, inner)
            _permute(self.se.reduce.bias, 0, inner)


def _sorted_within(importance: Tensor, boundaries: tuple[int, ...]) -> Tensor:
    """Return the order that sorts each segment between ``boundaries``, descending; ties stay put."""
    edges = sorted({0, *boundaries, len(importance)})
    return torch.cat(
        [
            start + torch.sort(importance[start:stop], descending=True, stable=True).indices
            for start, stop in pairwise(edges)
        ]
    )


def _permute(tensor: Tensor | None, dim: int, order: Tensor) -> None:
    if tensor is not None:
        tensor.copy_(tensor.index_select(dim, order))

"""Convolutions whose subnets share one weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ElasticPointwiseConv2d(nn.Module):
    """1x1 convolution over leading channels.

    Args:
        in_max: input channels of the largest subnet.
        out_max: output channels of the largest subnet.
        bias: whether a bias is added.
    """

    def __init__(self, in_max: int, out_max: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_max, in_max, 1, 1))
        self.bias = nn.Parameter(torch.empty(out_max)) if bias else None

    def state_for(self, in_channels: int, out_channels: int) -> dict[str, Tensor]:
        """Return the state of the subnet's ``nn.Conv2d``."""
        state = {"weight": self.weight[:out_channels, :in_channels]}
        return state if self.bias is None else state | {"bias": self.bias[:out_channels]}

    def forward(self, x: Tensor, out_channels: int) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, out_channels, H, W)``."""
        state = self.state_for(x.shape[1], out_channels)
        weight, bias = state["weight"], state.get("bias")
        if x.shape[2] == x.shape[3] == 1:  # a matrix product costs half as much there
            return functional.linear(x.flatten(1), weight.flatten(1), bias)[:, :, None, None]
        return functional.conv2d(x, weight, bias)


class ElasticDepthwiseConv2d(nn.Module):
    """Depthwise convolution with elastic kernel size over leading channels.

    "Elastic Kernel Size" of Once-for-All (arXiv:1908.09791, section 3.3): the centre of a kernel,
    flattened, times a learned matrix is the next smaller kernel. The matrices, one for each step
    (7 to 5, 5 to 3), are shared by all channels and start as identities.

    Args:
        max_channels: of the largest subnet.
        kernel_sizes: odd choices, ascending.
        stride: of the convolution.
    """

    def __init__(self, max_channels: int, kernel_sizes: tuple[int, ...], *, stride: int = 1) -> None:
        super().__init__()
        self.kernel_sizes = kernel_sizes
        self.stride = stride
        self.groups = max_channels
        self.weight = nn.Parameter(torch.empty(max_channels, 1, kernel_sizes[-1], kernel_sizes[-1]))
        steps = zip(kernel_sizes[1:], kernel_sizes[:-1], strict=True)
        self.transforms = nn.ParameterDict(
            {f"{large}to{small}": nn.Parameter(torch.empty(small**2, small**2)) for large, small in steps}
        )

    def weight_for(self, channels: int, kernel_size: int) -> Tensor:
        """Return the subnet's weight, ``(channels, 1, kernel_size, kernel_size)``."""
        weight = self.weight[:channels]
        index = len(self.kernel_sizes) - 1
        while self.kernel_sizes[index] > kernel_size:
            large, small = self.kernel_sizes[index], self.kernel_sizes[index - 1]
            margin = (large - small) // 2
            centre = weight[:, :, margin : margin + small, margin : margin + small]
            flat = functional.linear(centre.reshape(channels, small**2), self.transforms[f"{large}to{small}"])
            weight = flat.view(channels, 1, small, small)
            index -= 1
        return weight

    def forward(self, x: Tensor, kernel_size: int) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, C, H / stride, W / stride)``."""
        channels = x.shape[1]
        weight = self.weight_for(channels, kernel_size)
        # Taps further out than the map is wide only ever meet padding; on the last, tiny maps of a
        # network they would be most of the work.
        surplus = kernel_size // 2 - (max(x.shape[2], x.shape[3]) - 1)
        if surplus > 0:
            inner = slice(surplus, kernel_size - surplus)
            weight, kernel_size = weight[:, :, inner, inner], kernel_size - 2 * surplus
        return functional.conv2d(x, weight, None, self.stride, kernel_size // 2, groups=channels)

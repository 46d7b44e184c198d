"""Small plain torch networks with everything a MobileNetV3 subnet has."""

from __future__ import annotations

import torch
from torch import nn


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, 8, 1)
        self.relu = nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(8, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(self.expand(self.relu(self.reduce(self.pool(x)))))


class MBConv(nn.Module):
    def __init__(
        self, c_in: int, mid: int, c_out: int, kernel: int, stride: int, act: type[nn.Module], se: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(c_in, mid, 1, bias=False), nn.BatchNorm2d(mid), act()]
        layers += [nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False)]
        layers += [nn.BatchNorm2d(mid), act()]
        layers += [SqueezeExcite(mid)] if se else []
        layers += [nn.Conv2d(mid, c_out, 1, bias=False), nn.BatchNorm2d(c_out)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.residual else y


def small_network(n_classes: int = 10, *, n_channels: int = 3, seed: int = 0) -> nn.Sequential:
    """Return a network of about 20,000 weights whose BatchNorms have non-trivial statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(n_channels, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.Hardswish(),
            MBConv(8, 24, 8, 3, 1, nn.ReLU, se=False),
            MBConv(8, 24, 16, 5, 2, nn.ReLU, se=True),
            MBConv(16, 48, 16, 7, 1, nn.Hardswish, se=True),
            nn.Conv2d(16, 64, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(64, 32, 1, bias=False),
            nn.Hardswish(),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(32, n_classes),
        )
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.running_mean, -0.2, 0.2)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.2, 0.2)
        return network.eval()

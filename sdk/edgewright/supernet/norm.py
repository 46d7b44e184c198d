"""BatchNorm whose leading channels are active."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ElasticBatchNorm2d(nn.Module):
    """BatchNorm over as many leading channels as its input has.

    The running statistics of a channel are shared by all subnets that use it, so they fit none of
    them: calibrate a subnet after extraction (:func:`edgewright.supernet.calibrate.calibrate`).

    Args:
        max_channels: of the largest subnet.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, max_channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.empty(max_channels))
        self.bias = nn.Parameter(torch.empty(max_channels))
        self.register_buffer("running_mean", torch.empty(max_channels))
        self.register_buffer("running_var", torch.empty(max_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` ``(N, C, H, W)``, ``C <= max_channels``."""
        c = x.shape[1]
        return functional.batch_norm(
            x,
            self.running_mean[:c],
            self.running_var[:c],
            self.weight[:c],
            self.bias[:c],
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def state_for(self, channels: int) -> dict[str, Tensor]:
        """Return the state of an ``nn.BatchNorm2d`` over the leading ``channels``."""
        return {
            "weight": self.weight[:channels],
            "bias": self.bias[:channels],
            "running_mean": self.running_mean[:channels],
            "running_var": self.running_var[:channels],
            "num_batches_tracked": torch.zeros((), dtype=torch.long),
        }

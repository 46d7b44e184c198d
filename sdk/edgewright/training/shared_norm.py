"""BatchNorm over a batch that several processes share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from edgewright.training.group import Group


class SharedBatchNorm(TorchFunctionMode):
    """Inside the block, BatchNorms in training mode normalise over the batch of all processes.

    Every ``torch.nn.functional.batch_norm`` that runs in the block is meant, so elastic layers, plain
    layers and teachers need not know of processes. Gradients of scale and shift are this process's
    share, as those of all other parameters are; the gradient of the input is whole. Running
    statistics are the same in all processes.

    ``torch.nn.SyncBatchNorm`` (the same arithmetic) refuses tensors on the CPU.

    Args:
        group: the processes; each has at least one image of the batch.
    """

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._group = group

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run ``func``, or for a BatchNorm in training mode what stands for it."""
        if func is functional.batch_norm:
            return _batch_norm(self._group, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _batch_norm(
    group: Group,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    mean, var, n = shared_statistics(group, x)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (n / max(1, n - 1)), momentum)  # unbiased, as torch keeps it
    out: Tensor = _Normalise.apply(x, weight, bias, mean, var, n, eps, group)  # type: ignore[no-untyped-call]
    return out


@torch.no_grad()
def shared_statistics(group: Group, x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Return mean and biased variance of each channel over all processes, ``(C,)``, and the values counted.

    Combined from the shares' own means and squared deviations (Chan, Golub and LeVeque, 1979): a
    difference of sums of squares would lose digits.

    Args:
        group: the processes.
        x: this process's share, ``(N, C, H, W)``.
    """
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    n = x.numel() // x.shape[1]
    row = torch.cat([mean.double(), var.double() * n, mean.new_tensor([n], dtype=torch.float64)])
    means, deviations, counts = torch.split(
        group.gather(row), [x.shape[1], x.shape[1], 1], dim=1
    )  # (size, C)
    total = counts.sum()
    whole = (counts * means).sum(dim=0) / total
    spread = deviations.sum(dim=0) + (counts * (means - whole).square()).sum(dim=0)
    return whole.to(x.dtype), (spread / total).to(x.dtype), int(total)


class _Normalise(Function):
    """``(x - mean) / sqrt(var + eps) * weight + bias``, with the gradient through mean and var."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        n: int,
        eps: float,
        group: Group,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, var)
        ctx.n, ctx.eps, ctx.group = n, eps, group
        return torch.batch_norm(x, weight, bias, mean, var, False, 0.0, eps, False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var = ctx.saved_tensors
        # With the statistics held fixed, in one pass: the input's gradient is grad * weight / std, those
        # of weight and bias the sums of grad * normalised and of grad.
        direct, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            grad, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.stack([of_bias, of_weight])
        ctx.group.sum_([sums])
        # Through the statistics: less weight / std * (mean grad + normalised * mean (grad * normalised)).
        inverse = torch.rsqrt(var + ctx.eps)
        slope = weight * inverse.square() * sums[1] / ctx.n
        offset = weight * inverse * sums[0] / ctx.n - slope * mean
        by_channel = (1, -1, 1, 1)
        through = torch.addcmul(offset.view(by_channel), x, slope.view(by_channel))
        return direct - through, of_weight, of_bias, None, None, None, None, None

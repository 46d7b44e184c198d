"""Optimisers with the parameters sorted by whether they decay."""

from __future__ import annotations

import torch
from torch import nn

from edgewright.training.config import TrainConfig


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return a fresh optimiser over ``module``; the learning rate is set before every step.

    BatchNorms and biases do not decay, as in OFA's training; nor do kernel transform matrices, for
    which zero means that small kernels see nothing.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        (free if parameter.dim() == 1 or ".transforms." in name else decaying).append(parameter)
    groups = [{"params": decaying, "weight_decay": config.decay}, {"params": free, "weight_decay": 0.0}]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.peak_lr)
    return torch.optim.SGD(groups, lr=config.peak_lr, momentum=0.9, nesterov=True)

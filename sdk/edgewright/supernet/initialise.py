"""Random weights from an explicit generator, never from torch's global one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def materialise(build: Callable[[], ModuleT], seed: int) -> ModuleT:
    """Return ``build()`` on the CPU with the weights that ``seed`` gives.

    The module is built without storage first, so that the layers' own initialisation neither
    costs time nor draws from the global generator.
    """
    with torch.device("meta"):
        module = build()
    module.to_empty(device="cpu")
    initialise_(module, torch.Generator().manual_seed(seed))
    return module


@torch.no_grad()
def initialise_(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every parameter and buffer of ``module`` in place.

    Convolutions get He's normal initialisation by fan-out (arXiv:1502.01852), classifiers a uniform
    one, as in OFA's code; unlike there, the fan-out of a depthwise convolution is that of its group.
    Kernel transform matrices start as identities: a small kernel starts as the centre of the large one.
    """
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if name == "bias":
                parameter.zero_()
            elif parameter.dim() == 4:  # (out, in / groups, k, k)
                groups = int(getattr(part, "groups", 1))
                fan_out = parameter.shape[0] * parameter.shape[2] * parameter.shape[3] / groups
                parameter.normal_(0.0, math.sqrt(2.0 / fan_out), generator=generator)
            elif isinstance(part, nn.Linear):
                bound = 1.0 / math.sqrt(part.in_features)
                parameter.uniform_(-bound, bound, generator=generator)
            elif parameter.dim() == 2:
                parameter.copy_(torch.eye(parameter.shape[0]))
            else:  # the scale of a normalisation
                parameter.fill_(1.0)
        for name, buffer in part.named_buffers(recurse=False):
            buffer.fill_(1 if name == "running_var" else 0)

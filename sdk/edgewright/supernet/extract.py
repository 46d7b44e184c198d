"""A subnet as a network of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgewright.spaces.architecture import Architecture
from edgewright.supernet.plain import network_from_architecture
from edgewright.supernet.supernet import Supernet


@torch.no_grad()
def extract(supernet: Supernet, arch: Architecture) -> nn.Sequential:
    """Return subnet ``arch`` as plain layers in evaluation mode, with copies of its weights.

    In evaluation mode it computes exactly what ``supernet(x, arch)`` does. Running statistics come
    along as they are: :func:`edgewright.supernet.calibrate.calibrate` the result before it is evaluated.

    Raises:
        ArchitectureError: ``arch`` is not of the supernet's space.
    """
    space = supernet.space
    arch = space.decode(space.encode(arch))
    dtype = supernet.head.classifier.weight.dtype
    network = network_from_architecture(space, arch).to(dtype)
    sources: list[dict[str, Tensor]] = [supernet.stem.state_dict(), supernet.first_block.state_dict()]
    blocks = supernet.elastic_blocks
    operators = iter(space.operators(arch)[2:-1])
    for stage, depth in enumerate(arch.depths):
        start = stage * space.max_depth
        sources += [blocks[slot].state_for(next(operators)) for slot in range(start, start + depth)]
    sources.append(supernet.head.state_dict())
    for module, state in zip(network, sources, strict=True):
        module.load_state_dict(state)
    return network

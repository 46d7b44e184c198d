"""The supernet: one set of weights that holds every network of a space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.supernet.block import ElasticBlock
from edgewright.supernet.initialise import initialise_
from edgewright.supernet.plain import Head, InvertedResidual, conv_norm


class Supernet(nn.Module):
    """Every network of ``space`` in shared weights (Once-for-All, arXiv:1908.09791).

    Which subnet runs is an argument of :meth:`forward`; no call changes what the next one
    computes, but for weights and, in training mode, the BatchNorms' running statistics.

    Args:
        space: the networks to hold.
        seed: decides the random weights.
    """

    def __init__(self, space: MobileSpace, *, seed: int = 0) -> None:
        super().__init__()
        self.space = space
        resolution = space.resolutions[-1]
        with torch.device("meta"):
            stem = space.stem(resolution)
            self.stem = conv_norm(
                stem.in_channels, stem.out_channels, kernel_size=3, stride=stem.stride, act=stem.act
            )
            self.first_block = InvertedResidual(space.first_block(resolution))
            self.blocks = nn.ModuleList(
                ElasticBlock(
                    space.block(slot, resolution, space.kernel_sizes[-1], space.expands[-1]),
                    space.kernel_sizes,
                )
                for slot in range(space.n_slots)
            )
            self.head = Head(space.head(resolution))
        self._mid_channels = [
            {e: space.block(slot, resolution, space.kernel_sizes[-1], e).mid_channels for e in space.expands}
            for slot in range(space.n_slots)
        ]
        self.to_empty(device="cpu")
        initialise_(self, torch.Generator().manual_seed(seed))
        self._silence_residuals()

    @property
    def elastic_blocks(self) -> list[ElasticBlock]:
        """The blocks, one a slot, stage by stage."""
        return [block for block in self.blocks if isinstance(block, ElasticBlock)]

    @torch.no_grad()
    def _silence_residuals(self) -> None:
        """Start residual blocks as identities: stable at once (BigNAS, arXiv:2003.11142, section 3.2)."""
        for block in self.elastic_blocks:
            if block.residual:
                block.project.bn.weight.zero_()

    def forward(self, x: Tensor, arch: Architecture) -> Tensor:
        """Return the logits ``(N, n_classes)`` that subnet ``arch`` gives for images ``(N, 3, H, W)``.

        ``arch.resolution`` is not read: images come at the size at which they shall be seen.
        """
        logits: Tensor = self.head.classifier(self.features(x, arch))
        return logits

    def features(self, x: Tensor, arch: Architecture) -> Tensor:
        """Return what the classifier reads, ``(N, hidden_width)``."""
        x = self.first_block(self.stem(x))
        for stage, depth in enumerate(arch.depths):
            start = stage * self.space.max_depth
            for slot in range(start, start + depth):
                mid = self._mid_channels[slot][arch.expands[slot]]
                x = self.blocks[slot](x, kernel_size=arch.kernel_sizes[slot], mid_channels=mid)
        # Head.features, with its convolution over one pixel as the matrix product that it is.
        pooled = self.head.pool(self.head.final(x)).flatten(1)
        hidden: Tensor = self.head.act(functional.linear(pooled, self.head.mix.weight.flatten(1)))
        return hidden

    def sort_channels(self, *, trained_expands: tuple[int, ...] = ()) -> None:
        """Put the most important inner channels of every block first, in place.

        Subnets that do not narrow a block compute what they did before; optimiser state does not follow.

        Args:
            trained_expands: expansions that were trained already; their channel sets are kept.
        """
        for slot, block in enumerate(self.elastic_blocks):
            block.sort_channels(tuple(self._mid_channels[slot][e] for e in trained_expands))

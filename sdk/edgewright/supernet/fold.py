"""BatchNorms folded into the convolutions before them, for networks that only predict."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


@torch.no_grad()
def fold_norms(network: nn.Module) -> None:
    """Make each BatchNorm that follows a convolution part of that convolution, in place.

    What is folded are neighbours in an ``nn.Sequential``, as :mod:`edgewright.supernet.plain` makes them
    (Jacob et al. 2018, arXiv:1712.05877, section 3.2). The network is in evaluation mode afterwards and
    computes what it did in that mode but for rounding, with a pass less over the activations for each of
    them. Statistics are constants from here on: calibrate before.

    Args:
        network: plain layers; others may be among them and stay.
    """
    network.eval()
    for layers in list(network.modules()):
        if not isinstance(layers, nn.Sequential):
            continue
        for (_, conv), (name, norm) in pairwise(list(layers.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold(conv, norm)
                setattr(layers, name, nn.Identity())


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )

"""BatchNorm statistics of one subnet."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from edgewright.errors import DataError


@torch.no_grad()
def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of ``network``'s BatchNorms by those over ``batches``, in place.

    The result is the mean over batches weighted by their size, so a short last batch counts for no
    more than its images; no randomness is involved. Dropout stays off, modes are restored.

    Args:
        network: plain layers, as :func:`edgewright.supernet.extract.extract` returns them.
        batches: prepared images, each ``(N, 3, H, W)``.

    Raises:
        DataError: there is no image.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    modes = {module: module.training for module in network.modules()}
    momenta = [norm.momentum for norm in norms]
    seen = 0
    try:
        network.eval()
        for norm in norms:
            norm.train()
        for images in batches:
            seen += len(images)
            for norm in norms:
                norm.momentum = len(images) / seen  # 1 for the first batch: what was there is forgotten
            network(images)
    finally:
        for module, mode in modes.items():
            module.training = mode
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    if seen == 0:
        raise DataError("calibration needs at least one image, got none; pass training images")

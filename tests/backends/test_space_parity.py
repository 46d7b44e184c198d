"""Both runtimes agree with torch on the networks and operators of the named spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.backends.lowering import lower
from edgewright.backends.parity import check_parity
from edgewright.backends.registry import exporter, runtime
from edgewright.spaces import find_space
from edgewright.supernet.plain import module_from_operator, network_from_architecture

RUNTIMES = ("onnxruntime", "litert")


def settled(module: nn.Module, seed: int) -> nn.Module:
    """Return the module with BatchNorm statistics as if it had seen data."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.uniform_(-0.2, 0.2, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return module.eval()


def check(module: nn.Module, channels: int, size: int, folder: Path) -> None:
    """Export to both runtimes and require parity on two images."""
    images = np.random.default_rng(size).standard_normal((2, channels, size, size)).astype(np.float32)
    lower(module, (1, channels, size, size))  # no vendor's converter is needed
    for name in RUNTIMES:
        writer = exporter(name)
        path = folder / f"net{writer.suffix}"
        writer.export(module, (1, channels, size, size), path)
        check_parity(module, runtime(name), path, images).require()


def check_networks(name: str, count: int, folder: Path) -> None:
    space = find_space(name)
    rng = np.random.default_rng(0)
    random = [space.decode(x) for x in space.sample(rng, count)]
    for seed, arch in enumerate([space.smallest(), space.largest(), *random]):
        torch.manual_seed(seed)
        check(settled(network_from_architecture(space, arch), seed), 3, arch.resolution, folder)


def test_small_networks_agree(tmp_path: Path) -> None:
    check_networks("mobilenetv3-small-image", 6, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenetv3-w1.0", "mobilenetv3-w1.2"])
def test_large_networks_agree(tmp_path: Path, name: str) -> None:
    check_networks(name, 8, tmp_path)


@pytest.mark.parametrize("name", ["mobilenetv3-small-image", "mobilenetv3-w1.0"])
def test_operators_agree(tmp_path: Path, name: str) -> None:
    operators = find_space(name).all_operators()
    for index in np.random.default_rng(0).choice(len(operators), 12, replace=False):
        operator = operators[index]
        module = settled(module_from_operator(operator), int(index))
        check(module, operator.in_channels, operator.in_size, tmp_path)

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from doubles.plain_networks import small_network
from torch import nn

from edgewright.backends.graph import Affine, Conv, InexpressibleError
from edgewright.backends.lowering import lower
from edgewright.backends.onnx_model import onnx_from_module
from edgewright.errors import ExportError


class Functional(nn.Module):
    """The same operations, written as functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.hardswish(self.conv(x))
        x = torch.add(x, x.relu())
        x = x * F.hardsigmoid(F.adaptive_avg_pool2d(x, 1))
        x = x.mean((2, 3), keepdim=True)
        return torch.flatten(F.relu6(x), 1)


def test_batch_norms_fold_into_the_convolutions_before_them() -> None:
    graph = lower(small_network(), (1, 3, 32, 32))
    kinds = Counter(type(node).__name__ for node in graph.nodes)
    assert kinds["Affine"] == 0
    assert kinds["Conv"] == sum(isinstance(layer, nn.Conv2d) for layer in small_network().modules())
    assert graph.shapes[graph.output] == (1, 10)


def test_folding_is_done_in_float64() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.running_var.uniform_(0.01, 4.0)
    norm.running_mean.uniform_(-3, 3)
    (node,) = lower(network, (1, 3, 8, 8)).nodes
    assert isinstance(node, Conv)
    scale = 1 / np.sqrt(norm.running_var.double().numpy() + norm.eps)
    weight = network[0].weight.detach().double().numpy() * scale.reshape(-1, 1, 1, 1)
    assert np.array_equal(node.weight, weight.astype(np.float32))


@pytest.mark.parametrize("order", ["first", "after an activation", "beside a reader"])
def test_a_batch_norm_that_cannot_fold_becomes_a_depthwise_convolution(order: str) -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x + self.norm(x)

    networks: dict[str, nn.Module] = {
        "first": nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)),
        "after an activation": nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)),
        "beside a reader": Beside(),
    }
    graph = lower(networks[order].eval(), (1, 3, 4, 4))
    convolutions = [node for node in graph.nodes if isinstance(node, Conv)]
    assert not any(isinstance(node, Affine) for node in graph.nodes)
    assert [node.groups for node in convolutions].count(3) == 1


def test_functions_and_methods_lower_as_modules_do() -> None:
    graph = lower(Functional().eval(), (1, 3, 8, 8))
    kinds = [type(node).__name__ for node in graph.nodes]
    assert kinds.count("GlobalMean") == 2
    assert graph.shapes[graph.output] == (1, 8)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.GELU(), "GELU"),
        (nn.MaxPool2d(2), "MaxPool2d"),
        (nn.AdaptiveAvgPool2d(2), "AdaptiveAvgPool2d"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "reflect"),
        (nn.BatchNorm2d(3, track_running_stats=False), "BatchNorm2d"),
        (nn.Flatten(2), "Flatten"),
    ],
)
def test_an_unknown_layer_is_named(layer: nn.Module, name: str) -> None:
    with pytest.raises(InexpressibleError, match=name):
        lower(nn.Sequential(layer), (1, 3, 8, 8))


def test_a_kernel_larger_than_its_input_is_refused() -> None:
    with pytest.raises(ExportError, match="leaves nothing"):
        lower(nn.Sequential(nn.Conv2d(3, 4, 7)), (1, 3, 4, 4))


def test_a_linear_layer_of_another_width_is_refused() -> None:
    with pytest.raises(ExportError, match=r"takes \(1, 7\)"):
        lower(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)), (1, 3, 4, 4))


def test_layers_named_as_the_ends_do_not_collide_with_them() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.output = nn.Conv2d(3, 4, 1), nn.ReLU()
            self.last = nn.Conv2d(4, 5, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.output(self.input(x)))

    graph = lower(Named(), (1, 3, 4, 4))
    names = [graph.input, *(node.output for node in graph.nodes)]
    assert len(set(names)) == 4
    assert "output" not in names
    onnx.checker.check_model(onnx_from_module(Named(), (1, 3, 4, 4)), full_check=True)

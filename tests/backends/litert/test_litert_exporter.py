from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from contracts.exporter_contract import IN_SHAPE, ExporterContract, random_images
from doubles.plain_networks import MBConv, small_network
from torch import nn

from edgewright.backends.base import Exporter
from edgewright.backends.graph import InexpressibleError
from edgewright.backends.litert.exporter import LiteRTExporter, tflite_from_module
from edgewright.backends.litert.flatbuffer import is_same_padding, tflite_from_graph
from edgewright.backends.litert.runtime import LiteRTRuntime
from edgewright.backends.lowering import lower
from edgewright.backends.parity import check_parity

_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def operators(data: bytes) -> Counter[str]:
    """Return how often each operator stands in a ``.tflite`` file."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    codes = [_NAMES[code.builtinCode] for code in model.operatorCodes]
    return Counter(codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators)


class TestLiteRTExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> LiteRTExporter:
        return LiteRTExporter()

    @pytest.mark.slow  # imports litert-torch, which brings JAX
    def test_a_module_that_nothing_can_express_is_refused_in_one_line(
        self, exporter: Exporter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        super().test_a_module_that_nothing_can_express_is_refused_in_one_line(exporter, tmp_path, capfd)


def test_no_transpose_is_written_and_hard_sigmoids_cost_nothing() -> None:
    found = operators(tflite_from_module(small_network(), IN_SHAPE))
    assert "TRANSPOSE" not in found
    assert found["MUL"] == 2  # one for each squeeze-and-excitation
    assert found["ADD"] == 2  # one for each residual
    assert "RELU" not in found  # joined to the convolutions


def test_weights_start_at_multiples_of_16_bytes() -> None:
    data = tflite_from_module(small_network(), IN_SHAPE)
    model = schema.Model.GetRootAs(data, 0)
    for index in range(1, model.BuffersLength()):
        buffer = model.Buffers(index)
        offset = buffer._tab.Vector(buffer._tab.Offset(4))
        assert offset % 16 == 0


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "same"),
    [(16, 3, 1, True), (16, 3, 2, False), (15, 3, 2, True), (15, 5, 2, True), (16, 7, 2, False)],
)
def test_same_padding_is_used_only_where_it_is_torchs(
    size: int, kernel: int, stride: int, same: bool
) -> None:
    assert is_same_padding(size, kernel, stride, kernel // 2, 1) is same


def test_a_hard_sigmoid_that_nothing_absorbs_agrees_with_torch(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Hardsigmoid(), nn.Conv2d(3, 4, 1), nn.Hardsigmoid()).eval()
    path = tmp_path / "net.tflite"
    LiteRTExporter().export(network, IN_SHAPE, path)
    assert check_parity(network, LiteRTRuntime(), path, random_images(4)).passed


def test_a_gate_with_two_readers_agrees_with_torch(tmp_path: Path) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Hardsigmoid())
            self.after = nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            gate = self.gate(x)
            return self.after(x * gate + gate)

    network = Shared().eval()
    path = tmp_path / "net.tflite"
    LiteRTExporter().export(network, IN_SHAPE, path)
    assert check_parity(network, LiteRTRuntime(), path, random_images(4)).passed


class Rank(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.flatten(x.mean((2, 3), keepdim=True), 1)


def test_a_sum_of_different_ranks_is_left_to_the_vendors_converter() -> None:
    with pytest.raises(InexpressibleError, match="rank"):
        tflite_from_graph(lower(Rank(), (1, 8, 8, 8)))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 6, 3, groups=3),
        nn.Conv2d(3, 4, 3, padding=2, dilation=2),
        nn.Conv2d(3, 4, (3, 5), (2, 1), (0, 2)),
        nn.Conv2d(3, 4, 3, padding=(1, 0)),
    ],
)
def test_unusual_convolutions_agree_with_torch(tmp_path: Path, layer: nn.Module) -> None:
    network = nn.Sequential(layer, nn.Sigmoid()).eval()
    path = tmp_path / "net.tflite"
    LiteRTExporter().export(network, IN_SHAPE, path)
    assert check_parity(network, LiteRTRuntime(), path, random_images(4)).passed


def test_int8_leaves_hard_swishes_alone_in_float(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    LiteRTExporter().export(small_network(), IN_SHAPE, path, precision="int8", calibration=random_images(8))
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    floating = {
        _NAMES[model.operatorCodes[operator.opcodeIndex].builtinCode]
        for operator in graph.operators
        if graph.tensors[operator.inputs[0]].type == schema.TensorType.FLOAT32
    }
    assert floating == {"QUANTIZE", "HARD_SWISH"}


def test_fp16_halves_the_weights(tmp_path: Path) -> None:
    network = MBConv(64, 384, 64, 3, 1, nn.ReLU, se=False).eval()
    sizes = {}
    for precision in ("fp32", "fp16"):
        path = tmp_path / f"{precision}.tflite"
        LiteRTExporter().export(network, (1, 64, 8, 8), path, precision=precision)
        sizes[precision] = path.stat().st_size
    assert sizes["fp16"] < 0.6 * sizes["fp32"]


@pytest.mark.slow
def test_what_our_writer_does_not_know_goes_through_litert_torch(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.MaxPool2d(2)).eval()
    for precision in ("fp32", "int8"):
        path = tmp_path / f"{precision}.tflite"
        images = random_images(8)
        LiteRTExporter().export(network, IN_SHAPE, path, precision=precision, calibration=images)
        report = check_parity(network, LiteRTRuntime(), path, images, precision=precision)
        assert report.passed if precision == "fp32" else report.relative < 0.1
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")

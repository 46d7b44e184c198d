from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from contracts.exporter_contract import IN_SHAPE, ExporterContract, random_images
from doubles.plain_networks import small_network

from edgewright.backends.onnx_model import IR_VERSION, OPSET
from edgewright.backends.onnxruntime.exporter import OnnxExporter
from edgewright.backends.onnxruntime.runtime import OnnxRuntime
from edgewright.backends.parity import check_parity


class TestOnnxExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> OnnxExporter:
        return OnnxExporter()


def test_the_model_is_valid_and_old_enough_for_tensorrt_10_3(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    OnnxExporter().export(small_network(), IN_SHAPE, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, IR_VERSION)
    assert {node.op_type for node in model.graph.node}.isdisjoint({"BatchNormalization", "Transpose"})


def test_int8_quantizes_every_convolution_per_channel(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    OnnxExporter().export(small_network(), IN_SHAPE, path, precision="int8", calibration=random_images(8))
    model = onnx.load(path)
    made_by = {node.output[0]: node for node in model.graph.node}
    weights = {weight.name: weight for weight in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    for node in convolutions:
        dequantized = made_by[node.input[1]]
        assert dequantized.op_type == "DequantizeLinear"
        quantized = weights[dequantized.input[0]]
        assert quantized.data_type == onnx.TensorProto.INT8
        assert list(weights[dequantized.input[1]].dims) == [quantized.dims[0]]


def test_fp16_halves_the_file_and_keeps_float_input_and_output(tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp32", "fp16"):
        path = tmp_path / f"{precision}.onnx"
        OnnxExporter().export(small_network(), IN_SHAPE, path, precision=precision)
        sizes[precision] = sum(len(weight.raw_data) for weight in onnx.load(path).graph.initializer)
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    report = check_parity(
        small_network(), OnnxRuntime(), tmp_path / "fp16.onnx", random_images(8), precision="fp16"
    )
    assert report.passed, report.reason

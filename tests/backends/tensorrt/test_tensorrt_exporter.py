from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from contracts.exporter_contract import IN_SHAPE, ExporterContract, random_images
from doubles.plain_networks import small_network
from onnx import TensorProto

from edgewright.backends.half import half_from_model
from edgewright.backends.onnx_model import onnx_from_module
from edgewright.backends.parity import check_parity
from edgewright.backends.tensorrt import cuda
from edgewright.backends.tensorrt.build import typed_model
from edgewright.backends.tensorrt.exporter import TensorRTExporter, TensorRTRTXExporter
from edgewright.backends.tensorrt.runtime import TensorRTRTXRuntime
from edgewright.errors import (
    DeviceUnavailableError,
    ExportError,
    MissingExtraError,
    ParityError,
    RuntimeFailureError,
)

needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt-rtx is not installed"
)
without_gpu = pytest.mark.skipif(cuda.n_devices() > 0, reason="a GPU is here")


@needs_rtx
class TestTensorRTRTXExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> TensorRTRTXExporter:
        return TensorRTRTXExporter()


@needs_rtx
def test_an_unknown_compute_capability_lists_the_known_ones(tmp_path: Path) -> None:
    exporter = TensorRTRTXExporter(compute_capability="5.0")
    with pytest.raises(ExportError, match=r"'5\.0'.*8\.9"):
        exporter.export(small_network(), IN_SHAPE, tmp_path / "net.engine")


@needs_rtx
@without_gpu
def test_an_engine_that_cannot_run_here_is_not_verified_and_never_passes(tmp_path: Path) -> None:
    path = tmp_path / "net.engine"
    TensorRTRTXExporter().export(small_network(), IN_SHAPE, path)
    report = check_parity(small_network(), TensorRTRTXRuntime(), path, random_images(2))
    assert report.status == "not verified"
    assert "GPU" in report.reason
    with pytest.raises(ParityError, match="not verified"):
        report.require()


@needs_rtx
@without_gpu
def test_opening_without_a_gpu_says_so(tmp_path: Path) -> None:
    path = tmp_path / "net.engine"
    path.write_bytes(b"engine")
    with (
        pytest.raises(DeviceUnavailableError, match="no NVIDIA GPU") as caught,
        TensorRTRTXRuntime().open(path),
    ):
        pass
    assert caught.value.exit_code == 4


@needs_rtx
@pytest.mark.parametrize("name", ["absent.engine", "empty.engine", "net.onnx"])
def test_a_file_that_cannot_be_an_engine_is_refused_before_any_gpu_is_sought(
    tmp_path: Path, name: str
) -> None:
    if name != "absent.engine":
        (tmp_path / name).touch()
    with pytest.raises(RuntimeFailureError), TensorRTRTXRuntime().open(tmp_path / name):
        pass


@without_gpu
def test_the_lane_on_the_device_needs_its_package_or_a_gpu(tmp_path: Path) -> None:
    with pytest.raises((MissingExtraError, DeviceUnavailableError)):
        TensorRTExporter().export(small_network(), IN_SHAPE, tmp_path / "net.engine")


def test_half_precision_is_written_into_every_weight() -> None:
    model = onnx_from_module(small_network(), IN_SHAPE)
    half = half_from_model(model)
    onnx.checker.check_model(half, full_check=True)
    assert {weight.data_type for weight in half.graph.initializer} == {TensorProto.FLOAT16}
    ends = [value.type.tensor_type.elem_type for value in (*half.graph.input, *half.graph.output)]
    assert ends == [TensorProto.FLOAT] * 2
    assert {weight.data_type for weight in model.graph.initializer} == {TensorProto.FLOAT}
    images = random_images(4)
    expected, found = (_run(each, images) for each in (model, half))
    assert np.abs(expected - found).max() < 0.01 * np.ptp(expected)


def test_weights_beyond_half_precision_are_clipped() -> None:
    network = small_network()
    network[-1].bias.data[0] = 1e6
    half = half_from_model(onnx_from_module(network, IN_SHAPE))
    assert np.isfinite(_run(half, random_images(1))).all()


def test_int8_has_the_symmetric_form_that_tensorrt_takes() -> None:
    model = typed_model(onnx_from_module(small_network(), IN_SHAPE), "int8", random_images(8))
    weights = {weight.name: weight for weight in model.graph.initializer}
    quantizers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert quantizers
    for node in quantizers:
        zero_point = onnx.numpy_helper.to_array(weights[node.input[2]])
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
    biases = [node.input[2] for node in model.graph.node if node.op_type == "Conv"]
    assert all(weights[name].data_type == TensorProto.FLOAT for name in biases)


def _run(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": image[None]})[0] for image in images])

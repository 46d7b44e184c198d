from __future__ import annotations

import sys
from pathlib import Path

import pytest
from contracts.exporter_contract import IN_SHAPE, random_images
from doubles.plain_networks import small_network

from edgewright.backends.registry import BACKENDS, exporter, runtime
from edgewright.errors import MissingExtraError, UsageError

PACKAGES = {
    "onnxruntime": ("onnxruntime",),
    "litert": ("ai_edge_litert", "tflite_runtime", "ai_edge_litert.interpreter"),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt_rtx",),
}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_runtime_without_its_package_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES[name]:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'edgewright\[{name}\]'"):
        runtime(name)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("onnxruntime", "onnxruntime", "onnxruntime"),
        ("litert", "ai_edge_quantizer", "litert"),
        ("tensorrt-rtx", "tensorrt_rtx", "tensorrt-rtx"),
    ],
)
def test_an_exporter_without_its_package_names_the_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, package, None)
    writer = exporter(name)
    path = tmp_path / f"net{writer.suffix}"
    with pytest.raises(MissingExtraError, match=rf"pip install 'edgewright\[{extra}\]'"):
        writer.export(small_network(), IN_SHAPE, path, precision="int8", calibration=random_images(1))
    assert not path.exists()


def test_fp32_onnx_is_written_without_onnxruntime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    exporter("onnxruntime").export(small_network(), IN_SHAPE, tmp_path / "net.onnx")


def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="onnxruntime, litert, tensorrt, tensorrt-rtx"):
        runtime("openvino")

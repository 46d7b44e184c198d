"""Host half of the TensorRT backends: typed ONNX in, engine out."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import check_export
from edgewright.backends.onnx_model import onnx_from_module
from edgewright.backends.registry import missing_extra
from edgewright.backends.tensorrt import cuda
from edgewright.backends.tensorrt.build import build_engine, typed_model
from edgewright.errors import DeviceUnavailableError
from edgewright.files import write_bytes

if TYPE_CHECKING:
    from torch import nn


class TensorRTExporter:
    """Writes engines for the GPU that is in this machine, which it times them on.

    Args:
        compute_capability: that the GPU must have; empty takes any.
        timing_cache: file in which timings of kernels are kept from build to build; made if absent.
            One file belongs to one GPU and one version of TensorRT.
    """

    suffix = ".engine"
    precisions = ("fp32", "fp16", "int8")

    def __init__(self, *, compute_capability: str = "", timing_cache: Path | None = None) -> None:
        self.compute_capability = compute_capability
        self.timing_cache = timing_cache

    def export(
        self,
        module: nn.Module,
        in_shape: tuple[int, int, int, int],
        path: Path,
        *,
        precision: str = "fp32",
        calibration: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the artifact; see :class:`~edgewright.backends.base.Exporter`.

        Raises:
            DeviceUnavailableError: this machine has no NVIDIA GPU, or another one.
        """
        check_export(self, in_shape, path, precision, calibration)
        wanted, found = self.compute_capability, cuda.compute_capability()
        if not found or (wanted and wanted != found):
            here = f"this machine's has compute capability {found}, not {wanted}" if found else "here is none"
            raise DeviceUnavailableError(
                f"tensorrt builds engines on the GPU that runs them, and {here}: compile "
                "on the device, or ahead of time for an RTX card with the runtime tensorrt-rtx"
            )
        trt = load("tensorrt", "tensorrt")
        model = typed_model(onnx_from_module(module, in_shape), precision, calibration)
        cache = self.timing_cache
        before = None if cache is None else cache.read_bytes() if cache.is_file() else b""
        engine, after = build_engine(trt, model, timing_cache=before)
        write_bytes(path, engine)
        if cache is not None and after is not None:
            write_bytes(cache, after)


class TensorRTRTXExporter:
    """Writes TensorRT-RTX engines ahead of time; the machine that does so needs no GPU.

    Args:
        compute_capability: of the GPU that will run them: ``8.9`` is Ada (RTX 40).
    """

    suffix = ".engine"
    precisions = ("fp32", "fp16", "int8")

    def __init__(self, *, compute_capability: str = "8.9") -> None:
        self.compute_capability = compute_capability

    def export(
        self,
        module: nn.Module,
        in_shape: tuple[int, int, int, int],
        path: Path,
        *,
        precision: str = "fp32",
        calibration: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the artifact; see :class:`~edgewright.backends.base.Exporter`."""
        check_export(self, in_shape, path, precision, calibration)
        trt = load("tensorrt_rtx", "tensorrt-rtx")
        model = typed_model(onnx_from_module(module, in_shape), precision, calibration)
        engine, _ = build_engine(trt, model, compute_capability=self.compute_capability)
        write_bytes(path, engine)


def load(module: str, extra: str) -> Any:
    """Return a vendor's module. Raises ``MissingExtraError`` that names the ``extra``."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing_extra(module, extra) from error

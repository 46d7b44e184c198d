"""Host half of the ONNX Runtime backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import check_export
from edgewright.backends.half import half_from_model
from edgewright.backends.onnx_model import onnx_from_module
from edgewright.files import write_bytes

if TYPE_CHECKING:
    from torch import nn


class OnnxExporter:
    """Writes ``.onnx`` files: fp32, int8 by static quantization in Q/DQ form, or fp16.

    On a CPU fp16 halves the file. It is no faster where ONNX Runtime has no kernels for it, as on x86:
    ``edgewright table precision`` shows what it is on a device.

    Args:
        reduce_range: int8 weights of 7 bits, for x86 CPUs without VNNI, where 8-bit sums saturate.
    """

    suffix = ".onnx"
    precisions = ("fp32", "int8", "fp16")

    def __init__(self, *, reduce_range: bool = False) -> None:
        self.reduce_range = reduce_range

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
        model = onnx_from_module(module, in_shape)
        if precision == "int8" and calibration is not None:
            # Imports onnxruntime, which a host that only writes fp32 need not have.
            from edgewright.backends.onnxruntime.quantize import quantize

            model = quantize(model, calibration, reduce_range=self.reduce_range)
        elif precision == "fp16":
            model = half_from_model(model)
        write_bytes(path, model.SerializeToString())

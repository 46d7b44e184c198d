"""Static int8 quantization of ONNX models, in Q/DQ form, by ONNX Runtime's own quantizer."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgewright.backends.registry import missing_extra
from edgewright.backends.silence import silent
from edgewright.errors import ExportError
from edgewright.files import storage_error


def quantize(
    model: onnx.ModelProto,
    calibration: NDArray[np.float32],
    *,
    symmetric: bool = False,
    reduce_range: bool = False,
) -> onnx.ModelProto:
    """Return ``model`` with int8 weights and activations; input and output stay float32.

    Weights are quantized per output channel, activations per tensor between the extremes seen on
    ``calibration``.

    Args:
        model: fp32, one image input.
        calibration: ``(n, C, H, W)``.
        symmetric: signed activations with zero points of 0 and float biases, as TensorRT needs them.
            Otherwise activations are unsigned: x86's instructions multiply unsigned by signed, and
            signed ones cost more than int8 gains.
        reduce_range: 7-bit weights, for x86 CPUs without VNNI, where 8-bit sums saturate.

    Raises:
        ExportError: the quantizer cannot do it.
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ModuleNotFoundError as error:
        raise missing_extra("onnxruntime", "onnxruntime") from error

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds the calibration images one by one."""

        def __init__(self) -> None:
            self.images: Iterator[NDArray[np.float32]] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self.images, None)
            return None if image is None else {model.graph.input[0].name: image[None]}

    activation = quantization.QuantType.QInt8 if symmetric else quantization.QuantType.QUInt8
    extra = {"ActivationSymmetric": symmetric, "WeightSymmetric": True, "QuantizeBias": not symmetric}
    try:
        with silent(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            # The quantizer moves the weights of what it is given to files that it deletes.
            own = onnx.ModelProto()
            own.CopyFrom(model)
            quantization.quantize_static(
                own,
                path,
                Images(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=activation,
                reduce_range=reduce_range,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                extra_options=extra,
            )
            return onnx.load(path)
    except Exception as error:  # the quantizer raises whatever its parts do
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise storage_error(Path(tempfile.gettempdir()) / "int8.onnx", error) from error
        raise ExportError(
            f"onnxruntime cannot quantize the model ({error!s:.300}), where convolutions and linear layers "
            "with finite weights are expected; compile it with: edgewright compile --precision fp32"
        ) from error

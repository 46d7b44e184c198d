"""Lower precision for ``.tflite`` files by ai-edge-quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgewright.backends.registry import missing_extra
from edgewright.backends.silence import silent
from edgewright.errors import ExportError


def quantize(data: bytes, precision: str, calibration: NDArray[np.float32] | None = None) -> bytes:
    """Return a ``.tflite`` file of fp32 at ``precision``; input and output stay float32.

    ``fp16`` halves the weights and computes as before. ``int8`` quantizes weights symmetrically per
    output channel, activations per tensor between the extremes seen on ``calibration``. Hard swishes
    alone stay float: XNNPACK has no int8 kernel for them, and the scalar one that would run instead
    makes a whole network slower than fp32.

    Args:
        data: a file with one signature and one image input, ``NHWC``.
        precision: ``fp16`` or ``int8``.
        calibration: ``(n, C, H, W)``, for ``int8``.

    Raises:
        ExportError: the quantizer cannot do it.
        MissingExtraError: ai-edge-quantizer is not installed.
    """
    try:
        with silent():
            import ai_edge_quantizer.algorithm_manager
            import ai_edge_quantizer.calibrator
            import ai_edge_quantizer.quantizer
            import ai_edge_quantizer.recipe_manager
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or "ai-edge-quantizer", "litert") from error
    run = _halve if precision == "fp16" else _quantize
    try:
        with silent():
            result = run(ai_edge_quantizer, data, calibration)
    except Exception as error:  # ValueError, RuntimeError, KeyError … by the part that gave up
        raise ExportError(f"ai-edge-quantizer cannot make {precision}: {error!s:.300}") from error
    return bytes(result.quantized_model)


def _halve(aeq: Any, data: bytes, _calibration: object) -> Any:
    names, types = aeq.qtyping.TFLOperationName, aeq.qtyping
    work = aeq.quantizer.Quantizer(bytearray(data))
    config = types.OpQuantizationConfig(
        weight_tensor_config=types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT),
        compute_precision=types.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    algorithm = aeq.algorithm_manager.AlgorithmName.FLOAT_CASTING
    work.update_quantization_recipe(".*", names.ALL_SUPPORTED, config, algorithm)
    return work.quantize(enable_progress_report=False)


def _quantize(aeq: Any, data: bytes, calibration: NDArray[np.float32] | None) -> Any:
    names, calibrator = aeq.qtyping.TFLOperationName, aeq.calibrator
    work = aeq.quantizer.Quantizer(bytearray(data))
    work.add_static_config(".*", names.ALL_SUPPORTED, 8, 8)
    for name in (names.INPUT, names.OUTPUT, names.HARD_SWISH):
        algorithm = aeq.algorithm_manager.AlgorithmName.NO_QUANTIZE
        work.update_quantization_recipe(".*", name, None, algorithm)
    recipe = aeq.recipe_manager.RecipeManager()
    recipe.load_quantization_recipe(work.get_quantization_recipe())
    observer = calibrator.Calibrator(
        data,
        num_threads=1,
        qsv_update_func=_widest,
        mode=calibrator.CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS,
    )
    observer.calibrate(_samples(data, calibration), recipe)
    return work.quantize(observer.get_model_qsvs(), enable_progress_report=False)


def _widest(seen: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of a tensor over the images so far.

    The quantizer's own way, a moving average of each image's extremes, cuts off what lies beyond an
    average image; networks of this family then lose far more than by the coarser step.
    """
    if not seen:
        return new
    return {"min": np.minimum(seen["min"], new["min"]), "max": np.maximum(seen["max"], new["max"])}


def _samples(data: bytes, calibration: NDArray[np.float32] | None) -> dict[str, list[dict[str, Any]]]:
    """Return the calibration images as the quantizer takes them: by signature, then by input."""
    signature = schema.Model.GetRootAs(data, 0).SignatureDefs(0)
    name = signature.Inputs(0).Name().decode()
    images = () if calibration is None else np.ascontiguousarray(calibration.transpose(0, 2, 3, 1))
    return {signature.SignatureKey().decode(): [{name: image[None]} for image in images]}

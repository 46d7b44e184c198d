"""Builds engines from ONNX: the part that TensorRT and TensorRT-RTX share.

Networks are strongly typed: TensorRT computes in the types of the graph. The flags that chose
precisions (``BuilderFlag.FP16``, ``INT8``) and the int8 calibrators are gone in TensorRT 11 and are
never called, so one code serves 10.3 (JetPack 6.2) and later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgewright.backends.half import half_from_model
from edgewright.backends.tensorrt.log import log_into
from edgewright.errors import DeviceUnavailableError, ExportError


def typed_model(
    model: onnx.ModelProto, precision: str, calibration: NDArray[np.float32] | None
) -> onnx.ModelProto:
    """Return ``model`` (fp32) with ``precision`` written into its types.

    Raises:
        ExportError: the quantizer cannot do it.
        MissingExtraError: int8 without onnxruntime, whose quantizer places the Q/DQ pairs.
    """
    if precision == "fp16":
        return half_from_model(model)
    if precision == "int8" and calibration is not None:
        from edgewright.backends.onnxruntime.quantize import quantize

        return quantize(model, calibration, symmetric=True)
    return model


def build_engine(
    trt: Any,
    model: onnx.ModelProto,
    *,
    compute_capability: str | None = None,
    timing_cache: bytes | None = None,
) -> tuple[bytes, bytes | None]:
    """Return the engine of ``model``, and the timing cache after the build where there is one.

    Args:
        trt: the module ``tensorrt`` or ``tensorrt_rtx``.
        model: typed ONNX, static shapes.
        compute_capability: such as ``8.9``, for a build ahead of time (TensorRT-RTX alone).
        timing_cache: of an earlier build on the same device, so that tactics are not timed again.

    Raises:
        ExportError: the parser or the builder refuses; names the first reason.
        DeviceUnavailableError: this build needs a GPU and there is none.
    """
    lines: list[str] = []
    logger = log_into(trt, lines)
    try:
        builder = trt.Builder(logger)
    except TypeError as error:  # what its binding raises when the library returns none
        raise DeviceUnavailableError(
            f"{trt.__name__} cannot start ({_first(lines)}); it needs an NVIDIA GPU and its driver"
        ) from error
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model.SerializeToString()):
        reasons = [str(parser.get_error(i).desc()) for i in range(parser.num_errors)]
        raise ExportError(f"{trt.__name__} cannot read the model: {_first(reasons or lines)}")
    config = builder.create_builder_config()
    if compute_capability is not None:
        _target(trt, config, compute_capability)
    cache = None
    if timing_cache is not None:
        cache = config.create_timing_cache(timing_cache)
        config.set_timing_cache(cache, ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ExportError(f"{trt.__name__} cannot build the engine: {_first(lines)}")
    return bytes(engine), None if cache is None else bytes(cache.serialize())


def _strongly_typed(trt: Any) -> int:
    # A flag in 10.x; from 11 on the only kind of network, so the flag may go.
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _target(trt: Any, config: Any, compute_capability: str) -> None:
    name = f"SM{compute_capability.replace('.', '')}"
    capability = getattr(trt.ComputeCapability, name, None)
    if capability is None:
        known = sorted(entry for entry in dir(trt.ComputeCapability) if entry.startswith("SM"))
        raise ExportError(
            f"{trt.__name__} {trt.__version__} cannot build for compute capability {compute_capability!r}; "
            f"it can for {', '.join(f'{entry[2:-1]}.{entry[-1]}' for entry in known)}"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(capability, 0)


def _first(lines: list[str]) -> str:
    return f"{lines[0]:.300}" if lines else "no reason given"

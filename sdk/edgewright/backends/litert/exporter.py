"""Host half of the LiteRT backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import check_export
from edgewright.backends.graph import InexpressibleError
from edgewright.backends.litert.flatbuffer import tflite_from_graph
from edgewright.backends.lowering import lower
from edgewright.files import write_bytes

if TYPE_CHECKING:
    from torch import nn


class LiteRTExporter:
    """Writes ``.tflite`` files: fp32, fp16 weights, or int8 weights and activations."""

    suffix = ".tflite"
    precisions = ("fp32", "fp16", "int8")

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
        data = tflite_from_module(module, in_shape)
        if precision != "fp32":
            # ai-edge-quantizer takes a second to import, which fp32 need not wait for.
            from edgewright.backends.litert.quantize import quantize

            data = quantize(data, precision, calibration)
        write_bytes(path, data)


def tflite_from_module(module: nn.Module, in_shape: tuple[int, int, int, int]) -> bytes:
    """Return the ``.tflite`` file of ``module``, in evaluation mode and fp32.

    What edgewright's own writer does not know goes through litert-torch, which takes about half a
    minute where ours takes a fraction of a second.

    Raises:
        ExportError: neither way can express the module; names the first unsupported part.
    """
    try:
        return tflite_from_graph(lower(module, in_shape))
    except InexpressibleError as error:
        from edgewright.backends.litert.fallback import convert

        return convert(module, in_shape, error)

"""The vendor's own converter, for modules that edgewright's writer does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewright.backends.registry import missing_extra
from edgewright.backends.silence import silent
from edgewright.errors import ExportError

if TYPE_CHECKING:
    from torch import nn


def convert(module: nn.Module, in_shape: tuple[int, int, int, int], cause: ExportError) -> bytes:
    """Return the ``.tflite`` file that litert-torch makes of ``module``, input in ``NHWC``.

    Args:
        module: one tensor in, one tensor out.
        in_shape: ``(1, C, H, W)``.
        cause: why edgewright's own writer gave up, for the message.

    Raises:
        ExportError: litert-torch gives up too.
        MissingExtraError: litert-torch is not installed.
    """
    import tempfile
    from pathlib import Path

    import torch

    try:
        with silent():
            import litert_torch  # half a minute, with JAX behind it
    except ModuleNotFoundError as error:
        raise missing_extra("litert-torch", "litert") from error
    training = module.training
    try:
        with silent(), tempfile.TemporaryDirectory() as folder, torch.no_grad():
            rank = module.eval()(torch.zeros(in_shape)).ndim
            outputs = [0] if rank == 4 else None
            wrapped = litert_torch.to_channel_last_io(module, args=[0], outputs=outputs)
            _, channels, height, width = in_shape
            edge = litert_torch.convert(wrapped.eval(), (torch.zeros(1, height, width, channels),))
            path = Path(folder) / "model.tflite"
            edge.export(str(path))
            return path.read_bytes()
    except Exception as error:  # whatever a foreign converter raises
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(f"{cause}; litert-torch: {reason[0]:.300}") from error
    finally:
        module.train(training)

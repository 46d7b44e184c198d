"""Checks that every backend makes of its arguments, so that all refuse alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.base import PRECISIONS
from edgewright.errors import ExportError, PrecisionError, RuntimeFailureError

if TYPE_CHECKING:
    from edgewright.backends.base import Exporter, TensorSpec


def check_export(
    exporter: Exporter,
    in_shape: tuple[int, ...],
    path: Path,
    precision: str,
    calibration: NDArray[np.float32] | None,
) -> None:
    """Check the arguments of :meth:`~edgewright.backends.base.Exporter.export`.

    Raises:
        ExportError: the path's suffix or the input's shape is not what the backend writes.
        PrecisionError: the precision is not offered, or ``int8`` came without fit images.
    """
    if precision not in exporter.precisions:
        known = "" if precision in PRECISIONS else "unknown "
        raise PrecisionError(
            f"{known}precision {precision!r} is not offered by {type(exporter).__name__}; "
            f"it offers {', '.join(exporter.precisions)}"
        )
    if path.suffix != exporter.suffix:
        raise ExportError(f"{path} must end in {exporter.suffix}, which is what is written there")
    if len(in_shape) != 4 or in_shape[0] != 1 or min(in_shape) < 1:
        raise ExportError(f"the input's shape must be (1, channels, height, width), got {in_shape}")
    if precision != "int8":
        return
    if calibration is None or len(calibration) == 0:
        raise PrecisionError("int8 needs calibration images (n, C, H, W); give some of the training images")
    if calibration.shape[1:] != tuple(in_shape[1:]) or not np.isfinite(calibration).all():
        raise PrecisionError(
            f"int8 calibration images must be finite and of shape (n, {', '.join(map(str, in_shape[1:]))}), "
            f"got {calibration.shape}"
        )


def check_artifact(artifact: Path, suffix: str) -> None:
    """Raise ``RuntimeFailureError`` where ``artifact`` is absent, empty or of another kind."""
    if artifact.suffix != suffix:
        raise RuntimeFailureError(f"{artifact} is no {suffix} file, which is what this runtime loads")
    if not artifact.is_file():
        raise RuntimeFailureError(f"{artifact} does not exist; compile it with: edgewright compile")
    if artifact.stat().st_size == 0:
        raise RuntimeFailureError(f"{artifact} is empty; compile it again with: edgewright compile")


def refused(artifact: Path, runtime: str, error: object) -> RuntimeFailureError:
    """Return the error to raise when the runtime cannot load ``artifact``."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return RuntimeFailureError(
        f"{runtime} refuses {artifact} ({lines[0]:.300}); it is truncated or was made for something else: "
        "compile it again with: edgewright compile"
    )


def broken_off(runtime: str, error: object) -> RuntimeFailureError:
    """Return the error to raise when the runtime loaded an artifact, but fails while running it."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return RuntimeFailureError(
        f"{runtime} loaded the file but failed while running it ({lines[0]:.300}), where any input of the "
        "declared shapes should give an output; if the device has memory left, the file is at fault: "
        "compile it again with: edgewright compile"
    )


def checked_feeds(
    inputs: tuple[TensorSpec, ...], feeds: Mapping[str, NDArray[np.generic]]
) -> list[NDArray[np.generic]]:
    """Return the arrays in the order of ``inputs``, contiguous.

    Raises:
        RuntimeFailureError: a name, shape or element type differs; says all that do.
    """
    faults = [f"no input {name!r}" for name in feeds if name not in {spec.name for spec in inputs}]
    for spec in inputs:
        array = feeds.get(spec.name)
        if array is None:
            faults.append(f"input {spec.name!r} is missing")
        elif array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            faults.append(
                f"input {spec.name!r} is {array.dtype} {array.shape}, expected {spec.dtype} {spec.shape}"
            )
    if faults:
        raise RuntimeFailureError("; ".join(faults))
    return [np.ascontiguousarray(feeds[spec.name]) for spec in inputs]


def feeds_from_image(
    inputs: tuple[TensorSpec, ...], image: NDArray[np.float32]
) -> dict[str, NDArray[np.generic]]:
    """Return what a session of one image input is fed for ``image`` ``(C, H, W)``, in its own layout."""
    spec = inputs[0]
    batch = image[None]
    if spec.layout == "NHWC":
        batch = batch.transpose(0, 2, 3, 1)
    return {spec.name: np.ascontiguousarray(batch, dtype=spec.dtype)}


def random_feeds(inputs: tuple[TensorSpec, ...], rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Return standard normal inputs of the right shapes, for timing."""
    return {spec.name: rng.standard_normal(spec.shape).astype(spec.dtype) for spec in inputs}

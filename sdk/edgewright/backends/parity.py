"""Compares an artifact with the torch module that it came from, on real images, failing closed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgewright.backends.artifact import feeds_from_image
from edgewright.errors import (
    DeviceUnavailableError,
    MissingExtraError,
    ParityError,
    PrecisionError,
    RuntimeFailureError,
)

if TYPE_CHECKING:
    from torch import nn

    from edgewright.backends.base import Runtime

PASSED, FAILED, NOT_VERIFIED = "passed", "failed", "not verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityLimits:
    """What an artifact may differ by.

    Attributes:
        max_relative: largest absolute difference over the range of torch's outputs; ``None`` where
            it is not judged.
        min_top1_agreement: share of images on which both name the same class.
        max_accuracy_drop: accuracy of torch less that of the artifact, where labels are given.
    """

    max_relative: float | None
    min_top1_agreement: float
    max_accuracy_drop: float


# fp32 differs by the order of sums alone, and within its bound only ties may change class. fp16 has
# 11 significant bits, so each of tens of layers rounds by 2^-11 = 5e-4 of its values. int8 is judged
# by what it decides, not by its logits.
LIMITS = {
    "fp32": ParityLimits(max_relative=1e-4, min_top1_agreement=0.0, max_accuracy_drop=0.01),
    "fp16": ParityLimits(max_relative=2e-2, min_top1_agreement=0.97, max_accuracy_drop=0.01),
    "int8": ParityLimits(max_relative=None, min_top1_agreement=0.90, max_accuracy_drop=0.03),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """What :func:`check_parity` found; figures are ``None`` where the artifact did not run.

    Attributes:
        status: ``passed``, ``failed``, or ``not verified`` where the runtime or its device is absent.
        precision: of the artifact.
        n: images compared.
        max_abs_difference: over all images and outputs.
        output_range: largest less smallest of torch's outputs.
        relative: the former over the latter.
        top1_agreement: share of images on which both name the same class.
        reference_accuracy: top-1 of torch; ``None`` without labels.
        accuracy: top-1 of the artifact; ``None`` without labels.
        reason: why it did not pass; empty when it did.
    """

    status: str
    precision: str
    n: int
    max_abs_difference: float | None = None
    output_range: float | None = None
    relative: float | None = None
    top1_agreement: float | None = None
    reference_accuracy: float | None = None
    accuracy: float | None = None
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the artifact ran and agreed."""
        return self.status == PASSED

    def require(self, *, allow_unverified: bool = False) -> None:
        """Raise ``ParityError`` unless the artifact passed.

        Args:
            allow_unverified: accept an artifact that could not be run here; never one that failed.
        """
        if self.status == PASSED or (allow_unverified and self.status == NOT_VERIFIED):
            return
        outcome = "disagrees with torch" if self.status == FAILED else "is not verified against torch"
        raise ParityError(f"the compiled {self.precision} network {outcome}: {self.reason}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def check_parity(
    module: nn.Module,
    runtime: Runtime,
    artifact: Path,
    images: NDArray[np.float32],
    *,
    labels: NDArray[np.int64] | None = None,
    precision: str = "fp32",
    limits: ParityLimits | None = None,
    threads: int = 1,
) -> ParityReport:
    """Return how far ``artifact``, run by ``runtime``, is from ``module`` in evaluation mode.

    Anything that keeps the comparison from being made on this machine gives ``not verified``;
    anything wrong with the artifact gives ``failed``: it does not load, does not run, returns
    another shape, or a number that is not finite.

    Args:
        module: what was exported; its mode is left as it was.
        runtime: the device half of the backend.
        artifact: what was exported to.
        images: real inputs as the network takes them, ``(n, C, H, W)``, n >= 1.
        labels: their classes ``(n,)``, to compare accuracies.
        precision: of the artifact; chooses the limits.
        limits: in place of those of :data:`LIMITS`.
        threads: of the runtime.

    Raises:
        PrecisionError: the precision is unknown.
    """
    if precision not in LIMITS:
        raise PrecisionError(f"unknown precision {precision!r}; known: {', '.join(LIMITS)}")
    if len(images) == 0:
        return ParityReport(status=NOT_VERIFIED, precision=precision, n=0, reason="no images were given")
    expected = outputs_of_module(module, images)
    try:
        found = outputs_of_artifact(runtime, artifact, images, threads=threads)
    except (DeviceUnavailableError, MissingExtraError) as error:
        return ParityReport(status=NOT_VERIFIED, precision=precision, n=len(images), reason=str(error))
    except RuntimeFailureError as error:
        return ParityReport(status=FAILED, precision=precision, n=len(images), reason=str(error))
    return compare(expected, found, precision, limits or LIMITS[precision], labels)


def compare(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    precision: str,
    limits: ParityLimits,
    labels: NDArray[np.int64] | None = None,
) -> ParityReport:
    """Return the verdict on ``found`` ``(n, …)`` where torch gave ``expected`` ``(n, …)``."""
    n = len(expected)
    if expected.shape != found.shape:
        reason = f"torch gives outputs {expected.shape}, the artifact {found.shape}"
        return ParityReport(status=FAILED, precision=precision, n=n, reason=reason)
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        whose = "the artifact" if np.isfinite(expected).all() else "torch"
        reason = f"{whose} gives outputs that are not finite"
        return ParityReport(status=FAILED, precision=precision, n=n, reason=reason)
    difference = float(np.abs(expected.astype(np.float64) - found).max())
    output_range = float(np.ptp(expected.astype(np.float64)))
    # Constant outputs have no range; any difference is then infinitely large.
    relative = difference / output_range if output_range > 0 else (0.0 if difference == 0 else float("inf"))
    best, named = (_classes(outputs) for outputs in (expected, found))
    accuracy = reference = None
    if labels is not None:
        reference, accuracy = float((best == labels).mean()), float((named == labels).mean())
    agreement = float((best == named).mean())
    # Shares of n images lie 1 / n apart: what exceeds a limit by less does so by rounding alone.
    exact = 1e-9
    faults = []
    if limits.max_relative is not None and not relative <= limits.max_relative:
        faults.append(
            f"outputs differ by {difference:.3g}, {relative:.2e} of their range; "
            f"at most {limits.max_relative:.0e} is allowed"
        )
    if agreement < limits.min_top1_agreement - exact:
        faults.append(
            f"the same class on {agreement:.1%} of {n} images; "
            f"at least {limits.min_top1_agreement:.0%} is required"
        )
    drop = 0.0 if accuracy is None or reference is None else reference - accuracy
    if drop > limits.max_accuracy_drop + exact:
        faults.append(
            f"accuracy falls from {reference:.1%} to {accuracy:.1%}; "
            f"by at most {limits.max_accuracy_drop:.1%} is allowed"
        )
    return ParityReport(
        status=FAILED if faults else PASSED,
        precision=precision,
        n=n,
        max_abs_difference=difference,
        output_range=output_range,
        relative=relative,
        top1_agreement=agreement,
        reference_accuracy=reference,
        accuracy=accuracy,
        reason="; ".join(faults),
    )


def outputs_of_module(module: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what ``module`` gives in evaluation mode for ``images`` ``(n, C, H, W)``."""
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(np.ascontiguousarray(images)), 32)
            outputs: NDArray[np.float32] = torch.cat([module(batch) for batch in batches]).numpy()
            return outputs
    finally:
        module.train(training)


def outputs_of_artifact(
    runtime: Runtime, artifact: Path, images: NDArray[np.float32], *, threads: int = 1
) -> NDArray[np.float32]:
    """Return what ``artifact`` gives for ``images`` ``(n, C, H, W)``, one by one, in torch's layout.

    Raises:
        DeviceUnavailableError: the runtime's hardware is absent.
        RuntimeFailureError: the artifact does not load, or fails while running.
    """
    outputs = []
    with runtime.open(artifact, threads=threads) as session:
        spec = session.outputs[0]
        for image in images:
            value = session.run(feeds_from_image(session.inputs, image))[spec.name]
            outputs.append(value.transpose(0, 3, 1, 2) if spec.layout == "NHWC" else value)
    found: NDArray[np.float32] = np.concatenate(outputs).astype(np.float32)
    return found


def _classes(outputs: NDArray[np.float32]) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return classes

"""The two halves of a backend, kept apart so that a device never needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and element type of an artifact's input or output.

    Attributes:
        name: as the runtime calls it.
        shape: batch first; batch is 1.
        dtype: numpy's name of the element type.
        layout: ``NCHW`` or ``NHWC`` for images, empty for vectors.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str = ""


class Exporter(Protocol):
    """Host half of a backend: turns a plain module into one file for its runtime."""

    @property
    def suffix(self) -> str:
        """File suffix of the artifacts: ``.onnx``, ``.tflite``, ``.engine``."""
        ...

    @property
    def precisions(self) -> tuple[str, ...]:
        """The members of :data:`PRECISIONS` that :meth:`export` accepts."""
        ...

    def export(
        self,
        module: nn.Module,
        in_shape: tuple[int, int, int, int],
        path: Path,
        *,
        precision: str = "fp32",
        calibration: NDArray[np.float32] | None = None,
    ) -> None:
        """Write the artifact of ``module`` in evaluation mode, atomically.

        Args:
            module: one tensor in, one tensor out.
            in_shape: ``(1, C, H, W)``.
            path: where the artifact goes; its folder is made.
            precision: one of :attr:`precisions`.
            calibration: real inputs ``(n, C, H, W)``, needed for ``int8``.

        Raises:
            ExportError: the backend cannot express the module; names the first unsupported part.
            PrecisionError: the precision is not offered, or ``int8`` came without calibration.
            MissingExtraError: the converter is not installed.
            StorageError: the disk is full.
        """
        ...


class Session(Protocol):
    """An artifact loaded into its runtime. Not thread-safe."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` must be fed, in the runtime's own layout."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` returns."""
        ...

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference; outputs are copies. Raises ``RuntimeFailureError``."""
        ...

    def bind(self, feeds: Mapping[str, NDArray[np.generic]]) -> Callable[[], object]:
        """Place the inputs where the runtime wants them and return one inference as a callable.

        This is what is timed: no copy from numpy, no conversion of layouts.
        """
        ...

    def synchronize(self) -> None:
        """Return once the device is idle."""
        ...


@runtime_checkable
class DeviceTimed(Protocol):
    """What a session may offer besides: a clock on the device."""

    def device_times_ms(self, infer: Callable[[], object], n_runs: int) -> tuple[float, ...]:
        """Return the device's own time of each of ``n_runs`` calls of ``infer``, which ``bind`` gave.

        Raises:
            RuntimeFailureError: the clock or an inference fails.
        """
        ...


class Runtime(Protocol):
    """Device half of a backend: numpy and the vendor's runtime, never torch."""

    @property
    def name(self) -> str:
        """Key in the registry."""
        ...

    @property
    def version(self) -> str:
        """Package and version of the vendor's runtime: ``onnxruntime 1.31.1``."""
        ...

    def conditions(self, threads: int = 1) -> Mapping[str, str | int]:
        """Return the settings that latency depends on, as JSON values, for a table's provenance."""
        ...

    def open(self, artifact: Path, *, threads: int = 1) -> AbstractContextManager[Session]:
        """Load the artifact; leaving the context frees its memory.

        Raises:
            RuntimeFailureError: the runtime refuses the file.
            MissingExtraError: the runtime is not installed.
            DeviceUnavailableError: the hardware is absent.
        """
        ...

"""Device half of the TensorRT backends: numpy, the vendor's runtime and the NVIDIA driver.

1. The engine is deserialized; one of another GPU or version comes back as ``None``, which is refused.
2. Device memory is made for each input and output, and their addresses are set once.
3. An inference is one enqueue on a stream; it is done when the stream is synchronized.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import broken_off, check_artifact, checked_feeds, refused
from edgewright.backends.base import TensorSpec
from edgewright.backends.registry import missing_extra
from edgewright.backends.tensorrt import cuda
from edgewright.backends.tensorrt.log import log_into
from edgewright.errors import DeviceUnavailableError, RuntimeFailureError


class TensorRTRuntime:
    """Runs engines on the first NVIDIA GPU. Raises ``MissingExtraError`` when made without TensorRT."""

    name = "tensorrt"
    _module, _extra = "tensorrt", "tensorrt"

    def __init__(self) -> None:
        # Imported here, so that this module imports on a machine without the runtime.
        try:
            self._trt: Any = importlib.import_module(self._module)
        except ModuleNotFoundError as error:
            raise missing_extra(self._module, self._extra) from error

    @property
    def version(self) -> str:
        """Package and version."""
        return f"{self._module} {self._trt.__version__}"

    def conditions(self, threads: int = 1) -> dict[str, str | int]:
        """Return the settings that latency depends on, for a table's provenance."""
        return {"device": 0, "enqueue": "execute_async_v3", "cuda_graph": 0, "host_threads": threads}

    @contextmanager
    def open(self, artifact: Path, *, threads: int = 1) -> Iterator[TensorRTSession]:
        """Load an artifact; see :class:`~edgewright.backends.base.Runtime`.

        ``threads`` is of no account on a GPU.
        """
        check_artifact(artifact, ".engine")
        if cuda.n_devices() == 0:
            raise DeviceUnavailableError(
                f"no NVIDIA GPU is available here to run {artifact}; copy it to the device and run it there"
            )
        lines: list[str] = []
        # Named until the session ends: TensorRT keeps pointers to them, not references.
        logger = log_into(self._trt, lines)
        runtime = self._trt.Runtime(logger)
        stream = cuda.Stream()
        try:
            engine = runtime.deserialize_cuda_engine(artifact.read_bytes())
            if engine is None:
                raise refused(artifact, self.version, lines[0] if lines else "no reason given")
            context = engine.create_execution_context()
            if context is None:
                reason = lines[0] if lines else "no reason given"
                raise RuntimeFailureError(f"{self.version} has no memory to run {artifact}: {reason}")
            yield TensorRTSession(self._trt, engine, context, stream)
            del context, engine
        finally:
            stream.close()


class TensorRTRTXRuntime(TensorRTRuntime):
    """Runs TensorRT-RTX engines, which it finishes compiling for the GPU when they are loaded."""

    name = "tensorrt-rtx"
    _module, _extra = "tensorrt_rtx", "tensorrt-rtx"


class TensorRTSession:
    """A loaded engine with its device memory."""

    def __init__(self, trt: Any, engine: Any, context: Any, stream: cuda.Stream) -> None:
        self._context, self._stream = context, stream
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        is_input = {name: engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        specs = {name: _spec(trt, engine, name) for name in names}
        self._inputs = tuple(specs[name] for name in names if is_input[name])
        self._outputs = tuple(specs[name] for name in names if not is_input[name])
        self._addresses: dict[str, int] = {}
        for name, spec in specs.items():
            n_bytes = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
            self._addresses[name] = stream.allocate(max(n_bytes, 1))
            if not context.set_tensor_address(name, self._addresses[name]):
                raise RuntimeFailureError(f"TensorRT takes no address for tensor {name!r}")

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` must be fed."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` returns."""
        return self._outputs

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference, copies in and out included."""
        self.bind(feeds)()
        self.synchronize()
        values = {spec.name: np.empty(spec.shape, spec.dtype) for spec in self._outputs}
        for name, array in values.items():
            self._stream.download(array, self._addresses[name])
        return values

    def bind(self, feeds: Mapping[str, NDArray[np.generic]]) -> Callable[[], object]:
        """Upload the inputs and return the enqueueing of one inference; see :meth:`synchronize`."""
        for spec, array in zip(self._inputs, checked_feeds(self._inputs, feeds), strict=True):
            self._stream.upload(self._addresses[spec.name], array)
        context, handle = self._context, self._stream.handle

        def infer() -> None:
            if not context.execute_async_v3(handle):
                raise broken_off("TensorRT", "it gives no reason")

        return infer

    def synchronize(self) -> None:
        """Return once the device is idle."""
        self._stream.synchronize()

    def device_times_ms(self, infer: Callable[[], object], n_runs: int) -> tuple[float, ...]:
        """Return the device's own time of each of ``n_runs`` inferences, by CUDA events.

        It leaves out what the host adds: beside the wall clock it shows whether the GPU waits.
        """
        start, end = self._stream.event(), self._stream.event()
        times_ms = []
        for _ in range(n_runs):
            self._stream.record(start)
            infer()
            self._stream.record(end)
            self.synchronize()
            times_ms.append(self._stream.elapsed_ms(start, end))
        return tuple(times_ms)


def _spec(trt: Any, engine: Any, name: str) -> TensorSpec:
    shape = tuple(int(size) for size in engine.get_tensor_shape(name))
    dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name
    return TensorSpec(name, shape, dtype, "NCHW" if len(shape) == 4 else "")

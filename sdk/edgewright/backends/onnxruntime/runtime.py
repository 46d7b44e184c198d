"""Device half of the ONNX Runtime backend: numpy and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import broken_off, check_artifact, checked_feeds, refused
from edgewright.backends.base import TensorSpec
from edgewright.backends.registry import missing_extra
from edgewright.errors import RuntimeFailureError

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


class OnnxRuntime:
    """Runs ``.onnx`` files on the CPU. Raises ``MissingExtraError`` when made without onnxruntime."""

    name = "onnxruntime"

    def __init__(self) -> None:
        # Imported here, so that this module imports on a machine without the runtime.
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise missing_extra("onnxruntime", "onnxruntime") from error
        self._ort: Any = onnxruntime

    @property
    def version(self) -> str:
        """Package and version."""
        return f"onnxruntime {self._ort.__version__}"

    def conditions(self, threads: int = 1) -> dict[str, str | int]:
        """Return the settings that latency depends on, for a table's provenance."""
        return {
            "provider": "CPUExecutionProvider",
            "graph_optimization": "all",
            "execution_mode": "sequential",
            "intra_op_threads": threads,
            "inter_op_threads": 1,
            # Workers that spin between operators answer sooner; one thread has no workers.
            "intra_op_spinning": int(threads > 1),
        }

    @contextmanager
    def open(self, artifact: Path, *, threads: int = 1) -> Iterator[OnnxSession]:
        """Load an artifact; see :class:`~edgewright.backends.base.Runtime`."""
        yield OnnxSession(self._load(artifact, self._options(threads)))

    @contextmanager
    def open_profiled(
        self, artifact: Path, prefix: Path, *, threads: int = 1
    ) -> Iterator[tuple[OnnxSession, Callable[[], Path]]]:
        """Load an artifact with ONNX Runtime's profiler on.

        Yields the session, and what ends the profile and returns the file that it was written to.

        Args:
            artifact: a file that :meth:`open` takes.
            prefix: start of the profile's path.
            threads: of an inference.

        Raises:
            RuntimeFailureError: the runtime refuses the file.
        """
        options = self._options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(prefix)
        session = self._load(artifact, options)
        yield OnnxSession(session), lambda: Path(session.end_profiling())

    def _options(self, threads: int) -> Any:
        settings = self.conditions(threads)
        options = self._ort.SessionOptions()
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = settings["intra_op_threads"]
        options.inter_op_num_threads = settings["inter_op_threads"]
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", str(settings["intra_op_spinning"])
        )
        options.log_severity_level = 4  # fatal: what goes wrong is raised
        return options

    def _load(self, artifact: Path, options: Any) -> Any:
        check_artifact(artifact, ".onnx")
        try:
            return self._ort.InferenceSession(
                artifact.read_bytes(),
                options,
                providers=[self.conditions()["provider"]],
                enable_fallback=0,  # it would print a banner and try the same provider again
            )
        except Exception as error:  # onnxruntime raises a dozen classes of its own
            raise refused(artifact, self.version, error) from error


class OnnxSession:
    """A loaded ``.onnx`` file."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = tuple(_spec(arg) for arg in session.get_inputs())
        self._outputs = tuple(_spec(arg) for arg in session.get_outputs())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` must be fed."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` returns."""
        return self._outputs

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference."""
        arrays = checked_feeds(self._inputs, feeds)
        named = {spec.name: array for spec, array in zip(self._inputs, arrays, strict=True)}
        try:
            values = self._session.run(None, named)
        except Exception as error:
            raise broken_off("onnxruntime", error) from error
        return {spec.name: value for spec, value in zip(self._outputs, values, strict=True)}

    def bind(self, feeds: Mapping[str, NDArray[np.generic]]) -> Callable[[], object]:
        """Return one inference as a callable; inputs and outputs stay where the runtime put them."""
        binding = self._session.io_binding()
        # The binding reads the arrays in place: the callable below keeps them alive.
        arrays = checked_feeds(self._inputs, feeds)
        for spec, array in zip(self._inputs, arrays, strict=True):
            binding.bind_cpu_input(spec.name, array)
        for spec in self._outputs:
            binding.bind_output(spec.name, "cpu")
        session = self._session

        def infer(_arrays: object = arrays) -> None:
            try:
                session.run_with_iobinding(binding)
            except Exception as error:
                raise broken_off("onnxruntime", error) from error

        return infer

    def synchronize(self) -> None:
        """Return at once: a CPU session answers when it is done."""


def _spec(arg: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else 1 for size in arg.shape)
    if arg.type not in _DTYPES:
        raise RuntimeFailureError(f"tensor {arg.name!r} has type {arg.type}, which edgewright cannot feed")
    return TensorSpec(arg.name, shape, _DTYPES[arg.type], "NCHW" if len(shape) == 4 else "")

"""Device half of the LiteRT backend: numpy and ai_edge_litert, or the older tflite_runtime."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgewright.backends.artifact import broken_off, check_artifact, checked_feeds, refused
from edgewright.backends.base import TensorSpec
from edgewright.backends.registry import missing_extra
from edgewright.backends.silence import silent

# Module of the interpreter, and the distribution that its version is read from.
_PACKAGES = (("ai_edge_litert", "ai-edge-litert"), ("tflite_runtime", "tflite-runtime"))


class LiteRTRuntime:
    """Runs ``.tflite`` files on the CPU through XNNPACK.

    Raises ``MissingExtraError`` when made where neither interpreter is installed.
    """

    name = "litert"

    def __init__(self) -> None:
        # Imported here, so that this module imports on a machine without the runtime.
        for module, distribution in _PACKAGES:
            try:
                self._interpreter: Any = importlib.import_module(f"{module}.interpreter").Interpreter
            except ModuleNotFoundError:
                continue
            self._version = f"{distribution} {importlib.metadata.version(distribution)}"
            return
        raise missing_extra("ai-edge-litert", "litert")

    @property
    def version(self) -> str:
        """Package and version."""
        return self._version

    def conditions(self, threads: int = 1) -> dict[str, str | int]:
        """Return the settings that latency depends on, for a table's provenance."""
        return {"delegate": "XNNPACK", "threads": threads}

    @contextmanager
    def open(self, artifact: Path, *, threads: int = 1) -> Iterator[LiteRTSession]:
        """Load an artifact; see :class:`~edgewright.backends.base.Runtime`."""
        check_artifact(artifact, ".tflite")
        try:
            # It announces its delegate on stderr.
            with silent():
                interpreter = self._interpreter(model_content=artifact.read_bytes(), num_threads=threads)
                interpreter.allocate_tensors()
        except Exception as error:  # ValueError or RuntimeError, as the version has it
            raise refused(artifact, self.version, error) from error
        yield LiteRTSession(interpreter)


class LiteRTSession:
    """A loaded ``.tflite`` file."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        inputs, outputs = _named_details(interpreter)
        self._indices = [detail["index"] for detail in inputs.values()]
        self._out_indices = [detail["index"] for detail in outputs.values()]
        self._inputs = tuple(_spec(name, detail) for name, detail in inputs.items())
        self._outputs = tuple(_spec(name, detail) for name, detail in outputs.items())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` must be fed, ``NHWC``."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` returns, ``NHWC``."""
        return self._outputs

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Run one inference."""
        self.bind(feeds)()
        return {
            spec.name: self._interpreter.get_tensor(index)  # a copy
            for spec, index in zip(self._outputs, self._out_indices, strict=True)
        }

    def bind(self, feeds: Mapping[str, NDArray[np.generic]]) -> Callable[[], object]:
        """Copy the inputs into the interpreter and return one inference as a callable."""
        for index, array in zip(self._indices, checked_feeds(self._inputs, feeds), strict=True):
            self._interpreter.set_tensor(index, array)
        interpreter = self._interpreter

        def infer() -> None:
            try:
                interpreter.invoke()
            except (RuntimeError, ValueError) as error:
                raise broken_off("LiteRT", error) from error

        return infer

    def synchronize(self) -> None:
        """Return at once: a CPU session answers when it is done."""


def _named_details(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the details of inputs and outputs by name.

    The names are those of the signature where there is one: a quantizer renames tensors.
    """
    if len(interpreter.get_signature_list()) == 1:
        runner = interpreter.get_signature_runner()
        return runner.get_input_details(), runner.get_output_details()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return {d["name"]: d for d in inputs}, {d["name"]: d for d in outputs}


def _spec(name: str, detail: Mapping[str, Any]) -> TensorSpec:
    shape = tuple(int(size) for size in detail["shape"])
    layout = "NHWC" if len(shape) == 4 else ""
    return TensorSpec(name, shape, np.dtype(detail["dtype"]).name, layout)

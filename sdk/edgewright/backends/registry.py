"""Backends by name. Listing them needs no runtime; a name is resolved when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from edgewright.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from edgewright.backends.base import Exporter, Runtime


class Backend(NamedTuple):
    """Where the halves of a backend live, and the extra that brings their packages."""

    exporter: str
    runtime: str
    extra: str


BACKENDS: dict[str, Backend] = {
    "onnxruntime": Backend(
        "edgewright.backends.onnxruntime.exporter:OnnxExporter",
        "edgewright.backends.onnxruntime.runtime:OnnxRuntime",
        "onnxruntime",
    ),
    "litert": Backend(
        "edgewright.backends.litert.exporter:LiteRTExporter",
        "edgewright.backends.litert.runtime:LiteRTRuntime",
        "litert",
    ),
    "tensorrt": Backend(
        "edgewright.backends.tensorrt.exporter:TensorRTExporter",
        "edgewright.backends.tensorrt.runtime:TensorRTRuntime",
        "tensorrt",
    ),
    "tensorrt-rtx": Backend(
        "edgewright.backends.tensorrt.exporter:TensorRTRTXExporter",
        "edgewright.backends.tensorrt.runtime:TensorRTRTXRuntime",
        "tensorrt-rtx",
    ),
}


def backend(name: str) -> Backend:
    """Return the entry of a backend. Raises ``UsageError`` that lists the known ones."""
    if name not in BACKENDS:
        raise UsageError(f"unknown runtime {name!r}; known runtimes: {', '.join(BACKENDS)}")
    return BACKENDS[name]


def exporter(name: str, **options: object) -> Exporter:
    """Return the exporter of a backend, made with ``options``. Raises ``MissingExtraError``."""
    return cast("Exporter", _resolve(backend(name).exporter, backend(name), **options))


def runtime(name: str) -> Runtime:
    """Return the runtime of a backend. Raises ``MissingExtraError``."""
    return cast("Runtime", _resolve(backend(name).runtime, backend(name)))


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Return the error to raise when ``package`` does not import."""
    return MissingExtraError(
        f"{package} is not installed; install it with: pip install 'edgewright[{extra}]'"
    )


def _resolve(path: str, entry: Backend, **options: object) -> object:
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)(**options)
    except ModuleNotFoundError as error:
        raise missing_extra(error.name or module, entry.extra) from error

"""A logger for TensorRT that keeps errors and prints nothing."""

from __future__ import annotations

from typing import Any


def log_into(trt: Any, lines: list[str]) -> Any:
    """Return a logger that appends errors to ``lines``, one line each.

    Args:
        trt: the module ``tensorrt`` or ``tensorrt_rtx``, whose base class it must have.
        lines: what is appended to.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]
        """Called by TensorRT for everything that it has to say."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                lines.append(" ".join(message.split()))

    return Logger()

"""Keeps converters quiet: what they print must not mix with the SDK's own output."""

from __future__ import annotations

import ctypes
import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

# Descriptors belong to the process: two threads that redirect them in turn would restore each
# other's. Re-entrant, since one converter may call another.
_LOCK = threading.RLock()


@dataclass(slots=True)
class Chatter:
    """What was printed inside :func:`silent`; empty until the block is left."""

    text: str = ""


@contextmanager
def silent() -> Iterator[Chatter]:
    """Swallow stdout, stderr, warnings and log records below critical inside the block.

    Native libraries write to the file descriptors, past ``sys.stdout``, which may itself lead
    elsewhere: both are redirected, for the whole process. Keep the block short, and off code that
    shows progress.
    """
    chatter, printed = Chatter(), io.StringIO()
    with _LOCK, tempfile.TemporaryFile() as sink:
        _flush()
        saved = [(fd, os.dup(fd)) for fd in (1, 2) if _is_open(fd)]
        level = logging.root.manager.disable
        try:
            for fd, _ in saved:
                os.dup2(sink.fileno(), fd)
            logging.disable(logging.CRITICAL)
            with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield chatter
        finally:
            logging.disable(level)
            _flush()
            for fd, copy in saved:
                os.dup2(copy, fd)
                os.close(copy)
            sink.seek(0)
            chatter.text = printed.getvalue() + sink.read(1 << 16).decode("utf-8", "replace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A closed or absent stream holds nothing.
        if stream is not None and not stream.closed:
            stream.flush()
    # C keeps a buffer of its own, which would otherwise come out after the block.
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

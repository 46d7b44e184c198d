"""Which processors a measurement runs on: pinned around it, as free afterwards as before."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edgewright.errors import DeviceUnavailableError

MAX_CPU = 4095  # no Linux is built for more
_MEND = "change affinity in a copy of the device profile"


@contextmanager
def pinned(cpus: Sequence[int]) -> Iterator[None]:
    """Keep the calling thread on ``cpus``, with all threads and processes that it starts meanwhile.

    A runtime's threads belong to the processors that they were started on, so what is measured is
    opened inside the block. Without ``cpus`` nothing is done.

    Raises:
        DeviceUnavailableError: this machine lacks one of them, keeps this process from using it, or
            cannot pin at all.
    """
    if not cpus:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise DeviceUnavailableError(
            f"the device profile pins measurements to processors {_listed(cpus)}, and {platform.system()} "
            f"cannot do that, Linux can: {_MEND}: take it out"
        )
    before = os.sched_getaffinity(0)
    try:
        _pin(cpus, before)
        yield
    finally:
        os.sched_setaffinity(0, before)


def _pin(cpus: Sequence[int], before: set[int]) -> None:
    try:
        os.sched_setaffinity(0, cpus)
        got = os.sched_getaffinity(0)
    except (OSError, ValueError, OverflowError):
        got = set()
    if got != set(cpus):
        raise DeviceUnavailableError(
            f"the device profile pins measurements to processors {_listed(cpus)}, this machine lets this "
            f"process use {_listed(sorted(before))} alone: {_MEND}, or widen the container's or taskset's set"
        )


def _listed(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus))

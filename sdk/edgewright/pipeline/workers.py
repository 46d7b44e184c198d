"""How many workers evaluate a search's networks where nobody says."""

from __future__ import annotations

import os

import psutil

from edgewright.spaces import MobileSpace
from edgewright.training.evaluate import images_of_one_statistic

_GIB = 2**30
#: What a process takes that has loaded torch and a supernet. A worker reads its images from a file, which
#: all of them share.
_LOADED_BYTES = 0.35 * _GIB
#: Activations of the largest layer that an evaluation holds at once: a convolution's, and what is made of it.
_HELD = 3


def usual_workers(space: MobileSpace, batch: int, *, attacked: bool = False) -> int:
    """Return the number of workers that no choice was made about: it changes nothing but the time.

    As many as this process has CPUs, at most the networks that are evaluated side by side, and no more than
    the machine's free memory has room for; one at least.

    Args:
        space: what is searched.
        batch: networks of an iteration.
        attacked: whether gradients are computed too, which takes about as much again.
    """
    room = int(psutil.virtual_memory().available / worker_bytes(space, attacked=attacked))
    return max(1, min(cpus(), batch, room))


def idle_workers(workers: int, batch: int) -> str:
    """Return what is told to who asks for more workers than an iteration has networks; empty where none is.

    Args:
        workers: that were asked for.
        batch: networks of an iteration.
    """
    if workers <= batch:
        return ""
    found = "1 network" if batch == 1 else f"{batch} networks"
    return (
        f"{workers - batch} of {workers} workers will have nothing to do after the first networks: an "
        f"iteration evaluates {found}; a new search with --batch {workers} keeps all of them busy, at some "
        "cost in evaluations"
    )


def cpus() -> int:
    """Return the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_bytes(space: MobileSpace, *, attacked: bool = False) -> float:
    """Return about what memory a worker takes while it evaluates the largest network of ``space``."""
    widest = max(
        max(
            op.in_size**2 * max(op.in_channels, op.mid_channels),
            op.out_size**2 * max(op.mid_channels, op.out_channels),
        )
        for op in space.operators(space.largest())
    )
    images = images_of_one_statistic(max(space.resolutions))
    return _LOADED_BYTES + (2 if attacked else 1) * _HELD * 4.0 * images * widest

"""A local runner that tells which artifact it is opening, so that a crash can be laid at its door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edgewright.agent.protocol import OPENING
from edgewright.backends.base import Runtime
from edgewright.latency.local_runner import LocalRunner
from edgewright.latency.stopwatch import Run


class TellingRunner(LocalRunner):
    """Times artifacts in this process.

    Args:
        runtime: device half of a backend.
        threads: of an inference.
        note: told what is done.
        affinity: processors that everything measured is pinned to.
    """

    def __init__(
        self, runtime: Runtime, *, threads: int, note: Callable[[str], object], affinity: Sequence[int] = ()
    ) -> None:
        super().__init__(runtime, threads=threads, affinity=affinity)
        self._note = note

    def _open(self, artifact: Path, stack: ExitStack, rng: np.random.Generator) -> tuple[Run, Run]:
        self._note(f"{OPENING}{artifact.name}")
        opened = super()._open(artifact, stack, rng)
        self._note("timing")
        return opened

"""Progress of a long benchmark as lines that a log file can hold."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Narrator:
    """A progress that tells a line on stderr now and then."""

    def __init__(self, every_s: float = 30.0) -> None:
        self._every_s = every_s
        self._started = time.perf_counter()

    def say(self, text: str) -> None:
        """Tell one line with the minute."""
        print(f"[{(time.perf_counter() - self._started) / 60:5.1f} min] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Told]:
        """Open a task that tells how far it is."""
        yield Told(self, description, total)

    @property
    def every_s(self) -> float:
        """Seconds between two lines of a task."""
        return self._every_s


class Told:
    """A task of a :class:`Narrator`."""

    def __init__(self, narrator: Narrator, description: str, total: float | None) -> None:
        self._narrator, self._description, self._total = narrator, description, total
        self._last = time.perf_counter()

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how much is done, unless something was told just before."""
        self._total = self._total if total is None else total
        if time.perf_counter() - self._last < self._narrator.every_s:
            return
        self._last = time.perf_counter()
        whole = "" if self._total is None else f" of {self._total:g}"
        self._narrator.say(f"{self._description}: {done:.4g}{whole}{', ' if note else ''}{note}")

"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work with a known or unknown amount."""

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how much is done, of how much, with a short note such as a loss."""
        ...


class Progress(Protocol):
    """Whoever watches: a terminal, a test, nobody."""

    def task(self, description: str, total: float | None = None) -> AbstractContextManager[Task]:
        """Open a task; leaving the context closes it."""
        ...

    def say(self, text: str) -> None:
        """Tell one line that stays."""
        ...


class Silent:
    """A progress that nobody watches; the default of every function in the pipeline."""

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Open a task that tells nobody."""
        yield _SilentTask()

    def say(self, text: str) -> None:
        """Say nothing."""


class _SilentTask:
    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        pass


SILENT: Progress = Silent()

"""What the commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgewright.errors import SDKError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from edgewright.pipeline.progress import Task


REDRAW_S = 0.1  # of progress bars


class ToldError(Exception):
    """A result that is not good enough, told already.

    Args:
        error: why.
    """

    def __init__(self, error: SDKError) -> None:
        super().__init__(str(error))
        self.error = error


class Console:
    """Prints for one command.

    Args:
        as_json: results as one JSON document on stdout, nothing else there.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._live: RichProgress | None = None

    def result(self, value: Any, text: str, require: Callable[[], None] | None = None) -> None:
        """Print a command's result: ``value`` as JSON, or ``text``.

        Args:
            value: JSON values; a number that JSON cannot say becomes null.
            text: for a reader.
            require: raises where the result is not good enough. The result is told all the same, and
                with ``--json`` the error is part of its one document.

        Raises:
            ToldError: ``require`` raised.
        """
        failure: SDKError | None = None
        try:
            if require is not None:
                require()
        except SDKError as error:
            failure = error
            value = {**value, "error": str(error), "exit_code": error.exit_code}
        print(json.dumps(_finite(value), indent=1, allow_nan=False) if self.as_json else text)
        if failure is not None:
            raise ToldError(failure)

    def say(self, text: str) -> None:
        """Tell one line on stderr; nothing under ``--json``."""
        if self.as_json:
            return
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Show a progress bar on stderr while the block runs, where stderr is a terminal."""
        if self.as_json or not sys.stderr.isatty():
            yield _QuietTask()
            return
        # rich's progress costs 60 ms to import, which --help should not pay.
        from rich import console, progress

        if self._live is not None:  # a task inside a task has its own line until it is done
            inner = self._live.add_task(description, total=total, note="")
            self._live.refresh()
            yield _BarTask(self._live, inner)
            self._live.remove_task(inner)
            return
        with progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}"),
            console=console.Console(stderr=True),
            # rich would redraw from a thread of its own, in the middle of what is being measured.
            auto_refresh=False,
        ) as live:
            self._live = live
            try:
                yield _BarTask(live, live.add_task(description, total=total, note=""))
            finally:
                self._live = None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


class _QuietTask:
    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        pass


class _BarTask:
    def __init__(self, live: RichProgress, task: TaskID) -> None:
        self._live, self._task = live, task
        self._drawn = 0.0

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        self._live.update(self._task, completed=done, note=note)
        if total is not None:
            self._live.update(self._task, total=total)
        if time.monotonic() - self._drawn > REDRAW_S:
            self._live.refresh()
            self._drawn = time.monotonic()

"""What the commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgewright.errors import SDKError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from edgewright.cli.guard import Reached
    from edgewright.pipeline.progress import Task


REDRAW_S = 0.1  # of progress bars
VIEWS_PER_S = 2  # often enough for a clock; nothing is measured while a view is open


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
        reached: told how much of a task is done, of how much, whatever is shown of it.
    """

    def __init__(self, as_json: bool = False, reached: Reached | None = None) -> None:
        self.as_json = as_json
        self._reached = reached
        self._live: RichProgress | None = None
        self._view: RichLive | None = None

    def event(self, name: str, value: Mapping[str, Any]) -> None:
        """Print something that happened as one line of JSON; nothing without ``--json``.

        Args:
            name: becomes ``event``, the line's first key.
            value: JSON values; a number that JSON cannot say becomes null.
        """
        if self.as_json:
            print(json.dumps({"event": name, **_finite(value)}, allow_nan=False), flush=True)

    def result(
        self,
        value: Any,
        text: str,
        require: Callable[[], None] | None = None,
        *,
        ends_events: bool = False,
    ) -> None:
        """Print a command's result: ``value`` as JSON, or ``text``.

        Args:
            value: JSON values; a number that JSON cannot say becomes null.
            text: for a reader.
            ends_events: the JSON is the last of several lines, with ``"event": "result"``.
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
        if self.as_json and ends_events:
            self.event("result", value)
        else:
            print(json.dumps(_finite(value), indent=1, allow_nan=False) if self.as_json else text)
        if failure is not None:
            raise ToldError(failure)

    def say(self, text: str) -> None:
        """Tell one line on stderr; nothing under ``--json``."""
        if not self.as_json:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell one line on stderr, under ``--json`` too: what somebody may want to act on at once."""
        if (shown := self._view or self._live) is not None:
            shown.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Show a progress bar on stderr while the block runs, where stderr is a terminal."""
        with self._bar(description, total) as shown:
            yield shown if self._reached is None else _ToldTask(shown, description, total, self._reached)

    @contextmanager
    def _bar(self, description: str, total: float | None) -> Iterator[Task]:
        # A view that is open shows what matters.
        if self._view is not None or self.as_json or not sys.stderr.isatty():
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

    @property
    def has_view(self) -> bool:
        """Whether :meth:`view` shows anything: stderr is a terminal that can move its cursor."""
        dumb = os.environ.get("TERM", "").lower() in ("dumb", "unknown")
        return not self.as_json and sys.stderr.isatty() and not dumb

    @contextmanager
    def view(self, draw: RenderableType) -> Iterator[None]:
        """Keep ``draw`` in sight at the foot of the terminal while the block runs, then take it away.

        What is told meanwhile scrolls by above it. However the block ends, the cursor is shown again.

        Args:
            draw: rendered anew whenever it is shown.
        """
        # Each costs some 50 ms to import, which --help should not pay.
        from rich import console, live

        screen = console.Console(stderr=True)
        try:
            with live.Live(
                draw,
                console=screen,
                refresh_per_second=VIEWS_PER_S,
                transient=True,
                # Results belong on stdout, whoever reads it.
                redirect_stdout=False,
            ) as self._view:
                yield
        finally:
            self._view = None
            screen.show_cursor()  # Ctrl-C may fall between hiding it and the block


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


class _ToldTask:
    """A task whose amounts are told to somebody besides whoever sees it."""

    def __init__(self, shown: Task, description: str, total: float | None, reached: Reached) -> None:
        self._shown, self._description, self._total, self._reached = shown, description, total, reached

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        self._total = self._total if total is None else total
        self._reached(self._description, done, self._total)
        self._shown.update(done, total, note)


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

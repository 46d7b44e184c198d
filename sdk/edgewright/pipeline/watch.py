"""How a search tells how far it is: its state, and who watches it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import numpy as np

from edgewright.evaluation import Slow
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.search.archive import Evaluation
from edgewright.search.config import IterationReport
from edgewright.spaces.architecture import FloatArray

# Evaluations that the rate is taken over: a few iterations, whose own time between is part of it.
WINDOW = 32


class SearchState:
    """How far a search is. The search writes it, whoever watches reads it, from any thread.

    Args:
        names: of the objectives, ``error`` first.
        total: evaluations in all.
        rows: what the archive holds already.
        reports: of its iterations, as JSON values.
        clock: seconds.
    """

    def __init__(
        self,
        names: Sequence[str],
        total: int,
        *,
        rows: Sequence[Evaluation] = (),
        reports: Sequence[Mapping[str, Any]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.names = tuple(names)
        self.total = max(total, len(rows))
        self.rows = list(rows)
        self.reports = list(reports)
        self._clock = clock
        self._started = clock()
        self._times = deque([self._started], maxlen=WINDOW + 1)

    def evaluated(self, row: Evaluation) -> None:
        """Take a finished evaluation in."""
        self.rows.append(row)
        self._times.append(self._clock())

    def iterated(self, report: IterationReport) -> None:
        """Take the report of a finished iteration in; one that was cut short before is replaced."""
        kept = [r for r in self.reports if r["iteration"] != report.iteration]
        self.reports = [*kept, report.to_json()]

    @property
    def n_done(self) -> int:
        """Evaluations so far, failures and those of earlier calls included."""
        return len(self.rows)

    @property
    def n_left(self) -> int:
        """Evaluations until the search is done."""
        return max(0, self.total - len(self.rows))

    @property
    def n_failures(self) -> int:
        """Evaluations that failed."""
        return sum(row.failure is not None for row in list(self.rows))

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The newest iteration's report, as JSON values."""
        reports = self.reports
        return reports[-1] if reports else None

    @property
    def hypervolumes(self) -> tuple[float, ...]:
        """Hypervolume after each iteration, in ``[0, 1]``."""
        return tuple(float(report["hypervolume"]) for report in self.reports)

    @property
    def elapsed_s(self) -> float:
        """Seconds since this call began."""
        return self._clock() - self._started

    @property
    def rate(self) -> float | None:
        """Evaluations a second of late, the search's own time between them included."""
        times = list(self._times)
        span = times[-1] - times[0]
        return (len(times) - 1) / span if len(times) > 1 and span > 0 else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the search is done, if it goes on as of late; None before the first evaluation."""
        rate = self.rate
        if rate is None:
            return None
        since = self._clock() - self._times[-1]
        return max(0.0, self.n_left / rate - since)

    def points(self) -> tuple[FloatArray, tuple[int, ...]]:
        """Return objectives of what succeeded, ``(n, n_obj)``, and the iteration of each row."""
        rows = [row for row in list(self.rows) if row.objectives is not None]
        F = np.array([row.objectives for row in rows], dtype=np.float64).reshape(len(rows), len(self.names))
        return F, tuple(row.iteration for row in rows)


class SearchWatcher(Protocol):
    """Whoever watches a search: a live view, a reader of JSON lines, a progress bar."""

    def watching(self, state: SearchState) -> AbstractContextManager[None]:
        """Watch a search while the block runs; leaving it, however, gives the terminal back."""
        ...

    def evaluated(self, state: SearchState) -> None:
        """Hear of a finished evaluation."""
        ...

    def iterated(self, report: IterationReport) -> None:
        """Hear of a finished iteration."""
        ...

    def slow(self, slow: Slow) -> None:
        """Hear, once, of an evaluation that takes far longer than the others did."""
        ...


class TaskWatcher:
    """A search as one task of a progress; the default of :func:`edgewright.search_run`.

    Args:
        progress: where the task is shown.
    """

    def __init__(self, progress: Progress = SILENT) -> None:
        self._progress = progress
        self._update: Callable[..., None] = lambda done, note="": None
        self._note = ""

    @contextmanager
    def watching(self, state: SearchState) -> Iterator[None]:
        """Open the task."""
        with self._progress.task("evaluating networks", state.total) as task:
            self._update = task.update
            self.evaluated(state)
            yield

    def evaluated(self, state: SearchState) -> None:
        """Move the task on."""
        self._update(state.n_done, note=self._note)

    def iterated(self, report: IterationReport) -> None:
        """Note the hypervolume, and how well the surrogate ranked the newest networks."""
        found = report.tau if report.recent is None else report.recent["tau"]
        tau = "" if found is None else f", surrogate tau {found:.2f}"
        self._note = f"hypervolume {report.hypervolume:.3f}{tau}"

    def slow(self, slow: Slow) -> None:
        """Tell it in a line that stays."""
        self._progress.say(slow.text())

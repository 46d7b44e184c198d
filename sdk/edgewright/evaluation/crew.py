"""Workers that evaluate networks side by side: who does what, for how long, and what if one is lost.

1. Workers are hired when there is work for them, as many as were asked for, and stay until the end.
2. A worker that is ready gets the next network: of those that wait, the one that takes longest, where
   that is known, so that the last of a batch are short. Results are yielded as they come.
3. A worker that is lost is replaced and its network tried once more, at the end of its batch, where it
   has the machine to itself: memory that ran out among many may do for one. Then it is quarantined.
4. A network that is at work for longer than the time limit (:mod:`edgewright.evaluation.limit`) is
   quarantined and its worker replaced. Long before that, whoever watches hears of it once
   (:mod:`edgewright.evaluation.slow`).

Which worker a network meets changes nothing but who did it: the archive is that of one worker.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np

from edgewright.errors import RunError, UsageError
from edgewright.evaluation.limit import USUAL, Patience, TimeLimit, require_time_limit
from edgewright.evaluation.reply import Reply, outcome_of, require_no_error
from edgewright.evaluation.slow import USUAL_ATTENTION, Slow, log
from edgewright.search.config import Answer, Failure
from edgewright.spaces.architecture import FloatArray, IntArray

TICK_S = 0.25  # how often the time limit is looked at
MAX_START_S = 900.0  # that may pass before any worker is ready: images on a slow disk take minutes
MAX_START_LOSSES = 3  # in a row, before it is said that none will ever be ready
TRIES = 2  # of a network whose worker was lost

#: About how long networks ``(k, n_var)`` take, ``(k,)``, in any unit.
Effort = Callable[[IntArray], FloatArray]


@dataclass(slots=True, eq=False)
class Worker:
    """One worker.

    Attributes:
        slot: 0, 1, …; a replacement takes the slot of the one that was lost.
        name: for the archive.
        ready: whether it has loaded what it needs.
        row: that it evaluates; None where it is idle.
        busy_s: so far, at this row.
        told: whether it was said that this takes long.
    """

    slot: int
    name: str
    ready: bool = False
    row: int | None = None
    busy_s: float = 0.0
    told: bool = False


W = TypeVar("W", bound=Worker)


class Event(NamedTuple, Generic[W]):
    """What a worker tells.

    Attributes:
        worker: who.
        reply: to the request, or to being hired; None where the worker is lost.
        reason: why it was lost.
    """

    worker: W
    reply: Reply | None
    reason: str = ""


def require_crew(n_workers: int, time_limit_s: float | None) -> None:
    """Raise ``UsageError`` for a number of workers, or a time limit in seconds, that cannot be.

    Args:
        n_workers: at most.
        time_limit_s: as :class:`Crew` takes it.
    """
    if not isinstance(n_workers, int) or n_workers < 1:
        raise UsageError(
            f"an evaluation needs a whole number of workers, at least 1 worker, got {n_workers!r}; give "
            "--workers 1"
        )
    require_time_limit(time_limit_s)


def longest_first(effort: FloatArray) -> list[int]:
    """Return the rows in the order in which they are begun (Graham 1969: within a third of the best).

    Args:
        effort: about how long each takes, ``(k,)``; of equal ones the first goes first.
    """
    return [int(row) for row in np.argsort(-effort, kind="stable")]


class Crew(ABC, Generic[W]):
    """An evaluator of many workers; a context manager, after which none of them lives.

    Args:
        n_workers: at most.
        time_limit_s: for one evaluation; 0 is no limit, and None one that only what hangs will reach.
            Time in which this process itself was stopped does not count.
        patience: what that limit is made of.
        effort: by which networks are begun, those that take longest first; None is in their order.

    Raises:
        UsageError: a number below its least value.

    Attributes:
        on_slow: hears once of each evaluation that takes far longer than the others; logged unless set.
        attention: what far longer is.
    """

    #: Whether workers share one machine's memory.
    on_one_machine: ClassVar[bool] = True

    def __init__(
        self,
        n_workers: int,
        *,
        time_limit_s: float | None = None,
        patience: Patience = USUAL,
        effort: Effort | None = None,
    ) -> None:
        require_crew(n_workers, time_limit_s)
        self.n_workers = n_workers
        self.effort = effort
        self.limit = TimeLimit(time_limit_s, patience)
        self.workers: dict[int, W] = {}  # by slot
        self.on_slow: Callable[[Slow], None] = log
        self.attention = USUAL_ATTENTION
        self._start_losses = 0
        self._starting_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, X: IntArray) -> Iterator[Answer]:
        """Evaluate ``X`` ``(k, n_var)`` and yield an answer for each row, as they come.

        Raises:
            RunError: no worker can be had.
            SDKError: what a worker raised that concerns more than one network.
        """
        if len(X) == 0:
            return
        self._open()
        waiting = deque(range(len(X)) if self.effort is None else longest_first(self.effort(X)))
        tries = [0] * len(X)
        left = len(X)
        last = time.monotonic()
        try:
            while left:
                self._assign(X, waiting, tries)
                event = self._next(TICK_S)
                # Whoever has told something is heard before time passes: a caller that takes long over an
                # answer is no fault of the workers that wait behind it.
                heard = 0
                while event is not None:
                    if event.worker is self.workers.get(event.worker.slot):
                        answer = self._take(event, waiting, tries)
                        if answer is not None:
                            left -= 1
                            yield answer
                    heard += 1
                    event = self._next(0.0) if left and heard < len(self.workers) else None
                now = time.monotonic()
                # A gap is this process being stopped, or its caller busy: no worker's fault.
                for answer in self._pass(min(now - last, 4 * TICK_S), X, tries):
                    left -= 1
                    yield answer
                last = now
        finally:
            for worker in self._busy():  # what is still at work is wanted by nobody
                self._dismiss(worker)

    def prepare(self, n: int) -> None:
        """Hire workers for ``n`` networks that will come; they get ready while the caller does other things.

        Raises:
            RunError: one cannot be started.
        """
        if n > 0:
            self._open()
            self._hire_for(n)

    def close(self) -> None:
        """End all workers; what they work at is lost."""
        for worker in list(self.workers.values()):
            self._dismiss(worker)

    def _busy(self) -> list[W]:
        return [worker for worker in self.workers.values() if worker.row is not None]

    def _assign(self, X: IntArray, waiting: deque[int], tries: list[int]) -> None:
        """Hire as many as there is work for, and give those that are ready something to do."""
        self._hire_for(len(waiting) + len(self._busy()))
        for worker in self.workers.values():
            if worker.ready and worker.row is None and waiting and self._may_begin(waiting[0], tries):
                worker.row, worker.busy_s, worker.told = waiting.popleft(), 0.0, False
                tries[worker.row] += 1
                self._ask(worker, [int(v) for v in X[worker.row]])

    def _hire_for(self, n: int) -> None:
        wanted = min(self.n_workers, n)
        for slot in range(self.n_workers):
            if len(self.workers) < wanted and slot not in self.workers:
                self.workers[slot] = self._hire(slot)

    def _may_begin(self, row: int, tries: list[int]) -> bool:
        """Return whether nothing is at work that a second try is to be spared, or is spared itself."""
        again = [tries[worker.row] > 1 for worker in self._busy() if worker.row is not None]
        return not (self.on_one_machine and again and (tries[row] or any(again)))

    def _take(self, event: Event[W], waiting: deque[int], tries: list[int]) -> Answer | None:
        """Act on what a worker told; return the answer of its network if there is one."""
        worker, reply, reason = event
        row = worker.row
        if reply is not None and row is None:
            require_no_error(reply)
            worker.ready, self._start_losses = True, 0
            return None
        if reply is not None and row is not None:
            worker.row = None
            outcome, seconds = outcome_of(reply), float(reply["seconds"])
            if not isinstance(outcome, Failure):
                self.limit.learn(seconds)
            return Answer(row, outcome, seconds, worker.name, tries[row])
        self._dismiss(worker)
        if row is None:
            self._count_start_loss(worker, reason)
            return None
        if tries[row] < TRIES:
            waiting.append(row)
            return None
        failure = Failure(f"lost {tries[row]} workers, the last: {reason}"[:300], "lost")
        return Answer(row, failure, worker.busy_s, worker.name, tries[row])

    def _count_start_loss(self, worker: W, reason: str) -> None:
        if worker.ready:  # it ended while it was idle, and may be replaced as often as it likes
            return
        self._start_losses += 1
        if self._start_losses >= MAX_START_LOSSES:
            raise RunError(
                f"{self._start_losses} workers in a row ended before they were ready, the last: {reason}; "
                "fewer need less memory: give a smaller --workers"
            )

    def _pass(self, seconds: float, X: IntArray, tries: list[int]) -> Iterator[Answer]:
        """Let time pass; quarantine what is beyond the limit, and tell of what takes long."""
        for worker in self._busy():
            worker.busy_s += seconds
            row = worker.row
            if worker.busy_s > self.limit.seconds and row is not None:
                self._dismiss(worker)
                failure = Failure(self.limit.reason(), "hung")
                yield Answer(row, failure, worker.busy_s, worker.name, tries[row])
            elif row is not None and not worker.told:
                self._tell_if_slow(worker, X[row])
        if any(worker.ready for worker in self.workers.values()):
            self._starting_s = 0.0
        else:
            self._starting_s += seconds
        if self._starting_s > MAX_START_S:
            raise RunError(f"no worker was ready after {MAX_START_S:g} s; {self._start_advice()}")

    def _tell_if_slow(self, worker: W, x: IntArray) -> None:
        longest_s = self.limit.longest_s
        worker.told = worker.busy_s > self.attention.seconds(longest_s)
        if worker.told:
            network = tuple(int(v) for v in x)
            self.on_slow(Slow(worker.name, network, worker.busy_s, longest_s, self.limit.seconds))

    def _dismiss(self, worker: W) -> None:
        """Forget a worker and end it, whatever it does."""
        if self.workers.get(worker.slot) is worker:
            del self.workers[worker.slot]
        self._end(worker)

    # What a kind of workers adds.

    def _open(self) -> None:
        """Make what the workers run on; called before each batch."""
        return None

    @abstractmethod
    def _hire(self, slot: int) -> W:
        """Start a worker; its first event says that it is ready. Returns at once."""

    @abstractmethod
    def _ask(self, worker: W, x: list[int]) -> None:
        """Have a worker evaluate a network. Returns at once; its next event is the reply."""

    @abstractmethod
    def _next(self, timeout_s: float) -> Event[W] | None:
        """Return what some worker told; None where none did in time. Earlier workers may tell too."""

    @abstractmethod
    def _end(self, worker: W) -> None:
        """End a worker now; it may have ended already."""

    @abstractmethod
    def _start_advice(self) -> str:
        """Return what to look at where no worker gets ready."""

"""What `edgewright search` shows while it runs: a live view on a terminal, lines under ``--json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.markup import escape
from rich.text import Text

from edgewright.cli.console import Console
from edgewright.evaluation import Slow
from edgewright.pipeline.watch import SearchState, SearchWatcher, TaskWatcher
from edgewright.search.budget import ERRORS, format_cost
from edgewright.search.config import IterationReport
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import ConsoleOptions, RenderResult

MARGIN = 11  # cells left of the plot, for its labels
ROWS = (5, 14)  # of the plot, where the terminal has room
BESIDE = 11  # lines of the view that are not the plot, and those below it that a shell needs


class Signs(NamedTuple):
    """Characters that a terminal can show."""

    full: str
    empty: str
    front: str
    fresh: str
    other: str
    side: str
    corner: str
    foot: str
    levels: str


DRAWN = Signs("━", "╌", "●", "+", "·", "│", "└", "─", "▁▂▃▄▅▆▇█")
ASCII = Signs("#", "-", "O", "+", ".", "|", "+", "-", "_.-=^")


def watcher(console: Console) -> SearchWatcher:
    """Return who watches a search for a command: a view, JSON lines, or nobody."""
    if console.as_json:
        return JsonLines(console)
    return LiveView(console) if console.has_view else TaskWatcher(console)


class JsonLines:
    """Prints one line of JSON an iteration.

    Args:
        console: of a command that was given ``--json``.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def watching(self, state: SearchState) -> Iterator[None]:
        """Print nothing yet."""
        yield

    def evaluated(self, state: SearchState) -> None:
        """Print nothing: the archive has each evaluation."""

    def iterated(self, report: IterationReport) -> None:
        """Print the report."""
        self._console.event("iteration", report.to_json())

    def slow(self, slow: Slow) -> None:
        """Print a line of JSON, and a warning for whoever reads stderr."""
        self._console.event("slow", slow.to_json())
        self._console.warn(slow.text())


class LiveView:
    """Shows front, hypervolume, surrogate and what is left, drawn anew twice a second.

    Args:
        console: of a command whose stderr is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def watching(self, state: SearchState) -> Iterator[None]:
        """Show the view while the block runs; leave one line that says how far it came."""
        try:
            with self._console.view(Frame(state)):
                yield
        finally:
            self._console.say(outcome(state))

    def evaluated(self, state: SearchState) -> None:
        """Do nothing: the view reads the state when it is drawn."""

    def iterated(self, report: IterationReport) -> None:
        """Do nothing, likewise."""

    def slow(self, slow: Slow) -> None:
        """Tell it in a line that stays above the view."""
        self._console.say(slow.text())


class Frame:
    """One picture of a search, as wide and as high as the terminal is when it is drawn.

    Args:
        state: what is shown.
    """

    def __init__(self, state: SearchState) -> None:
        self._state = state

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, none of them wider than the terminal."""
        signs = ASCII if options.ascii_only else DRAWN
        # One column stays free: some terminals wrap a line that fills the last one.
        for line in lines(self._state, options.max_width - 1, _rows(console.height), signs):
            text = Text.from_markup(line, end="\n")
            text.truncate(options.max_width - 1, overflow="crop")
            yield text


def _rows(height: int) -> int:
    """Return the lines that the plot may take; none where they would be too few."""
    room = min(ROWS[1], height - BESIDE)
    return room if room >= ROWS[0] else 0


def lines(state: SearchState, width: int, n_rows: int, signs: Signs = DRAWN) -> list[str]:
    """Return the view's lines, with rich's markup.

    Args:
        state: what is shown.
        width: cells that a line may take.
        n_rows: of the plot; none leaves it out.
        signs: that the terminal can show.
    """
    left = "" if state.left_s is None else f", about {clock(state.left_s)} left"
    failed = f"[bold red]{state.n_failures} failed[/]" if state.n_failures else "0 failed"
    rate = "" if state.rate is None else f", {_rate(state.rate)}"
    found = [
        f"{_bar(state.n_done, state.total, min(40, max(8, width - 40)), signs)} "
        f"[bold]{state.n_done}[/] of {state.total} evaluated",
        f"{state.n_left} left, {failed}{rate}, {clock(state.elapsed_s)} so far{left}",
        _hypervolume(state, signs),
        *_coverage(state),
        _surrogate(state),
    ]
    F, iterations = state.points()
    if n_rows and len(F) and F.shape[1] > 1:
        found += ["", *plot(F, iterations, state.names, width, n_rows, signs)]
    return found


def outcome(state: SearchState) -> str:
    """Return how far a search came, in one line."""
    volume = f", hypervolume {state.hypervolumes[-1]:.4f}" if state.hypervolumes else ""
    failed = f", {state.n_failures} failed" if state.n_failures else ""
    total = f" of {state.total}" if state.n_left else ""
    return f"{state.n_done}{total} networks evaluated in {clock(state.elapsed_s)}{volume}{failed}"


def clock(seconds: float) -> str:
    """Return a duration as ``0:42``, ``12:03`` or ``3:04:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _rate(per_second: float) -> str:
    return f"{per_second:.1f} a second" if per_second >= 1 else f"{per_second * 60:.1f} a minute"


def _bar(done: int, total: int, width: int, signs: Signs) -> str:
    full = width * done // max(1, total)
    return f"[green]{signs.full * full}[/][dim]{signs.empty * (width - full)}[/]"


def _hypervolume(state: SearchState, signs: Signs) -> str:
    volumes = state.hypervolumes
    if not volumes:
        return "hypervolume  after the initial design"
    step = f"  {volumes[-1] - volumes[-2]:+.4f} in the last iteration" if len(volumes) > 1 else ""
    return f"hypervolume  [bold]{volumes[-1]:.4f}[/]  [cyan]{_spark(volumes[-24:], signs)}[/]{step}"


def _coverage(state: SearchState) -> list[str]:
    """Return a line on how far the front reaches; none for reports of before."""
    found = (state.last or {}).get("coverage")
    if not found:
        return []
    told = [] if found["previous"] is None else [f"{found['previous']:.0%} of the last front overtaken"]
    reached = [f"{share:.0%} of {name}" for name, share in found["costs"].items()]
    if reached:
        told.append(f"reaches {', '.join(reached)}")
    return [f"coverage     {escape('; '.join(told))}"] if told else []


def _spark(values: Sequence[float], signs: Signs) -> str:
    low, high = min(values), max(values)
    top = len(signs.levels) - 1
    return "".join(signs.levels[round((v - low) / (high - low) * top) if high > low else 0] for v in values)


def _surrogate(state: SearchState) -> str:
    last = state.last
    if last is None or last.get("surrogate") is None:
        return "surrogate    none yet" if last is None or last["iteration"] == 0 else "surrogate    none"
    recent, newest = last.get("recent") or last, ""
    # Of several evaluated objectives each has a surrogate of its own.
    fidelity = {name: found["tau"] for name, found in last.get("fidelity", {}).items()}
    if len(fidelity) > 1:
        told = [f"tau {fidelity[n]:.2f} of {n}" for n in state.names if fidelity.get(n) is not None]
    else:
        told = [
            f"{name} {recent[key]:.{digits}f}"
            for name, key, digits in (("tau", "tau", 2), ("Spearman", "spearman", 2), ("RMSE", "rmse", 4))
            if recent.get(key) is not None
        ]
        newest = f" {recent['n']}" if "n" in recent else ""
    fresh = f"  {', '.join(told)} on the newest{newest}" if told else ""
    return f"surrogate    {escape(str(last['surrogate']))}{fresh}"


def plot(
    F: FloatArray,
    iterations: Sequence[int],
    names: Sequence[str],
    width: int,
    n_rows: int,
    signs: Signs = DRAWN,
) -> list[str]:
    """Return a scatter plot of the first cost and the accuracy, in characters with rich's markup.

    What else is evaluated lies across only where there is no cost.

    Args:
        F: objectives of the networks, ``(n, n_obj)``, ``n_obj`` at least 2.
        iterations: of each network.
        names: of the objectives.
        width: cells that a line may take.
        n_rows: lines of the plot without its foot.
        signs: that the terminal can show.
    """
    columns = max(8, width - MARGIN)
    front = set(front_indices(F).tolist())
    newest = max(iterations)
    cost = next((i for i, name in enumerate(names) if name not in ERRORS), 1)
    across, down = _cells(F[:, cost], columns), _cells(F[:, 0], n_rows)
    kinds = [2 if i in front else int(it == newest and newest > 0) for i, it in enumerate(iterations)]
    grid: dict[tuple[int, int], int] = {}
    for place, kind in zip(zip(down, across, strict=True), kinds, strict=True):
        grid[place] = max(kind, grid.get(place, 0))
    styles = (("dim", signs.other), ("yellow", signs.fresh), ("bold green", signs.front))
    labels = {row: _value(names[0], F[:, 0], row / max(1, n_rows - 1)) for row in (0, n_rows - 1)}
    found = []
    for row in range(n_rows):
        kinds_here = groupby(grid.get((row, c)) for c in range(columns))
        cells = "".join(_run(styles, kind, len(list(run))) for kind, run in kinds_here)
        found.append(f"{labels.get(row, ''):>{MARGIN - 2}} {signs.side}{cells}")
    ends = [_value(names[cost], F[:, cost], share) for share in (0.0, 1.0)]
    legend = f"{len(front)} on the front of {', '.join(names)}", "newest", f"{len(F)} in all"
    if MARGIN + sum(map(len, legend)) + 12 > width:  # signs and spaces
        legend = f"{len(front)} on the front", *legend[1:]
    gap = " " * max(1, columns - len(ends[0]) - len(ends[1]) - len(names[cost]) - 2)
    return [
        *found,
        f"{'':>{MARGIN - 2}} {signs.corner}{signs.foot * columns}",
        f"{'':>{MARGIN}}{ends[0]}{gap}{escape(names[cost])}  {ends[1]}",
        f"{'':>{MARGIN}}[bold green]{signs.front}[/] {escape(legend[0])}   "
        f"[yellow]{signs.fresh}[/] {legend[1]}   [dim]{signs.other}[/] {legend[2]}",
    ]


def _run(styles: Sequence[tuple[str, str]], kind: int | None, n: int) -> str:
    """Return ``n`` cells of one kind; None is an empty cell."""
    if kind is None:
        return " " * n
    style, sign = styles[kind]
    return f"[{style}]{sign * n}[/]"


def _cells(values: FloatArray, n: int) -> list[int]:
    """Return which of ``n`` cells each value falls into, the least into the first."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return [0] * len(values)
    found: list[int] = np.rint((values - low) / (high - low) * (n - 1)).astype(int).tolist()
    return found


def _value(name: str, values: FloatArray, share: float) -> str:
    value = float(values.min() + share * (values.max() - values.min()))
    if not math.isfinite(value):
        return "?"
    return f"{1 - value:.1%}" if name == "error" else format_cost(name, value)

"""When to say that an evaluation takes long: well before it counts as hung.

The usual time limit waits for a day until enough is known (:mod:`edgewright.evaluation.limit`). Whoever
watches can tell earlier whether a network hangs, if only they hear of it.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """How long an evaluation may take before somebody hears of it.

    Attributes:
        factor: times the longest evaluation so far.
        floor_s: at least.
        first_s: until one came to an end.
    """

    factor: float = 5.0
    floor_s: float = 60.0
    first_s: float = 600.0

    def seconds(self, longest_s: float | None) -> float:
        """Return it, given the longest evaluation so far; None where there is none."""
        return self.first_s if longest_s is None else max(self.floor_s, self.factor * longest_s)


USUAL_ATTENTION = Attention()


@dataclass(frozen=True, slots=True)
class Slow:
    """An evaluation that takes far longer than the others did, and is not given up yet.

    Attributes:
        worker: at work on it.
        x: the network, ``(n_var,)``.
        seconds: so far.
        longest_s: that another took; None where none came to an end.
        limit_s: after which it is given up; infinite where it never is.
    """

    worker: str
    x: tuple[int, ...]
    seconds: float
    longest_s: float | None
    limit_s: float

    def text(self) -> str:
        """Return what is to be known and done, in a line."""
        others = "none is done yet" if self.longest_s is None else f"the longest took {self.longest_s:.3g} s"
        end = "never" if self.limit_s == float("inf") else f"after {_clear(self.limit_s)}"
        return (
            f"{self.worker} has been at one network for {_clear(self.seconds)}, where of the others "
            f"{others}; it is given up {end}. If it hangs, press Ctrl-C and give the same command again with "
            "--time-limit SECONDS (in Python: time_limit_s)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "x": list(self.x)}


def log(slow: Slow) -> None:
    """Tell by :mod:`logging`, which prints it on stderr where nobody has set up another way."""
    logging.getLogger("edgewright.evaluation").warning(slow.text())


def _clear(seconds: float) -> str:
    """Return a duration in the unit in which it is short."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

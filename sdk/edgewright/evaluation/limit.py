"""How long an evaluation may take before it counts as hung.

A network that is set aside changes what is found, so the limit that nobody chose is one that no
evaluation reaches by being slow: many times the longest so far, and a day until enough are known, since
the first to end are the quickest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgewright.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What the usual limit is made of.

    Attributes:
        factor: times the longest evaluation so far. A space's networks differ tenfold in time, and a busy
            machine slows one down as much.
        floor_s: at least.
        n_first: evaluations before which the longest says too little.
        first_s: until then.
    """

    factor: float = 100.0
    floor_s: float = 900.0
    n_first: int = 8
    first_s: float = 86400.0


USUAL = Patience()


def require_time_limit(seconds: float | None) -> None:
    """Raise ``UsageError`` for a time limit that cannot be; ``None`` is the usual one, 0 is none."""
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(
            f"a time limit is a number of seconds, 0 for none, got {seconds:g}; give --time-limit 600"
        )


class TimeLimit:
    """The limit of one search's evaluations.

    Args:
        given_s: what the user chose: seconds, 0 for none; ``None`` is the usual one.
        patience: what the usual one is made of.

    Raises:
        UsageError: no such limit.
    """

    def __init__(self, given_s: float | None = None, patience: Patience = USUAL) -> None:
        require_time_limit(given_s)
        self.given_s = given_s
        self.patience = patience
        self._n = 0
        self._longest_s = 0.0

    def learn(self, seconds: float) -> None:
        """Take note of how long an evaluation took that came to an end."""
        self._n += 1
        self._longest_s = max(self._longest_s, seconds)

    @property
    def longest_s(self) -> float | None:
        """Of those that came to an end; None before the first."""
        return self._longest_s if self._n else None

    @property
    def seconds(self) -> float:
        """What an evaluation may take now; infinite where there is no limit."""
        if self.given_s is not None:
            return self.given_s or math.inf
        usual = max(self.patience.floor_s, self.patience.factor * self._longest_s)
        return usual if self._n >= self.patience.n_first else max(usual, self.patience.first_s)

    def reason(self) -> str:
        """Return why an evaluation that reached the limit was given up."""
        if self.given_s is not None:
            return f"no result within the time limit of {self.given_s:g} s"
        others = f", where the longest of {self._n} others took {self._longest_s:.3g} s" if self._n else ""
        return (
            f"no result within {self.seconds:.0f} s{others}; if it is only slow, search under another --name "
            "with a longer --time-limit in seconds, or 0 for none"
        )

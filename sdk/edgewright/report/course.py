"""The course of a search, as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervolumePoint:
    """The state of the search after an iteration.

    Attributes:
        evaluations: so far.
        hypervolume: against the run's fixed reference point.
        tau: Kendall's rank correlation of the surrogate on the points it had not seen.
        spearman: likewise, Spearman's.
        rmse: of the same predictions, in the unit of the first objective.
        surrogate: which models chose the iteration's networks; empty where none did.
        n_front: networks on the front.
        overtaken: share of the front before the iteration that was dominated by it.
        reached: share of the range of each cost in which the front has a network, by objective.
        n_failures: evaluations that failed, so far.
        seconds: that the iteration took, evaluations included.
    """

    evaluations: int
    hypervolume: float | None
    tau: float | None = None
    spearman: float | None = None
    rmse: float | None = None
    surrogate: str = ""
    n_front: int | None = None
    overtaken: float | None = None
    reached: Mapping[str, float] = field(default_factory=dict)
    n_failures: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCurve:
    """Hypervolume over evaluations, against the reference point of the report's own search.

    Attributes:
        name: of the search within the run.
        evaluations: in ascending order.
        hypervolumes: after each of them, in ``[0, 1]``.
        own: whether it is the search that the report is about.
    """

    name: str
    evaluations: tuple[int, ...]
    hypervolumes: tuple[float, ...]
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvaluation:
    """A network that could not be evaluated, and is kept out of the front.

    Attributes:
        id: of the network.
        iteration: of the search.
        reason: one line.
    """

    id: str
    iteration: int
    reason: str

"""What a search is told, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgewright.errors import UsageError
from edgewright.search.archive import Evaluation
from edgewright.spaces.architecture import FloatArray, IntArray

#: An exact cost of many networks at once: ``(n, n_var)`` to ``(n,)``.
Cost = Callable[[IntArray], FloatArray]

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Failure:
    """An evaluation that did not succeed; what an evaluator may return in place of an error.

    Attributes:
        reason: one line.
    """

    reason: str


#: Evaluates ``(k, n_var)`` encodings in order: one validation error, or failure, for each row.
#: Yielding them one by one lets the search save each as it comes.
Evaluator = Callable[[IntArray], Iterable[float | Failure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How a search goes.

    Attributes:
        evaluations: true evaluations in all, failures included.
        n_initial: of them in the initial design.
        n_infill: evaluated in each iteration after it.
        seed: the run's only source of randomness.
        surrogate: a name of :data:`edgewright.search.surrogate.SURROGATES`; ``auto`` joins, in
            every iteration, those that rank unseen networks well.
        population: of the inner NSGA-II.
        generations: of the inner NSGA-II.
        max_failures: evaluations that may fail in a row before the search gives up.
    """

    evaluations: int = 200
    n_initial: int = 32
    n_infill: int = 8
    seed: int = 0
    surrogate: str = "auto"
    population: int = 100
    generations: int = 30
    max_failures: int = 10

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be at least {least}, got {getattr(self, name)}"
            for name, least in (
                ("evaluations", 1),
                ("n_initial", 1),
                ("n_infill", 1),
                ("population", 4),
                ("generations", 1),
                ("max_failures", 1),
            )
            if getattr(self, name) < least
        ]
        if not 0 <= self.seed <= MAX_SEED:
            faults.append(f"seed must be within 0 and {MAX_SEED}, got {self.seed}")
        if faults:
            raise UsageError("; ".join(faults))


@dataclass(frozen=True, slots=True)
class Problem:
    """What is minimised and what is limited, apart from the error.

    Attributes:
        objectives: exact costs that are minimised beside the error; may be empty.
        limits: budgets, an upper limit on each named cost.
        constraints: exact costs that are only limited.
        bounds: what a limit is held against where that is not the cost itself, but, say, a latency
            and two standard deviations.
    """

    objectives: Mapping[str, Cost]
    limits: Mapping[str, float]
    constraints: Mapping[str, Cost]
    bounds: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def limited(self) -> dict[str, Cost]:
        """What each limit is held against."""
        costs = {**self.objectives, **self.constraints, **self.bounds}
        return {name: costs[name] for name in self.limits}

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives in the order of an evaluation: ``error`` first."""
        return ("error", *self.objectives)

    def costs(self, X: IntArray) -> FloatArray:
        """Return the minimised costs of ``X`` ``(n, n_var)``, ``(n, n_obj - 1)``."""
        return _columns(self.objectives, X)

    def constrained(self, X: IntArray) -> FloatArray:
        """Return the costs that are only limited, ``(n, n_constraints)``."""
        return _columns(self.constraints, X)

    def excess(self, X: IntArray) -> FloatArray:
        """Return each budget's cost over its limit less 1, ``(n, n_budgets)``; feasible is <= 0."""
        columns = [cost(X) / self.limits[name] - 1.0 for name, cost in self.limited.items()]
        return np.column_stack(columns) if columns else np.zeros((len(X), 0))

    def violation(self, X: IntArray) -> FloatArray:
        """Return the worst relative excess over a budget, ``(n,)``; 0 or less is feasible."""
        excess = self.excess(X)
        return excess.max(axis=1) if excess.shape[1] else np.full(len(X), -1.0)


def _columns(costs: Mapping[str, Cost], X: IntArray) -> FloatArray:
    if not costs:
        return np.zeros((len(X), 0))
    return np.column_stack([np.asarray(cost(X), dtype=np.float64) for cost in costs.values()])


@dataclass(frozen=True, slots=True)
class IterationReport:
    """What one iteration did. Correlations are None where they are undefined.

    Attributes:
        iteration: 0 for the initial design.
        n_evaluations: in the archive after it, failures included.
        evaluations_left: until the search is done.
        n_failures: in the archive.
        n_front: networks on the Pareto front.
        hypervolume: normalised, in ``[0, 1]``, against a reference point fixed by the initial
            design.
        surrogate: the model that chose the infill; None in iteration 0.
        tau: Kendall's, of predicted against true error on this iteration's fresh networks.
        spearman: likewise.
        rmse: likewise, in the unit of the error.
        out_of_fold_tau: of the chosen surrogate over the archive before this iteration.
        search_seconds: the search's own time.
        evaluate_seconds: time of the evaluations.
        predicted: error that the surrogate predicted, by position in the iteration; None for a network
            that no surrogate chose. The archive's rows of the iteration have the true ones.
    """

    iteration: int
    n_evaluations: int
    evaluations_left: int
    n_failures: int
    n_front: int
    hypervolume: float
    surrogate: str | None
    tau: float | None
    spearman: float | None
    rmse: float | None
    out_of_fold_tau: float | None
    search_seconds: float
    evaluate_seconds: float
    predicted: tuple[float | None, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A finished search.

    Attributes:
        names: of the objectives, ``error`` first.
        front: the Pareto front, ascending in error.
        n_evaluations: in the archive, failures included.
        n_failures: of them.
        exhausted: whether it ended because every feasible network is evaluated.
        hypervolume: of the front, normalised.
        reports: of the iterations that this call ran to their end.
    """

    names: tuple[str, ...]
    front: tuple[Evaluation, ...]
    n_evaluations: int
    n_failures: int
    exhausted: bool
    hypervolume: float
    reports: tuple[IterationReport, ...]

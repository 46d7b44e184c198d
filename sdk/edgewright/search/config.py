"""What a search is told, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from edgewright.errors import SDKError, UsageError
from edgewright.search.archive import Evaluation
from edgewright.spaces.architecture import FloatArray, IntArray

#: An exact cost of many networks at once: ``(n, n_var)`` to ``(n,)``.
Cost = Callable[[IntArray], FloatArray]

MAX_SEED = 2**32 - 1


#: Networks over which reports tell how well surrogates predict.
N_RECENT = 32

#: Why an evaluation failed: the evaluator raised or said so itself, gave no finite number or one below 0,
#: was still at work at its time limit, or lost its worker.
FailureKind = Literal["raised", "not finite", "negative", "hung", "lost"]


@dataclass(frozen=True, slots=True)
class Failure:
    """An evaluation that did not succeed; what an evaluator may return in place of an error.

    Attributes:
        reason: one line.
        kind: of failure.
    """

    reason: str
    kind: FailureKind = "raised"


#: What an evaluation found: a number where there is one evaluated objective, else numbers by name.
Outcome = float | Mapping[str, float] | Failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What one evaluation found and took; from an evaluator that works on several at once.

    Attributes:
        row: of the encodings that the evaluator was given, from 0.
        outcome: what it found.
        seconds: it took, wall clock.
        worker: who did it.
        attempts: how often it was begun.
    """

    row: int
    outcome: Outcome
    seconds: float
    worker: str = ""
    attempts: int = 1


#: Evaluates ``(k, n_var)`` encodings: one outcome for each row in order, or answers in any order.
#: Yielding them one by one lets the search save each as it comes.
Evaluator = Callable[[IntArray], Iterable[Outcome | Answer]]
#: What a cost of a network ``(n_var,)`` is made of: label and value of each part.
Parts = Callable[[IntArray], Sequence[tuple[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How a search goes.

    Attributes:
        evaluations: true evaluations in all, failures and pre-screening included.
        n_initial: of them in the initial design.
        n_infill: evaluated in each iteration after it. More keep more workers busy, and cost evaluations
            (``docs/adr/0010-*.md``).
        seed: the run's only source of randomness.
        method: a name of :data:`edgewright.search.methods.METHODS`: ``surrogate``, or a baseline.
        design: a name of :data:`edgewright.search.design.DESIGNS`; ``auto`` is ``balanced`` for a
            search by surrogate and ``random`` for a baseline.
        pre_screening: how many times as many networks the initial design evaluates, of which the
            best ``n_initial`` are kept (NATv2, arXiv:2307.00960); 1 keeps all.
        surrogate: a name of :data:`edgewright.search.surrogate.SURROGATES`; ``auto`` takes, in
            every iteration, the one that ranks unseen networks best.
        archive_policy: a name of :data:`edgewright.search.survival.ARCHIVES`.
        archive_size: networks that a constant archive keeps.
        inner: of :data:`edgewright.search.inner.INNER_SEARCHES`; ``auto`` is ``evolution`` up to two
            objectives, ``nsga2`` for three and ``nsga3`` above.
        infill: a name of :data:`edgewright.search.infill.INFILLS`.
        population: of the inner search.
        generations: of the inner search.
        max_failures: evaluations that may fail in a row before the search gives up.
    """

    evaluations: int = 200
    n_initial: int = 16
    n_infill: int = 2
    seed: int = 0
    method: str = "surrogate"
    design: str = "auto"
    pre_screening: int = 1
    surrogate: str = "auto"
    archive_policy: str = "growing"
    archive_size: int = 100
    inner: str = "auto"
    infill: str = "expected"
    population: int = 100
    generations: int = 30
    max_failures: int = 10

    def __post_init__(self) -> None:
        faults = [
            f"{one.name} must be a whole number, got {getattr(self, one.name)!r}"
            for one in fields(self)
            if one.type == "int" and not isinstance(getattr(self, one.name), int | np.integer)
        ]
        if faults:
            raise UsageError("; ".join(faults))
        for one in fields(self):
            if one.type == "int":  # of numpy's too, which archives could not tell in JSON
                object.__setattr__(self, one.name, int(getattr(self, one.name)))
        faults = [
            f"{name} must be at least {least}, got {getattr(self, name)}"
            for name, least in (
                ("evaluations", 1),
                ("n_initial", 1),
                ("n_infill", 1),
                ("pre_screening", 1),
                ("archive_size", 4),
                ("population", 4),
                ("generations", 1),
                ("max_failures", 1),
            )
            if getattr(self, name) < least
        ]
        if not 0 <= self.seed <= MAX_SEED:
            faults.append(f"seed must be within 0 and {MAX_SEED}, got {self.seed}")
        if self.pre_screening > 1 and self.n_initial * self.pre_screening >= self.evaluations:
            faults.append(
                f"pre-screening evaluates {self.pre_screening} times {self.n_initial} networks before the "
                f"search begins, but evaluations are {self.evaluations}; raise these or lower that"
            )
        if faults:
            raise UsageError("; ".join(faults))


def by_name(what: str, given: object) -> dict[str, Any]:
    """Return what a caller gave by name, limits of numpy as plain numbers. Raises ``UsageError``."""
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} are given by name, as a dictionary, got {given!r:.100}")
    if wrong := [name for name in given if not isinstance(name, str)]:
        raise UsageError(f"{what} are named by a text, got {wrong[0]!r}")
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}


def _columns(costs: Mapping[str, Cost], X: IntArray) -> FloatArray:
    if not costs:
        return np.zeros((len(X), 0))
    return np.column_stack([_valid(name, cost, X) for name, cost in costs.items()])


def _valid(name: str, cost: Cost, X: IntArray) -> FloatArray:
    """Return the values of a cost. Raises ``UsageError`` unless they are finite, at least 0, one a row."""
    try:
        found = np.asarray(cost(X), dtype=np.float64)
    except SDKError:
        raise
    except Exception as error:  # a cost may be anyone's own code
        raise UsageError(
            f"the cost {name!r} of {len(X)} networks raised {type(error).__name__}: {error}; expected "
            f"numbers ({len(X)},)"
        ) from error
    if found.shape != (len(X),):
        raise UsageError(
            f"the cost {name!r} of {len(X)} networks has shape {found.shape}, expected ({len(X)},)"
        )
    wrong = np.flatnonzero(~((found >= 0) & np.isfinite(found)))
    if len(wrong):
        raise UsageError(
            f"the cost {name!r} of network {X[wrong[0]].tolist()} is {found[wrong[0]]:g}, "
            "expected a finite number of at least 0"
        )
    return found


@dataclass(frozen=True, slots=True)
class Problem:
    """What is minimised and what is limited.

    Attributes:
        objectives: exact costs that are minimised beside what is evaluated; may be empty.
        limits: budgets, an upper limit on each named cost.
        constraints: exact costs that are only limited.
        bounds: what a limit is held against where that is not the cost itself, but, say, a latency
            and two standard deviations.
        evaluated: objectives that only an evaluation tells, each learned by a surrogate of its own.
        parts: what limited costs are made of, so that an infeasible budget's answer can name what
            stands in the way; as far as that is known.
        units: of costs that are not named as the command line names them, for messages; ``""`` where
            one has none. Any other name is taken for a device's, in ms.
    """

    objectives: Mapping[str, Cost]
    limits: Mapping[str, float]
    constraints: Mapping[str, Cost]
    bounds: Mapping[str, Cost] = field(default_factory=dict)
    evaluated: tuple[str, ...] = ("error",)
    parts: Mapping[str, Parts] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def limited(self) -> dict[str, Cost]:
        """What each limit is held against."""
        costs = {**self.objectives, **self.constraints, **self.bounds}
        return {name: costs[name] for name in self.limits}

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives in the order of an evaluation: what is evaluated first."""
        return (*self.evaluated, *self.objectives)

    def costs(self, X: IntArray) -> FloatArray:
        """Return the minimised costs of ``X`` ``(n, n_var)``, ``(n, n_costs)``."""
        return _columns(self.objectives, X)

    def constrained(self, X: IntArray) -> FloatArray:
        """Return the costs that are only limited, ``(n, n_constraints)``."""
        return _columns(self.constraints, X)

    def excess(self, X: IntArray) -> FloatArray:
        """Return each budget's cost over its limit less 1, ``(n, n_budgets)``; feasible is <= 0."""
        columns = [_valid(name, cost, X) / self.limits[name] - 1.0 for name, cost in self.limited.items()]
        return np.column_stack(columns) if columns else np.zeros((len(X), 0))

    def violation(self, X: IntArray) -> FloatArray:
        """Return the worst relative excess over a budget, ``(n,)``; 0 or less is feasible."""
        excess = self.excess(X)
        return excess.max(axis=1) if excess.shape[1] else np.full(len(X), -1.0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a front reaches (:mod:`edgewright.search.coverage`).

    Attributes:
        previous: share of the front before the iteration that is dominated now; 0 where the front stands
            still. None where there was none.
        initial: likewise of the initial design's front.
        costs: by name, the share of equal parts of the range of feasible costs in which the front has a
            network. Those above the network of least error stay empty.
    """

    previous: float | None
    initial: float | None
    costs: Mapping[str, float]


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
        surrogate: the model that chose the infill; None where none did, as in iteration 0.
        tau: Kendall's, of predicted against true values of the first evaluated objective, the error,
            on this iteration's fresh networks.
        spearman: likewise.
        rmse: likewise, in the objective's unit.
        fidelity: the same three of every evaluated objective, by name.
        out_of_fold_tau: of the chosen surrogate over the archive before this iteration.
        search_seconds: the search's own time.
        evaluate_seconds: time of the evaluations.
        predicted: error that the surrogate predicted, by position in the iteration; None for a network
            that no surrogate chose. The archive's rows of the iteration have the true ones.
        recent: ``n``, and ``tau``, ``spearman`` and ``rmse`` as above of the last up to
            :data:`N_RECENT` networks, each as it was predicted before it was evaluated: an iteration's own
            few say little. None before there is one.
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
    fidelity: dict[str, dict[str, float | None]]
    out_of_fold_tau: float | None
    search_seconds: float
    evaluate_seconds: float
    predicted: tuple[float | None, ...] = ()
    recent: dict[str, float | None] | None = None
    coverage: Coverage | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A finished search.

    Attributes:
        names: of the objectives, what is evaluated first.
        front: the Pareto front, ascending in the first objective.
        n_evaluations: in the archive, failures included.
        n_failures: of them.
        exhausted: whether it ended because every feasible network is evaluated or, in a space that cannot
            be listed, because none was found that is not.
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

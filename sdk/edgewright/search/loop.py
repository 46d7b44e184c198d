"""The search: initial design, then surrogate, infill and true evaluation until the budget is spent.

1. Refuse budgets that no network meets, and an archive made with other inputs.
2. Iteration 0 evaluates the initial design (:mod:`edgewright.search.design`).
3. Each later iteration lets the method propose networks and evaluates them for real. Ours fits
   surrogates to the archive, searches them and chooses the infill (:mod:`edgewright.search.step`);
   baselines propose without (:mod:`edgewright.search.baselines`).

Ours is MSuNAS (arXiv:2007.10396, algorithm 1) with exact costs in place of learned ones. What an
iteration proposes depends on the archive before it and on ``[seed, iteration]`` alone, so a search
that was killed proposes the same again and evaluates only what is missing.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np

from edgewright.errors import RunError, UsageError
from edgewright.files import digest_of
from edgewright.search.archive import Archive, Evaluation
from edgewright.search.archive_format import ELSEWHERE
from edgewright.search.config import (
    N_RECENT,
    Cost,
    Evaluator,
    Failure,
    IterationReport,
    Parts,
    Problem,
    SearchConfig,
    SearchResult,
    by_name,
)
from edgewright.search.coverage import cost_ranges, coverage
from edgewright.search.feasible import FeasibleSet, require_feasible
from edgewright.search.hypervolume import normalised_hypervolume, reference_point
from edgewright.search.methods import design_of, method_of, require_parts
from edgewright.search.outcome import answers
from edgewright.search.pareto import front_indices
from edgewright.search.proposal import Proposal, filled, unpredicted
from edgewright.search.surrogate import Fidelity, fidelity
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace
from edgewright.spaces.contract import require_members

Clock = Callable[[], float]


def run_search(
    space: SearchSpace,
    *,
    evaluate: Evaluator,
    objectives: Mapping[str, Cost],
    budgets: Mapping[str, float],
    archive: Archive,
    config: SearchConfig,
    constraints: Mapping[str, Cost] | None = None,
    bounds: Mapping[str, Cost] | None = None,
    evaluated: Sequence[str] = ("error",),
    parts: Mapping[str, Parts] | None = None,
    units: Mapping[str, str] | None = None,
    on_start: Callable[[], None] | None = None,
    on_iteration: Callable[[IterationReport], None] | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    clock: Clock = time.perf_counter,
) -> SearchResult:
    """Search ``space`` for networks of least error and cost, and return their front.

    Args:
        space: what is searched.
        evaluate: true validation error of encodings ``(k, n_var)``, in order, or an
            :class:`~edgewright.search.config.Answer` for each in any order; numbers by name where
            several objectives are ``evaluated``. A value that is not finite or is below 0, a
            :class:`Failure` and an exception that is not an ``SDKError`` quarantine the network; they are
            never scored.
        objectives: exact costs minimised beside what is evaluated, by name; each maps ``(n, n_var)`` to
            ``(n,)``, at least 0.
        budgets: upper limits by name of an objective or constraint, in its unit. Only networks
            within all of them are evaluated.
        archive: grows by each evaluation; the same archive continues where it was left.
        config: how the search goes. ``evaluations`` may be raised when continuing.
        constraints: exact costs that are limited by ``budgets`` but not minimised.
        bounds: what a budget is held against where that is not the cost of its name.
        evaluated: names of the objectives that ``evaluate`` returns, each learned by a surrogate of its
            own; the first leads, in the order of the front and in what iterations report.
        parts: what a limited cost is made of, by name; named where a budget is infeasible.
        units: of costs that you name yourself, for messages, ``""`` where one has none; a name that is
            none of the command line's is else taken for a device's, in ms.
        on_start: called once, when nothing stands in the way of the first evaluation.
        on_iteration: called after each iteration.
        on_evaluation: called after each evaluation is saved.
        clock: seconds.

    Raises:
        UsageError: names of objectives, constraints and budgets do not fit each other, a cost is none, or
            ``evaluate`` cannot be called or returns no values for several networks.
        SpaceError: ``space`` lacks what every space has.
        InfeasibleBudgetError: no network meets the budgets; the nearest feasible value is named.
        RunError: the archive was made with other inputs, or every evaluation fails.
        StorageError: the archive cannot be written.
    """
    require_parts(config)
    require_members(space)
    problem = Problem(
        by_name("objectives", objectives),
        by_name("budgets", budgets),
        by_name("constraints", constraints or {}),
        by_name("bounds", bounds or {}),
        (evaluated,) if isinstance(evaluated, str) else tuple(evaluated),
        dict(parts or {}),
        dict(units or {}),
    )
    _require_consistent(problem)
    feasible = require_feasible(space, problem)
    archive.require(_to_compare(archive, _provenance(space, problem, config)))
    archive.require_rows(space.n_choices, len(problem.names))
    if on_start is not None:
        on_start()
    search = _Search(space, evaluate, problem, feasible, archive, config, on_evaluation or _ignore, clock)
    reports = list[IterationReport]()
    for report in search.iterations():
        reports.append(report)
        if on_iteration is not None:
            on_iteration(report)
    return search.result(tuple(reports))


def _ignore(_: Evaluation) -> None:
    """Do nothing."""


def _require_consistent(problem: Problem) -> None:
    """Raise ``UsageError`` with all faults of a problem's names and limits."""
    objectives, budgets, constraints = problem.objectives, problem.limits, problem.constraints
    evaluated, bounds = problem.evaluated, problem.bounds
    known = {*objectives, *constraints}
    if wrong := [name for name in evaluated if not isinstance(name, str)]:
        raise UsageError(f"what is evaluated is named by a text, got {wrong[0]!r}")
    faults = [f"{name!r} is reserved for the evaluator" for name in sorted({"error", *evaluated} & known)]
    faults += [] if evaluated else ["no objective is evaluated; name at least one"]
    faults += [
        f"{name!r} is evaluated twice" for name in sorted({n for n in evaluated if evaluated.count(n) > 1})
    ]
    faults += [
        f"{name!r} is both objective and constraint" for name in sorted({*objectives} & {*constraints})
    ]
    faults += [
        f"the budget {name!r} limits what only an evaluation tells; choose from the front under that limit"
        for name in sorted({*budgets} & {*evaluated})
    ]
    faults += [
        f"the budget {name!r} limits nothing that is computed"
        for name in sorted({*budgets} - known - {*evaluated})
    ]
    faults += [f"the bound {name!r} has no budget" for name in sorted({*bounds} - {*budgets})]
    faults += [f"the constraint {name!r} has no budget" for name in sorted({*constraints} - {*budgets})]
    faults += [
        f"the budget {name!r} must be a finite number above 0, got {limit!r}"
        for name, limit in budgets.items()
        if not (isinstance(limit, Real) and math.isfinite(limit) and limit > 0)
    ]
    if faults:
        raise UsageError(f"cannot search: {'; '.join(faults)}; known costs: {', '.join(sorted(known))}")


def _provenance(space: SearchSpace, problem: Problem, config: SearchConfig) -> dict[str, object]:
    """Return what an archive's evaluations depend on, so far as the search itself knows it.

    Costs are told apart by their values on fixed networks: a latency table that was measured again
    gives others, whatever its file is called.
    """
    X = space.sample(np.random.default_rng(0), 32)
    problem.costs(X), problem.constrained(X)  # refuses what is no cost before anything is evaluated
    costs = {**problem.objectives, **problem.constraints}
    costs |= {f"{name} against its budget": cost for name, cost in problem.bounds.items()}
    return {
        "space": space.name,
        "space_digest": space.digest,
        "objectives": list(problem.names),
        "constraints": list(problem.constraints),
        "budgets": dict(problem.limits),
        "costs": {name: digest_of([f"{v:.9g}" for v in cost(X)])[:16] for name, cost in costs.items()},
        "seed": config.seed,
        "n_initial": config.n_initial,
        "n_infill": config.n_infill,
        "surrogate": config.surrogate,
        "inner": [config.population, config.generations],
        **_parts(config),
    }


def _parts(config: SearchConfig) -> dict[str, object]:
    """Return the parts of a search, as far as they decide what it proposes."""
    return {
        "method": config.method,
        "parts": {
            "design": [config.design, config.pre_screening],
            "archive": [config.archive_policy, config.archive_size]
            if config.archive_policy == "constant"
            else [config.archive_policy],
            "inner": config.inner,
            "infill": config.infill,
        },
    }


def _to_compare(archive: Archive, wanted: dict[str, object]) -> dict[str, object]:
    """Return ``wanted`` without what an older archive does not record, where that is the usual."""
    if not len(archive):
        return wanted
    usual, meta = _parts(SearchConfig()), archive.meta
    return {key: value for key, value in wanted.items() if key in meta or usual.get(key) != value}


class _Search:
    """The state of one call of :func:`run_search`."""

    def __init__(
        self,
        space: SearchSpace,
        evaluate: Evaluator,
        problem: Problem,
        feasible: FeasibleSet,
        archive: Archive,
        config: SearchConfig,
        on_evaluation: Callable[[Evaluation], None],
        clock: Clock,
    ) -> None:
        self.space = space
        self.evaluate = evaluate
        self.problem = problem
        self.feasible = feasible
        self.archive = archive
        self.config = config
        self.on_evaluation = on_evaluation
        self.clock = clock
        self.exhausted = False
        self.ranges = cost_ranges(feasible)

    def iterations(self) -> Iterator[IterationReport]:
        """Run what is left, yielding each iteration's report."""
        iteration = sum(self.archive.reported().values())
        while len(self.archive) < self.config.evaluations or self._lacks_report(iteration):
            start = self.clock()
            earlier = tuple(row for row in self.archive.evaluations if row.iteration < iteration)
            proposal = self._propose(iteration, earlier)
            self.exhausted = len(proposal.X) == 0
            if self.exhausted:
                return
            proposed = self.clock()
            complete = self._evaluate_missing(iteration, proposal.X)
            finished = self.clock()
            report = self._report(iteration, proposal)
            report = replace(report, search_seconds=proposed - start, evaluate_seconds=finished - proposed)
            self.archive.add_report(iteration, report.to_json(), complete=complete)
            yield report
            iteration += 1

    def _lacks_report(self, iteration: int) -> bool:
        """Return whether the search was killed after an evaluation and before its report."""
        rows = self.archive.evaluations
        return bool(rows) and rows[-1].iteration == iteration and iteration not in self.archive.reported()

    def _propose(self, iteration: int, earlier: tuple[Evaluation, ...]) -> Proposal:
        """Return the iteration's batch, a function of the rows before it and the seed alone."""
        rng = np.random.default_rng([self.config.seed, iteration])
        config = self.config
        if iteration == 0:
            n = config.n_initial * config.pre_screening
            return unpredicted(design_of(config)(self.feasible, n, rng), self.feasible)
        proposal = method_of(config)(self.feasible, earlier, config, rng)
        return filled(proposal, self.feasible, earlier, config.n_infill, rng)

    def _evaluate_missing(self, iteration: int, X: IntArray) -> bool:
        """Evaluate the rows of ``X`` that the archive lacks, and return whether it has all now."""
        have = {row.x: row.position for row in self.archive.evaluations if row.iteration == iteration}
        todo = [i for i, x in enumerate(X) if tuple(int(v) for v in x) not in have]
        missing, todo = len(todo), todo[: self.config.evaluations - len(self.archive)]
        places = _places(todo, taken={*have.values()})
        costs, constrained = self.problem.costs(X), self.problem.constrained(X)
        for answer, found in answers(self.evaluate, X[todo], self.problem.evaluated, self.clock):
            i = todo[answer.row]
            failure = found if isinstance(found, Failure) else None
            row = self.archive.add(
                X[i],
                objectives=None if isinstance(found, Failure) else (*found, *costs[i]),
                constraints=tuple(constrained[i]),
                iteration=iteration,
                position=places[i],
                seed=self.config.seed,
                seconds=answer.seconds,
                failure=None if failure is None else failure.reason,
                failure_kind=None if failure is None else failure.kind,
                attempts=answer.attempts,
                worker=answer.worker,
            )
            self.on_evaluation(row)
            self._refuse_if_all_fail()
        return len(todo) == missing

    def _refuse_if_all_fail(self) -> None:
        # Of those alone before which none is missing, so that the order in which they came decides nothing.
        rows = [row for place, row in enumerate(self.archive.evaluations, 1) if row.id == place]
        last = rows[-self.config.max_failures :]
        if len(last) == self.config.max_failures and all(row.failure is not None for row in last):
            raise RunError(
                f"{len(last)} evaluations in a row failed, the last with: {last[-1].failure}; "
                f"mend the cause, then {ELSEWHERE}"
            )

    def _report(self, iteration: int, proposal: Proposal) -> IterationReport:
        fresh = [row for row in self.archive.succeeded if row.iteration == iteration]
        fit = self._fidelity(proposal, fresh)
        lead = fit[self.problem.evaluated[0]]
        F = self.archive.F
        n = len(self.archive)
        predicted = tuple(float(e) if math.isfinite(e) else None for e in proposal.errors)
        return IterationReport(
            iteration=iteration,
            n_evaluations=n,
            evaluations_left=max(0, self.config.evaluations - n),
            n_failures=n - len(F),
            n_front=len(front_indices(F)),
            hypervolume=self._hypervolume(F),
            surrogate=proposal.surrogate,
            tau=lead.tau,
            spearman=lead.spearman,
            rmse=lead.rmse,
            fidelity={name: found._asdict() for name, found in fit.items()},
            out_of_fold_tau=proposal.out_of_fold_tau,
            search_seconds=0.0,
            evaluate_seconds=0.0,
            predicted=predicted,
            recent=self._recent(iteration, predicted),
            coverage=coverage(self.archive.succeeded, iteration, self.ranges),
        )

    def _recent(self, iteration: int, predicted: Sequence[float | None]) -> dict[str, float | None] | None:
        """Return how well the last networks were predicted before they were evaluated."""
        before = {report["iteration"]: report.get("predicted") or () for report in self.archive.reports}
        before[iteration] = predicted
        found = list[tuple[float, float]]()
        for row in reversed(self.archive.succeeded):
            told = before.get(row.iteration, ())
            value = told[row.position] if row.position < len(told) else None
            if value is not None and row.objectives is not None:
                found.append((value, row.objectives[0]))
            if len(found) == N_RECENT:
                break
        if not found:
            return None
        pairs = np.array(found)
        return {"n": len(pairs), **fidelity(pairs[:, 0], pairs[:, 1])._asdict()}

    def _fidelity(self, proposal: Proposal, fresh: Sequence[Evaluation]) -> dict[str, Fidelity]:
        """Return how well each evaluated objective of the iteration's networks was predicted."""
        found = {tuple(x): row for x, row in zip(proposal.X.tolist(), proposal.predicted, strict=True)}
        names = self.problem.evaluated
        fresh = [row for row in fresh if row.x in found]  # not what an earlier version proposed
        predicted = np.array([found[row.x] for row in fresh]).reshape(-1, len(names))
        values = [row.objectives for row in fresh if row.objectives is not None]
        true = np.array(values, dtype=np.float64).reshape(-1, len(self.problem.names))
        return {name: fidelity(predicted[:, j], true[:, j]) for j, name in enumerate(names)}

    def _hypervolume(self, F: FloatArray) -> float:
        """Return the normalised hypervolume; its reference point is set by iteration 0."""
        initial = [row.objectives for row in self.archive.succeeded if row.iteration == 0]
        if not initial:
            return 0.0
        return normalised_hypervolume(F, reference_point(np.array(initial, dtype=np.float64)))

    def result(self, reports: tuple[IterationReport, ...]) -> SearchResult:
        """Return what the archive now holds."""
        rows, F = self.archive.succeeded, self.archive.F
        return SearchResult(
            names=self.problem.names,
            front=tuple(rows[i] for i in front_indices(F)),
            n_evaluations=len(self.archive),
            n_failures=len(self.archive) - len(rows),
            exhausted=self.exhausted,
            hypervolume=self._hypervolume(F),
            reports=reports,
        )


def _places(todo: Sequence[int], taken: set[int]) -> dict[int, int]:
    """Return the position of each row that is to be evaluated: its own, unless it is taken.

    It can only be where an earlier version of edgewright, which proposed others, began the iteration.
    """
    places = {i: i for i in todo if i not in taken}
    used = taken | {*places}
    free = (place for place in itertools.count() if place not in used)
    return places | {i: next(free) for i in todo if i in taken}

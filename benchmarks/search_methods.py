"""The searches that bench_search.py compares, each from its own package, and the ledger that counts.

Others see the same choices as ours, as categories for cells and as ordered integers for blocks, and
all objectives of each network that they ask for. Their settings are their packages' own, save what
stands here.

Of Syne Tune it is multi-objective regularised evolution, by its ask and tell. Of its two others that
take several objectives, 0.16 cannot import the one with a surrogate each, and the expected improvement
of hypervolume has its reference point at 2 in negated objectives, beyond all that are above 0.
"""

from __future__ import annotations

import importlib.util
import resource
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import search_bayesian

from edgewright.search import Archive, IterationReport, SearchConfig, run_search
from edgewright.search.problems import SearchProblem
from edgewright.spaces import CellSpace
from edgewright.spaces.architecture import FloatArray, IntArray

#: Individuals of either NSGA-II: of 10, 20, 50 and 100 the best at 50 to 200 evaluations on cells.
POPULATION = 10
#: Asks per evaluation after which an optimiser that only repeats itself is stopped.
MAX_ASKS = 50


class SpentError(Exception):
    """All evaluations are spent."""


class Ledger:
    """Evaluates what a method asks for and writes it down, until the evaluations are spent.

    A network that was asked for before is answered again and not charged again.

    Args:
        problem: what is searched.
        n: evaluations in all.
        batch: that ours evaluates at a time; its own choice where None.
    """

    def __init__(self, problem: SearchProblem, n: int, batch: int | None = None) -> None:
        self.problem, self.n, self.batch = problem, n, batch
        self.found: dict[tuple[int, ...], list[float]] = {}  # in the order of evaluation
        self.asked = 0
        self.evaluate_seconds = 0.0

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the objectives of ``X`` ``(k, n_var)``, ``(k, n_obj)``.

        Raises:
            SpentError: a network is new, and no evaluation is left.
        """
        start = time.process_time()
        rows = [tuple(x) for x in self.problem.space.repair(np.asarray(X, dtype=np.int64)).tolist()]
        self.asked += len(rows)
        new = [x for x in dict.fromkeys(rows) if x not in self.found]
        new, spent = new[: self.n - len(self.found)], len(new) > self.n - len(self.found)
        if new:
            F = self.problem.objectives(np.array(new, dtype=np.int64))
            self.found |= dict(zip(new, F.tolist(), strict=True))
        self.evaluate_seconds += time.process_time() - start
        if spent or self.asked > MAX_ASKS * self.n:
            raise SpentError
        return np.array([self.found[x] for x in rows])

    @property
    def left(self) -> int:
        """Evaluations that are left."""
        return self.n - len(self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a method did with one seed.

    Attributes:
        F: objectives in the order of evaluation, ``(n, n_obj)``.
        asked: networks that it asked for, repeats included.
        seconds: processor time of its own in all, evaluations left out.
        iterations: likewise, of each iteration after the first; only ours tells.
        peak_memory_mb: of its process, packages included.
    """

    F: list[list[float]]
    asked: int
    seconds: float
    iterations: list[float]
    peak_memory_mb: float


#: Searches with a ledger and a seed; returns its own seconds by iteration, if it knows them.
Method = Callable[[Ledger, int], list[float]]


def trace(method: str, problem: SearchProblem, n: int, seed: int, batch: int | None = None) -> Trace:
    """Run a method once; ``batch`` is of ours."""
    ledger = Ledger(problem, n, batch)
    start = time.process_time()
    iterations = list[float]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other packages' own
        with suppress(SpentError):
            iterations = METHODS[method].run(ledger, seed)
    seconds = time.process_time() - start - ledger.evaluate_seconds
    return Trace(
        F=list(ledger.found.values()),
        asked=ledger.asked,
        seconds=seconds,
        iterations=iterations,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _edgewright(ledger: Ledger, seed: int) -> list[float]:
    reports = list[IterationReport]()
    config = SearchConfig(evaluations=ledger.n, seed=seed)
    if ledger.batch is not None:
        config = replace(config, n_infill=ledger.batch)
    with Archive.open(None) as archive:
        run_search(
            ledger.problem.space,
            evaluate=lambda X: ledger(X)[:, 0].tolist(),
            objectives=ledger.problem.costs,
            budgets={},
            archive=archive,
            config=config,
            on_iteration=reports.append,
            clock=time.process_time,
        )
    return [report.search_seconds for report in reports[1:]]


def _random(ledger: Ledger, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    while True:
        ledger(ledger.problem.space.sample(rng, 1))


def _nsga2(ledger: Ledger, seed: int) -> list[float]:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    n_choices = ledger.problem.space.n_choices

    class TrueProblem(Problem):  # type: ignore[misc]  # pymoo has no types
        def __init__(self) -> None:
            super().__init__(
                n_var=len(n_choices), n_obj=len(ledger.problem.names), xl=0, xu=n_choices - 1, vtype=int
            )

        def _evaluate(self, X: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = ledger(X)

    class ResetMutation(Mutation):  # type: ignore[misc]
        """What its ChoiceRandomMutation does, for variables that are coded as integers."""

        def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
            reset = random_state.random(X.shape) < 1.0 / problem.n_var
            return np.where(reset, random_state.integers(0, n_choices, size=X.shape), X)

    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=UniformCrossover(prob=0.9),
        mutation=ResetMutation()
        if _is_categorical(ledger)
        else PM(eta=3.0, vtype=float, repair=RoundingRepair()),
    )
    minimize(TrueProblem(), algorithm, ("n_gen", MAX_ASKS * ledger.n), seed=seed)
    return []


def _optuna(sampler: Callable[[Any, int], Any]) -> Method:
    def run(ledger: Ledger, seed: int) -> list[float]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        n_choices, categorical = ledger.problem.space.n_choices, _is_categorical(ledger)
        study = optuna.create_study(
            directions=["minimize"] * len(ledger.problem.names), sampler=sampler(optuna.samplers, seed)
        )
        while True:
            trial = study.ask()
            x = [
                trial.suggest_categorical(f"x{i}", list(range(n)))
                if categorical
                else trial.suggest_int(f"x{i}", 0, int(n) - 1)
                for i, n in enumerate(n_choices)
            ]
            study.tell(trial, ledger(np.array([x]))[0].tolist())

    return run


def _syne_tune(ledger: Ledger, seed: int) -> list[float]:
    from syne_tune.config_space import choice, randint
    from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler
    from syne_tune.optimizer.schedulers.multiobjective import MultiObjectiveRegularizedEvolution
    from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler

    np.random.seed(seed)  # noqa: NPY002  # what its first population is drawn from
    categorical, names = _is_categorical(ledger), list(ledger.problem.names)
    space = {
        f"x{i}": choice(list(range(n))) if categorical else randint(0, n - 1)
        for i, n in enumerate(ledger.problem.space.n_choices.tolist())
    }
    searcher = MultiObjectiveRegularizedEvolution(space, random_seed=seed)
    scheduler = AskTellScheduler(
        SingleFidelityScheduler(space, metrics=names, searcher=searcher, random_seed=seed)
    )
    while True:
        trial = scheduler.ask()
        found = ledger(np.array([[trial.config[name] for name in space]]))[0]
        scheduler.tell(trial, dict(zip(names, found.tolist(), strict=True)))


def _is_categorical(ledger: Ledger) -> bool:
    """Return whether the choices of a variable have no order."""
    return isinstance(ledger.problem.space, CellSpace)


@dataclass(frozen=True, slots=True)
class Entry:
    """A method.

    Attributes:
        run: searches.
        packages: that it needs, as modules.
        install: how to get them.
    """

    run: Method
    packages: tuple[str, ...] = ()
    install: str = ""

    @property
    def missing(self) -> str | None:
        """What is not installed."""
        return next((name for name in self.packages if importlib.util.find_spec(name) is None), None)


METHODS: dict[str, Entry] = {
    "edgewright": Entry(_edgewright),
    "random": Entry(_random),
    "nsga2": Entry(_nsga2, ("pymoo",)),
    "optuna-nsga2": Entry(
        _optuna(lambda samplers, seed: samplers.NSGAIISampler(population_size=POPULATION, seed=seed)),
        ("optuna",),
        "pip install optuna",
    ),
    "optuna-tpe": Entry(
        _optuna(lambda samplers, seed: samplers.TPESampler(seed=seed)), ("optuna",), "pip install optuna"
    ),
    "syne-tune": Entry(_syne_tune, ("syne_tune",), "pip install syne-tune"),
    "smac": Entry(search_bayesian.smac, ("smac", "ConfigSpace"), "pip install smac"),
    "botorch": Entry(search_bayesian.botorch, ("botorch", "gpytorch", "torch"), "pip install botorch"),
}

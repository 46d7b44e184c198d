"""Search a trained run's supernet under measured latency budgets.

1. Resolve the budget's names: devices (each with its latency table) and counts.
2. Turn each device's budget into a limit on the prediction: the table's own error is taken off.
3. Evaluate networks with inherited weights, BatchNorm calibrated, on the held-out split.
4. Everything lands in ``RUN/searches/<name>/archive.sqlite`` as it happens.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import edgewright
from edgewright.devices.profile import list_profiles
from edgewright.errors import BudgetError, ProfileError
from edgewright.files import file_digest, write_json
from edgewright.pipeline.costs import Cost, macs, params, size_bytes
from edgewright.pipeline.front import Front, front_from_archive
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.tables import DEFAULT_Z, DeviceCost, device_cost
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.watch import SearchState, SearchWatcher, TaskWatcher
from edgewright.search.archive import Archive, Evaluation
from edgewright.search.budget import QUANTITIES, format_cost, parse_budgets
from edgewright.search.config import (
    Evaluator,
    Failure,
    IterationReport,
    Problem,
    SearchConfig,
    SearchResult,
)
from edgewright.search.feasible import require_feasible
from edgewright.search.loop import run_search
from edgewright.search.surrogate import require_known
from edgewright.spaces import MobileSpace
from edgewright.spaces.architecture import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What a user may say of a search.

    Attributes:
        budget: hard limits, ``cpu=4ms,size=2MB``.
        objectives: more names to minimise beside the error and the budgets' devices.
        evaluations: true evaluations in all.
        name: of the search within the run.
        tables: folder of latency tables.
        precision: of the devices' tables; each profile's first where ``None``.
        surrogate: ``auto`` or a surrogate's name.
        allow_foreign: accept tables of another machine.
        allow_inaccurate: accept tables whose own error is large.
        z: standard deviations of the predicted latency that a budget is held with.
        seed: the search's only source of randomness.
        n_initial: evaluations of the initial design; a sixth, at least 16, where ``None``.
    """

    budget: str = ""
    objectives: str = ""
    evaluations: int = 200
    name: str = "default"
    tables: Path = Path("latency_tables")
    precision: str | None = None
    surrogate: str = "auto"
    allow_foreign: bool = False
    allow_inaccurate: bool = False
    z: float = DEFAULT_Z
    seed: int = 0
    n_initial: int | None = None


@dataclass(frozen=True, slots=True)
class SearchSummary:
    """A finished search.

    Attributes:
        folder: where its archive lies.
        front: all that was evaluated.
        devices: names that the budgets and objectives used.
        hypervolume: of the front, normalised.
        exhausted: whether every feasible network was evaluated.
    """

    folder: Path
    front: Front
    devices: tuple[str, ...]
    hypervolume: float
    exhausted: bool

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "archive": str(self.folder / "archive.sqlite"),
            "hypervolume": self.hypervolume,
            "exhausted": self.exhausted,
            **self.front.to_json(),
        }

    def text(self) -> str:
        """Return the front as a table."""
        head = f"{len(self.front.members)} networks evaluated, {len(self.front.best)} on the front"
        return f"{head}\n\n{self.front.text()}"


def search_run(
    root: Path,
    options: SearchOptions,
    *,
    progress: Progress = SILENT,
    watcher: SearchWatcher | None = None,
) -> SearchSummary:
    """Search a run's supernet; a killed search goes on where it stopped.

    Args:
        root: the run's folder.
        options: what is searched for.
        progress: told what is read and asked.
        watcher: follows the evaluations; a task of ``progress`` where ``None``.

    Raises:
        RunError: the run is not trained, or the search's folder holds one with other inputs.
        BudgetError: the budget cannot be read or names what is not there.
        InfeasibleBudgetError: no network fits; the nearest feasible value is named, at once.
        TableError: a latency table is missing, faulty, or does not cover the space.
        ForeignTableError: a table was measured elsewhere.
    """
    folder = RunFolder.open(root)
    folder.require_trained()
    target = folder.search_folder(options.name)
    require_known(options.surrogate)
    problem = _problem(folder.space, options)
    progress.say(problem.text())
    # Before the images are read: what cannot be had is said at once.
    require_feasible(folder.space, problem.to_search())
    trained = TrainedRun.open(root, progress=progress)
    with (
        exclusive(target),
        Archive.open(
            target / "archive.sqlite",
            _inputs(folder, trained, problem, options),
            notes={"versions": _versions()},
        ) as archive,
    ):
        config = SearchConfig(
            evaluations=options.evaluations,
            n_initial=_n_initial(options, archive),
            seed=options.seed,
            surrogate=options.surrogate,
        )
        write_json(target / "search.json", problem.to_json(options))
        result = _watched(
            watcher or TaskWatcher(progress),
            archive,
            config,
            partial(
                run_search,
                folder.space,
                evaluate=_evaluator(trained),
                objectives=problem.objectives,
                constraints=problem.constraints,
                bounds=problem.bounds,
                budgets=problem.asked,
                archive=archive,
                config=config,
            ),
        )
        front = front_from_archive(archive, folder.space)
    return SearchSummary(target, front, tuple(problem.devices), result.hypervolume, result.exhausted)


def _watched(
    watcher: SearchWatcher, archive: Archive, config: SearchConfig, run: Callable[..., SearchResult]
) -> SearchResult:
    """Run a search while someone watches; ``run`` takes what :func:`run_search` calls on its way."""
    state = SearchState(
        archive.meta["objectives"], config.evaluations, rows=archive.evaluations, reports=archive.reports
    )

    def on_evaluation(row: Evaluation) -> None:
        state.evaluated(row)
        watcher.evaluated(state)

    def on_iteration(report: IterationReport) -> None:
        state.iterated(report)
        watcher.iterated(report)

    with watcher.watching(state):
        return run(on_iteration=on_iteration, on_evaluation=on_evaluation)


def _inputs(
    folder: RunFolder, trained: TrainedRun, problem: _Problem, options: SearchOptions
) -> dict[str, Any]:
    """Return what the archive's evaluations depend on; another value of one is refused."""
    return {
        "weights": file_digest(folder.weights),
        "data": trained.data.digest,
        "asked_budgets": problem.asked,
        "devices": {name: f"{d.profile.name} {d.precision}" for name, d in problem.devices.items()},
        "tables": {name: d.table.table_id for name, d in problem.devices.items()},
        # These the search itself writes too. Here they are refused before anything is written.
        "objectives": ["error", *problem.objectives],
        "constraints": list(problem.constraints),
        "seed": options.seed,
        "surrogate": options.surrogate,
    }


def _versions() -> dict[str, str]:
    """Return the versions of what decides which networks a search proposes, and how good it finds them."""
    found = {"edgewright": edgewright.__version__, "python": platform.python_version()}
    for name in ("numpy", "torch", "pymoo", "moocore", "scikit-learn", "scipy"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _n_initial(options: SearchOptions, archive: Archive) -> int:
    """Return the size of the initial design: the archive's own where a search is made longer."""
    recorded: int | None = archive.meta.get("n_initial") if len(archive) else None
    return options.n_initial or recorded or min(options.evaluations, max(16, options.evaluations // 6))


def _evaluator(trained: TrainedRun) -> Evaluator:
    """Return the validation error of encodings, one by one, so that each is saved as it comes."""

    def evaluate(X: IntArray) -> Iterator[float | Failure]:
        for x in X:
            yield trained.evaluate(trained.space.decode(x)).error

    return evaluate


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is minimised and limited.

    Attributes:
        objectives: minimised beside the error.
        constraints: limited, not minimised.
        asked: the user's budgets, in base units.
        bounds: what budgets of devices are held against: predictions and their uncertainty.
        devices: by the name that the user gave.
    """

    objectives: dict[str, Cost]
    constraints: dict[str, Cost]
    asked: dict[str, float]
    bounds: dict[str, Cost]
    devices: dict[str, DeviceCost]

    def text(self) -> str:
        parts = [
            f"{name} at most {format_cost(name, limit)}"
            + (f" ({_held_against(self.devices[name])})" if name in self.bounds else "")
            for name, limit in self.asked.items()
        ]
        return f"minimising error, {', '.join(self.objectives)}; " + ("; ".join(parts) or "no budget")

    def to_search(self) -> Problem:
        """Return the problem as the search takes it."""
        return Problem(self.objectives, self.asked, self.constraints, self.bounds)

    def to_json(self, options: SearchOptions) -> dict[str, Any]:
        return {
            "schema": 2,
            "budget": options.budget,
            "asked": self.asked,
            "evaluations": options.evaluations,
            "seed": options.seed,
            "devices": {name: device.to_json() for name, device in self.devices.items()},
        }


def _held_against(device: DeviceCost) -> str:
    """Return what a device's budget is held against, in words."""
    if device.table.validation is None:
        return "predicted, with an error that nobody knows"
    return f"predicted + {device.z:g} std"


def _device_names() -> list[str]:
    """Return names and aliases of devices; none where a neighbour's profile is faulty."""
    try:
        profiles = list_profiles()
    except ProfileError:  # whoever is named is found, or refused, one by one
        return []
    return [name for profile in profiles for name in (profile.alias, profile.name) if name]


def _objective_names(text: str, known: Sequence[str]) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if unit := [name for name in names if "=" in name]:
        raise BudgetError(f"--objectives takes names, got {unit[0]!r}; limits belong into --budget")
    unknown = [name for name in names if name not in QUANTITIES and name not in known]
    if known and unknown:
        raise BudgetError(
            f"unknown name {', '.join(map(repr, unknown))} in --objectives; "
            f"known: {', '.join([*known, *QUANTITIES])}"
        )
    return names


def _problem(space: MobileSpace, options: SearchOptions) -> _Problem:
    known = _device_names()
    budgets = parse_budgets(options.budget, devices=known or None)
    extra = _objective_names(options.objectives, known)
    names = list(dict.fromkeys([budget.name for budget in budgets] + extra))
    devices = {
        name: device_cost(
            name,
            space,
            tables=options.tables,
            precision=options.precision,
            allow_foreign=options.allow_foreign,
            allow_inaccurate=options.allow_inaccurate,
            z=options.z,
        )
        for name in names
        if name not in QUANTITIES
    }
    minimised = [name for name in names if name in devices or name in extra] or ["macs"]
    targets = [(device.profile.runtime, device.precision) for device in devices.values()]
    makers: dict[str, Callable[[], Cost]] = {
        "macs": lambda: macs(space),
        "params": lambda: params(space),
        "size": lambda: size_bytes(space, targets or [("onnxruntime", "fp32")]),
    }
    counted: dict[str, Cost] = {
        name: devices[name].predict_ms if name in devices else makers[name]()
        for name in dict.fromkeys([*names, *minimised])
    }
    asked = {budget.name: budget.limit for budget in budgets}
    return _Problem(
        objectives={name: counted[name] for name in minimised},
        constraints={name: cost for name, cost in counted.items() if name in asked and name not in minimised},
        asked=asked,
        bounds={name: devices[name].at_most_ms for name in asked if name in devices},
        devices=devices,
    )

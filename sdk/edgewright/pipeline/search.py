"""Search a trained run's supernet under measured latency budgets.

1. Resolve the budget's names: devices (each with its latency table), their energy, and counts.
2. Turn each device's budget into a limit on the prediction: the table's own error is taken off.
3. Evaluate networks with inherited weights, BatchNorm calibrated, on the held-out split: side by side in
   processes or on a cluster, or one after the other, which gives the same archive.
4. Everything lands in ``RUN/searches/<name>/archive.sqlite`` as it happens.
"""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, fields
from functools import partial
from importlib import metadata
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

import edgewright
from edgewright.errors import UsageError
from edgewright.evaluation import Crew
from edgewright.files import file_digest, write_json
from edgewright.pipeline.evaluator import THREADS, evaluator_of, require_evaluable
from edgewright.pipeline.front import Front, front_from_archive
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.objectives import Objectives, objectives_of
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.tables import DEFAULT_Z
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.watch import SearchState, SearchWatcher, TaskWatcher
from edgewright.pipeline.workers import idle_workers
from edgewright.search.archive import Archive, Evaluation
from edgewright.search.config import Evaluator, IterationReport, SearchConfig, SearchResult
from edgewright.search.feasible import require_feasible
from edgewright.search.loop import run_search
from edgewright.search.methods import require_parts

#: Of what kind an option is, by its annotation.
_KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "True or False"),
    "Path": (Path, "a path"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What a user may say of a search.

    Attributes:
        budget: hard limits, ``cpu=4ms,size=2MB,cpu.energy=20mJ``.
        objectives: more names to minimise beside the error and the budgets' devices: devices, their
            energy (``cpu.energy``, by the model that ``edgewright table energy`` makes), ``macs``,
            ``params``, ``size``, and ``adversarial-error``, which costs some ten passes over up to 512
            validation images for each network (:func:`~edgewright.training.attack.adversarial_error`).
        epsilon: most that the attack behind ``adversarial-error`` may change a channel of a pixel, of
            images in [0, 1]; 2/255 where ``None``.
        evaluations: true evaluations in all.
        name: of the search within the run.
        tables: folder of latency tables.
        precision: of the devices' tables; each profile's first where ``None``.
        method: ``surrogate``, or a baseline's name.
        design: ``auto`` or the name of an initial design.
        surrogate: ``auto`` or a surrogate's name.
        inner: ``auto`` or the name of an inner search.
        infill: name of what chooses the networks of an iteration; the search's own where ``None``.
        archive_policy: ``growing`` or ``constant``.
        archive_size: networks that a constant archive keeps.
        pre_screening: how many times as many networks the initial design evaluates.
        allow_foreign: accept tables of another machine.
        allow_inaccurate: accept tables whose own error is large.
        z: standard deviations of the predicted latency or energy that a budget is held with.
        seed: the search's only source of randomness.
        n_initial: networks that the initial design keeps; the search's own number where ``None``.
        n_infill: evaluated in each iteration after it; the search's own where ``None``, and as many as
            the initial design's for ``nsga2``.
        workers: processes that evaluate side by side; ``None`` is as many as there are CPUs and memory
            for, at most ``n_infill``, or as many as ``cluster`` has CPUs. They change nothing but the time
            it takes. 0 evaluates in the search's own process, which a crash of an evaluation would end.
        cluster: a Ray cluster to evaluate on: ``local``, ``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``.
        time_limit_s: after which an evaluation is given up and its network quarantined; 0 is none.
            ``None`` is what no evaluation reaches by being slow: 100 times the longest so far, at least 15
            minutes, and a day until 8 are known (:class:`~edgewright.evaluation.Patience`).

    Raises:
        UsageError: a value is of another kind; all of them are named.
    """

    budget: str = ""
    objectives: str = ""
    epsilon: float | None = None
    evaluations: int = 200
    name: str = "default"
    tables: Path = Path("latency_tables")
    precision: str | None = None
    method: str = "surrogate"
    design: str = "auto"
    surrogate: str = "auto"
    inner: str = "auto"
    infill: str | None = None
    archive_policy: str = "growing"
    archive_size: int = 100
    pre_screening: int = 1
    allow_foreign: bool = False
    allow_inaccurate: bool = False
    z: float = DEFAULT_Z
    seed: int = 0
    n_initial: int | None = None
    n_infill: int | None = None
    workers: int | None = None
    cluster: str | None = None
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.tables, str):
            object.__setattr__(self, "tables", Path(self.tables))
        faults = list[str]()
        for one in fields(self):
            value, (kind, _, optional) = getattr(self, one.name), str(one.type).partition(" | ")
            if not (isinstance(value, _KINDS[kind][0]) or (optional and value is None)):
                faults.append(f"{one.name} must be {_KINDS[kind][1]}, got {value!r}")
            elif isinstance(value, np.generic):  # of which JSON knows none
                object.__setattr__(self, one.name, value.item())
        if not faults and not (math.isfinite(self.z) and self.z >= 0):
            faults.append(f"z must be a number of standard deviations of at least 0, got {self.z}")
        if faults:
            raise UsageError(f"a search cannot have these options: {'; '.join(faults)}")

    def to_config(self, recorded: Mapping[str, Any] | None = None) -> SearchConfig:
        """Return how the search goes.

        Args:
            recorded: what the archive that is continued says of its own; what is not given stays so.

        Raises:
            UsageError: a part is unknown, or a number is out of range; all faults are named.
        """
        recorded, usual = recorded or {}, SearchConfig()
        n_initial = self.n_initial
        if n_initial is None:
            n_initial = recorded.get("n_initial", max(1, min(self.evaluations, usual.n_initial)))
        n_infill = self.n_infill
        if n_infill is None:
            n_infill = recorded.get("n_infill", n_initial if self.method == "nsga2" else usual.n_infill)
        config = SearchConfig(
            evaluations=self.evaluations,
            n_initial=n_initial,
            n_infill=n_infill,
            seed=self.seed,
            method=self.method,
            design=self.design,
            pre_screening=self.pre_screening,
            surrogate=self.surrogate,
            archive_policy=self.archive_policy,
            archive_size=self.archive_size,
            inner=self.inner,
            infill=usual.infill if self.infill is None else self.infill,
        )
        require_parts(config)
        return config


@dataclass(frozen=True, slots=True)
class SearchSummary:
    """A finished search.

    Attributes:
        folder: where its archive lies.
        front: all that was evaluated.
        devices: names that the budgets and objectives used.
        hypervolume: of the front, normalised.
        exhausted: whether every feasible network was evaluated, as far as others could be found.
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
        kinds = Counter(row.failure_kind for row in self.front.failures)
        told = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        aside = f", {len(self.front.failures)} set aside ({told}; see `front show --json`)" if kinds else ""
        head = f"{len(self.front.members)} networks evaluated{aside}, {len(self.front.best)} on the front"
        if self.exhausted:
            head += "; it ended early, since no other network within the budgets was found"
        return f"{head}\n\n{self.front.text()}"


def search_run(
    root: Path | str,
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
        RunError: the run is not trained, the search's folder holds one with other inputs, or no worker can
            be had.
        UsageError: the number of workers, the cluster, the time limit or the epsilon cannot be.
        MissingExtraError: a cluster is asked for, and Ray is not installed.
        DeviceUnavailableError: the cluster cannot be reached.
        BudgetError: the budget cannot be read or names what is not there.
        InfeasibleBudgetError: no network fits; the nearest feasible value is named, at once.
        TableError: a latency table or an energy model is missing, faulty, or does not cover the space.
        ForeignTableError: one was measured elsewhere.
    """
    root = Path(root)
    folder = RunFolder.open(root)
    folder.require_trained()
    target = folder.search_folder(options.name)
    options.to_config()
    require_evaluable(options.workers, options.cluster, options.time_limit_s)
    problem = objectives_of(folder.space, options)
    progress.say(problem.text())
    # Before the images are read: what cannot be had is said at once.
    require_feasible(folder.space, problem.to_search())
    trained = TrainedRun.open(root, progress=progress)
    with (
        exclusive(target),
        Archive.open(
            target / "archive.sqlite",
            _inputs(folder, trained, problem, options),
            notes={"versions": _versions(), "threads": THREADS},
        ) as archive,
        _evaluator(trained, problem, archive, options) as evaluate,
    ):
        config = _config(archive, options)
        _tell_versions(archive, progress)
        watching = watcher or TaskWatcher(progress)
        if isinstance(evaluate, Crew) and (watcher is not None or progress is not SILENT):
            evaluate.on_slow = watching.slow

        def on_start() -> None:
            if isinstance(evaluate, Crew):  # they load what they need while the first networks are chosen
                evaluate.prepare(config.evaluations - len(archive))
            idle = idle_workers(options.workers or 0, config.n_infill)
            if idle and len(archive) < config.evaluations:
                progress.say(idle)
            write_json(target / "search.json", problem.to_json(options))

        result = _watched(
            watching,
            archive,
            config,
            partial(
                run_search,
                folder.space,
                evaluate=evaluate,
                objectives=problem.objectives,
                constraints=problem.constraints,
                bounds=problem.bounds,
                evaluated=problem.evaluated,
                parts=problem.parts,
                budgets=problem.asked,
                archive=archive,
                config=config,
                on_start=on_start,
            ),
        )
        front = front_from_archive(archive, folder.space)
    return SearchSummary(target, front, tuple(problem.measured), result.hypervolume, result.exhausted)


def _config(archive: Archive, options: SearchOptions) -> SearchConfig:
    return options.to_config(archive.meta if len(archive) else None)


def _evaluator(
    trained: TrainedRun, problem: Objectives, archive: Archive, options: SearchOptions
) -> AbstractContextManager[Evaluator]:
    """Return the evaluator that ``options`` ask for."""
    assert archive.path is not None
    return evaluator_of(
        trained,
        archive.path.parent,
        attack=problem.attack,
        workers=options.workers,
        cluster=options.cluster,
        time_limit_s=options.time_limit_s,
        batch=_config(archive, options).n_infill,
        earlier_s=[row.seconds for row in archive.succeeded],
    )


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
    folder: RunFolder, trained: TrainedRun, problem: Objectives, options: SearchOptions
) -> dict[str, Any]:
    """Return what the archive's evaluations depend on; another value of one is refused."""
    return {
        "weights": file_digest(folder.weights),
        "data": trained.data.digest,
        "asked_budgets": problem.asked,
        "devices": {name: f"{d.profile.name} {d.precision}" for name, d in problem.measured.items()},
        "tables": {name: d.table.table_id for name, d in problem.measured.items()},
        **({} if problem.attack is None else {"attack": problem.attack.to_json()}),
        # These the search itself writes too. Here they are refused before anything is written.
        "objectives": [*problem.evaluated, *problem.objectives],
        "constraints": list(problem.constraints),
        "seed": options.seed,
        "surrogate": options.surrogate,
    }


def _tell_versions(archive: Archive, progress: Progress) -> None:
    """Tell what was updated since a search began: its networks may differ from now on."""
    before, now = archive.meta.get("versions", {}), _versions()
    changed = [
        f"{name} {before[name]} to {now.get(name, 'none')}"
        for name in before
        if before[name] != now.get(name)
    ]
    if changed and len(archive):
        progress.say(
            f"updated since this search began: {', '.join(changed)}; it goes on, but may propose others "
            "than it would have"
        )


def _versions() -> dict[str, str]:
    """Return the versions of what decides which networks a search proposes, and how good it finds them."""
    found = {"edgewright": edgewright.__version__, "python": platform.python_version()}
    for name in ("numpy", "torch", "pymoo", "moocore", "scikit-learn", "scipy", "lightgbm", "catboost"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found

"""The front of a finished or running search, and the choice of one of its networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.errors import RunError
from edgewright.pipeline.run import RunFolder
from edgewright.pipeline.tabulate import columns
from edgewright.search.archive import Archive, Evaluation
from edgewright.search.budget import ERRORS, format_cost, parse_budgets
from edgewright.search.pareto import front_indices
from edgewright.search.select import FrontPoint, best_trade_offs, pick
from edgewright.spaces import Architecture, MobileSpace


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the archive.

    Attributes:
        id: what ``--pick`` takes.
        x: its encoding.
        costs: by name: the error, what else was evaluated, devices in ms, and what else was counted.
        architecture: its choices.
        on_front: whether no other network of the archive beats it in every objective.
        iteration: of the search, 0 for the initial design.
        evaluation: what it was evaluated with, by whom and how long it took, as JSON values.
    """

    id: str
    x: tuple[int, ...]
    costs: dict[str, float]
    architecture: Architecture
    on_front: bool
    iteration: int
    evaluation: dict[str, Any] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Validation top-1, 0 to 1."""
        return 1.0 - self.costs["error"]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "id": self.id,
            "accuracy": self.accuracy,
            "costs": self.costs,
            "architecture": self.architecture.to_json(),
            "encoding": list(self.x),
            "evaluation": self.evaluation,
        }

    def text(self) -> str:
        """Return a line for a terminal."""
        costs = ", ".join(f"{n} {format_cost(n, v)}" for n, v in self.costs.items() if n != "error")
        arch = self.architecture
        return (
            f"network {self.id}: validation accuracy {self.accuracy:.2%}, {costs}; "
            f"{arch.resolution} px, depths {'-'.join(map(str, arch.depths))}"
        )


@dataclass(frozen=True, slots=True)
class Front:
    """All that a search evaluated.

    Attributes:
        members: in the order of evaluation; failures are left out.
        objectives: names of what was minimised, the error first.
        budgets: hard limits by name, in base units.
        meta: what the archive depends on.
        reports: of the iterations, as JSON values.
        failures: what could not be evaluated, in the order of evaluation.
    """

    members: tuple[Member, ...]
    objectives: tuple[str, ...]
    budgets: dict[str, float]
    meta: dict[str, Any]
    reports: tuple[dict[str, Any], ...]
    failures: tuple[Evaluation, ...] = ()

    @property
    def best(self) -> tuple[Member, ...]:
        """The Pareto front, most accurate first."""
        return tuple(sorted((m for m in self.members if m.on_front), key=lambda m: m.costs["error"]))

    def find(self, pick: str) -> Member:
        """Return the member of an id. Raises ``RunError``."""
        for member in self.members:
            if member.id == pick:
                return member
        raise RunError(
            f"no network {pick!r} among the {len(self.members)} of this search; "
            "`edgewright front show RUN` lists the best ones"
        )

    def pick(self, under: str = "", prefer: str = "accuracy") -> Member:
        """Return one network of the front.

        Args:
            under: limits such as ``cpu=3ms`` or ``adversarial-error=30%``.
            prefer: ``accuracy``, ``latency`` (the first device, or the first cost), ``knee``: the
                point farthest below the line through the front's ends, or ``trade-off``: the one whose
                neighbours give up most for what they gain.

        Raises:
            BudgetError: ``under`` cannot be read.
            UsageError: ``prefer`` is unknown.
            InfeasibleBudgetError: the front has no such network; the nearest value is named.
        """
        best = self.best
        if not best:
            raise RunError("the search has no network yet; run `edgewright search` first")
        known = [name for name in best[0].costs if name not in ERRORS]
        asked = parse_budgets(under, devices=known, errors=ERRORS)
        limits = {budget.name: budget.limit for budget in asked}
        points = [FrontPoint(int(member.id), member.costs) for member in best]
        chosen = pick(points, under=limits, prefer=prefer, weighed=self.objectives)
        return self.find(str(chosen.id))

    def choices(self) -> dict[str, tuple[str, ...]]:
        """Return the ids that each preference points at; of trade-offs the best few, best first."""
        best = self.best
        if not best:
            return {}
        found: dict[str, tuple[str, ...]] = {
            prefer: (self.pick(prefer=prefer).id,) for prefer in ("accuracy", "knee", "latency")
        }
        if len(self.objectives) > 1:
            F = np.array([[member.costs[name] for name in self.objectives] for member in best])
            found["trade-off"] = tuple(best[i].id for i in best_trade_offs(F))
        return found

    def finalists(self, n: int) -> tuple[Member, ...]:
        """Return at most ``n`` of the front, most accurate first.

        The most accurate, the fastest and the knee come first, then whichever is farthest from those
        chosen, objectives scaled to their range over the front.
        """
        best = self.best
        if len(best) <= n:
            return best
        places = {member.id: i for i, member in enumerate(best)}
        wanted = [places[self.pick(prefer=p).id] for p in ("accuracy", "latency", "knee")]
        chosen = list(dict.fromkeys(wanted))[:n]
        F = np.array([[member.costs[name] for name in self.objectives] for member in best])
        low, high = F.min(axis=0), F.max(axis=0)
        F = (F - low) / np.where(high > low, high - low, 1.0)
        while len(chosen) < n:
            distance = np.linalg.norm(F[:, None] - F[chosen], axis=2).min(axis=1)
            distance[chosen] = -1.0
            chosen.append(int(distance.argmax()))
        return tuple(best[i] for i in sorted(chosen))

    def to_json(self) -> dict[str, Any]:
        """Return the front as JSON values."""
        return {
            "objectives": list(self.objectives),
            **({"attack": self.meta["attack"]} if "attack" in self.meta else {}),
            "budgets": self.budgets,
            "n_evaluations": len(self.members),
            "front": [member.to_json() for member in self.best],
            "choices": {prefer: list(ids) for prefer, ids in self.choices().items()},
            "failures": [
                {
                    "id": str(row.id),
                    "kind": row.failure_kind,
                    "reason": row.failure,
                    "encoding": list(row.x),
                    "evaluation": row.circumstances(),
                }
                for row in self.failures
            ],
        }

    def text(self) -> str:
        """Return a table for a terminal."""
        if not self.members:
            return "no network is evaluated yet; run `edgewright search`, or wait for the one that runs"
        names = [n for n in (self.members[0].costs if self.members else {}) if n != "error"]
        choices = self.choices()
        rows = [
            (
                m.id,
                f"{m.accuracy:.2%}",
                *(format_cost(n, m.costs[n]) for n in names),
                _shape(m.architecture),
                ", ".join(prefer for prefer, ids in choices.items() if m.id in ids),
            )
            for m in self.best
        ]
        return columns(rows, ("id", "accuracy", *names, "resolution and depths", "choice"))


def _shape(arch: Architecture) -> str:
    return f"{arch.resolution} px {'-'.join(map(str, arch.depths))}"


def load_front(run: Path | str, name: str = "default") -> Front:
    """Return the front of a run's search. Raises ``RunError`` where there is none."""
    folder = RunFolder.open(run)
    path = folder.search_folder(name) / "archive.sqlite"
    if not path.is_file():
        raise RunError(f"run {run} has no search {name!r}; make one with: edgewright search --run {run}")
    with Archive.read(path) as archive:
        return front_from_archive(archive, folder.space)


def front_from_archive(archive: Archive, space: MobileSpace) -> Front:
    """Return the front of an archive."""
    meta = archive.meta
    rows = archive.succeeded
    best = set(front_indices(archive.F).tolist()) if rows else set()
    names = (*meta.get("objectives", ()), *meta.get("constraints", ()))
    return Front(
        members=tuple(_member(row, names, space, i in best) for i, row in enumerate(rows)),
        objectives=tuple(meta.get("objectives", ())),
        budgets=dict(meta.get("asked_budgets", meta.get("budgets", {}))),
        meta=meta,
        reports=archive.reports,
        failures=archive.failures,
    )


def _member(row: Evaluation, names: tuple[str, ...], space: MobileSpace, on_front: bool) -> Member:
    values = (*(row.objectives or ()), *row.constraints)
    return Member(
        id=str(row.id),
        x=row.x,
        costs=dict(zip(names, values, strict=True)),
        architecture=space.decode(np.array(row.x, dtype=np.int64)),
        on_front=on_front,
        iteration=row.iteration,
        evaluation=row.circumstances(),
    )

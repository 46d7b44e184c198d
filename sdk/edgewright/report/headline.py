"""The first sentence of a report: what was found, and whether every budget is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgewright.report.data import Finalist, FrontPoint, Objective, ReportData, known
from edgewright.report.text import percent, plural, quantity


@dataclass(frozen=True, slots=True)
class Headline:
    """The outcome of a run in words.

    Attributes:
        status: ``met``, ``violated``, ``not verified``, or ``open`` while nothing is compiled.
        badge: two or three words.
        sentence: the outcome.
        details: further sentences: what fails and by how much, or the best network, or what to
            do next.
    """

    status: Literal["met", "violated", "not verified", "open"]
    badge: str
    sentence: str
    details: tuple[str, ...]


def headline(data: ReportData) -> Headline:
    """Return the outcome of ``data`` in words."""
    return _of_finalists(data) if data.finalists else _unfinished(data)


def is_feasible(point: FrontPoint, objectives: tuple[Objective, ...]) -> bool:
    """Return whether every budgeted objective of ``point`` is known and within its budget."""
    return all(
        known(value := point.objectives.get(objective.key)) and value <= objective.budget
        for objective in objectives
        if objective.budget is not None
    )


def best_finalist(finalists: tuple[Finalist, ...]) -> Finalist | None:
    """Return the most accurate artifact that meets everything asked of it."""
    good = [f for f in finalists if f.verdict == "met" and known(f.accuracy_artifact)]
    return max(good, key=lambda f: f.accuracy_artifact or 0.0, default=None)


def _of_finalists(data: ReportData) -> Headline:
    rows = data.finalists
    n = plural(len(rows), "compiled finalist")
    violated = [f for f in rows if f.verdict == "violated"]
    unverified = [f for f in rows if f.verdict == "not verified"]
    budgeted = any(limit is not None for f in rows for _, limit in _held(f))
    best = _best_sentence(rows)
    if violated:
        n_over = sum(map(_over_budget, violated))
        outcomes = [
            (n_over, "exceeds its budget", "exceed their budgets"),
            (
                len(violated) - n_over,
                "fails another check" if n_over else "fails its checks",
                "fail their checks",
            ),
            (len(unverified), "could not be verified", "could not be verified"),
        ]
        sentence = f"Of {n}, {_and([f'{k} {one if k == 1 else many}' for k, one, many in outcomes if k])}."
        details = [f"{f.id} on {f.device} ({f.precision}): {'; '.join(f.violations)}." for f in violated]
        return Headline(
            "violated", "Budget violated" if n_over else "Checks failed", sentence, (*details, *best)
        )
    if unverified:
        within = " within every budget" if budgeted else ""
        sentence = f"{len(rows) - len(unverified)} of {n} verified{within}; {len(unverified)} could not be."
        details = [f"{f.id} on {f.device} ({f.precision}) is not verified: {_reason(f)}." for f in unverified]
        return Headline("not verified", "Partly verified", sentence, (*best, *details))
    devices = plural(len({f.device for f in rows}), "device")
    who = f"All {n}" if len(rows) > 1 else "The one compiled finalist"
    meet, agree = ("meet", "agree") if len(rows) > 1 else ("meets", "agrees")
    if not budgeted:
        return Headline("met", "Verified", f"{who} {agree} with torch on {devices}; no budget was set.", best)
    return Headline("met", "Every budget met", f"{who} {meet} every budget, measured on {devices}.", best)


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _held(finalist: Finalist) -> tuple[tuple[float | None, float | None], ...]:
    """Return what was measured of a finalist, each with its budget."""
    return (
        (finalist.measured_ms, finalist.budget_ms),
        (finalist.size_bytes, finalist.size_budget_bytes),
        (finalist.energy_mj, finalist.energy_budget_mj),
    )


def _over_budget(finalist: Finalist) -> bool:
    pairs = _held(finalist)
    return any(known(value) and known(limit) and value > limit for value, limit in pairs)


def _reason(finalist: Finalist) -> str:
    if finalist.note or finalist.parity_detail:
        return (finalist.note or finalist.parity_detail).rstrip(".")
    return "it was not measured" if not known(finalist.measured_ms) else "parity was not checked"


def _best_sentence(finalists: tuple[Finalist, ...]) -> tuple[str, ...]:
    best = best_finalist(finalists)
    if best is None:
        return ()
    budget = f", budget {quantity(best.budget_ms, 'ms')}" if best.budget_ms is not None else ""
    costs = [
        (f"a file of {quantity(best.size_bytes, 'B')}", best.size_bytes),
        (f"{quantity(best.memory_bytes, 'B')} of memory at its peak", best.memory_bytes),
        (f"{quantity(best.load_ms, 'ms')} to load", best.load_ms),
        (f"{quantity(best.energy_mj, 'mJ')} an inference", best.energy_mj),
    ]
    told = [text for text, value in costs if known(value)]
    return (
        f"Most accurate: {best.id}, {percent(best.accuracy_artifact)} as a file, "
        f"{quantity(best.measured_ms, 'ms')} on {best.device}{budget}"
        f"{'; ' + ', '.join(told) if told else ''}.",
    )


def _unfinished(data: ReportData) -> Headline:
    tables = f"{plural(sum(not t.sensor for t in data.tables), 'latency table')} measured"
    if not data.points:
        if not data.tables:
            return Headline(
                "open",
                "Nothing yet",
                "Nothing has been measured yet.",
                ("Start with `edgewright profile DEVICE --space SPACE`.",),
            )
        next_step = f"Go on with `edgewright search --run {data.run}`."
        return Headline("open", "No search yet", f"{tables}, no search yet.", (next_step,))
    feasible = [p for p in data.points if is_feasible(p, data.objectives)]
    n = plural(len(data.points), "network")
    if not feasible:
        sentence = f"None of {n} evaluated meets every budget."
        return Headline(
            "violated", "No feasible network", sentence, ("Raise a budget, or search for longer.",)
        )
    budgets = " within every budget" if any(o.budget is not None for o in data.objectives) else ""
    n_front = sum(p.on_front for p in feasible)
    sentence = f"{n} evaluated, {n_front} on the Pareto front{budgets}; none is compiled yet."
    next_step = f"Go on with `edgewright compile {data.run} --pick ID --for DEVICE`."
    return Headline("open", "Not compiled yet", sentence, (next_step,))

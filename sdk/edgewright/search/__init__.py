"""Search: the networks of least error and cost, in as few true evaluations as possible. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgewright.search.archive import Archive, Evaluation
from edgewright.search.budget import Budget, format_cost, parse_budgets
from edgewright.search.config import (
    Answer,
    Cost,
    Coverage,
    Evaluator,
    Failure,
    IterationReport,
    Problem,
    SearchConfig,
    SearchResult,
)
from edgewright.search.select import FrontPoint, pick

if TYPE_CHECKING:
    from edgewright.search.loop import run_search
    from edgewright.search.problems import SearchProblem, check_problem

__all__ = [
    "Answer",
    "Archive",
    "Budget",
    "Cost",
    "Coverage",
    "Evaluation",
    "Evaluator",
    "Failure",
    "FrontPoint",
    "IterationReport",
    "Problem",
    "SearchConfig",
    "SearchProblem",
    "SearchResult",
    "check_problem",
    "format_cost",
    "parse_budgets",
    "pick",
    "run_search",
]


def __getattr__(name: str) -> Any:
    # The loop brings scikit-learn and pymoo, of which a worker that evaluates has no use.
    if name == "run_search":
        from edgewright.search.loop import run_search

        return run_search
    if name in ("SearchProblem", "check_problem"):
        from edgewright.search import problems

        return getattr(problems, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

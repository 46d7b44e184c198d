"""Search: the networks of least error and cost, in as few true evaluations as possible. No torch."""

from edgewright.search.archive import Archive, Evaluation
from edgewright.search.budget import Budget, format_cost, parse_budgets
from edgewright.search.config import (
    Cost,
    Evaluator,
    Failure,
    IterationReport,
    Problem,
    SearchConfig,
    SearchResult,
)
from edgewright.search.loop import run_search
from edgewright.search.select import FrontPoint, pick

__all__ = [
    "Archive",
    "Budget",
    "Cost",
    "Evaluation",
    "Evaluator",
    "Failure",
    "FrontPoint",
    "IterationReport",
    "Problem",
    "SearchConfig",
    "SearchResult",
    "format_cost",
    "parse_budgets",
    "pick",
    "run_search",
]

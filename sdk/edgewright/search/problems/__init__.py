"""Problems whose truth is known, for benchmarks, tests, and whoever compares searches."""

from edgewright.search.problems.base import KnownFront, SearchProblem
from edgewright.search.problems.contract import check_problem, find_problem_violations
from edgewright.search.problems.nb201 import read_cells
from edgewright.search.problems.ofa_mobilenetv3 import AccuracyPredictor, ofa_problem, ofa_space

__all__ = [
    "AccuracyPredictor",
    "KnownFront",
    "SearchProblem",
    "check_problem",
    "find_problem_violations",
    "ofa_problem",
    "ofa_space",
    "read_cells",
]

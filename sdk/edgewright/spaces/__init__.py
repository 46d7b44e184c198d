"""Search spaces: which networks exist, what they cost. numpy only."""

from edgewright.spaces.architecture import Architecture, SearchSpace, Space
from edgewright.spaces.cell import Cell, CellSpace
from edgewright.spaces.choices import Choices, ChoiceSpace
from edgewright.spaces.contract import Violation, check_space, find_violations
from edgewright.spaces.mobile import MobileSpace, Stage
from edgewright.spaces.operator import Operator
from edgewright.spaces.registry import SPACES, find_space, list_spaces

__all__ = [
    "SPACES",
    "Architecture",
    "Cell",
    "CellSpace",
    "ChoiceSpace",
    "Choices",
    "MobileSpace",
    "Operator",
    "SearchSpace",
    "Space",
    "Stage",
    "Violation",
    "check_space",
    "find_space",
    "find_violations",
    "list_spaces",
]

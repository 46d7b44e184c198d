"""A space small enough to measure in no time; numpy only."""

from __future__ import annotations

from typing import Any

from edgewright.spaces import MobileSpace, Stage


def small_space(**changes: Any) -> MobileSpace:
    """Two stages, every dimension elastic: 74 operators."""
    fields: dict[str, Any] = {
        "base_name": "small",
        "stem_width": 8,
        "stem_stride": 2,
        "stages": (Stage(8, 1, "relu", False), Stage(16, 2, "h_swish", True)),
        "final_width": 16,
        "hidden_width": 24,
        "resolutions": (8, 12),
        "depths": (1, 2),
        "n_classes": 3,
    }
    return MobileSpace(**{**fields, **changes})

"""The methods of a search by name: ours, and the baselines that it is compared with."""

from __future__ import annotations

from edgewright.errors import UsageError
from edgewright.search.baselines import evolve, explore_neighbours, regularised_evolution
from edgewright.search.config import SearchConfig
from edgewright.search.design import DESIGNS, Design
from edgewright.search.infill import INFILLS
from edgewright.search.inner import INNER_SEARCHES
from edgewright.search.proposal import Method, nothing
from edgewright.search.step import by_surrogate
from edgewright.search.surrogate import SURROGATES
from edgewright.search.survival import ARCHIVES

#: What chooses the networks of each iteration after the initial design.
METHODS: dict[str, Method] = {
    "surrogate": by_surrogate,
    "random": lambda feasible, rows, config, rng: nothing(feasible),
    "nsga2": evolve,
    "regularised-evolution": regularised_evolution,
    "local-search": explore_neighbours,
}


def method_of(config: SearchConfig) -> Method:
    """Return what chooses the networks of each iteration after the initial design."""
    return METHODS[config.method]


def design_of(config: SearchConfig) -> Design:
    """Return what chooses the networks of iteration 0."""
    automatic = "balanced" if config.method == "surrogate" else "random"
    return DESIGNS[automatic if config.design == "auto" else config.design]


def require_parts(config: SearchConfig) -> None:
    """Raise ``UsageError`` unless every part that ``config`` names is known; lists all that are not."""
    known: dict[str, tuple[str, ...]] = {
        "method": tuple(METHODS),
        "design": ("auto", *DESIGNS),
        "surrogate": ("auto", *SURROGATES),
        "archive_policy": tuple(ARCHIVES),
        "inner": ("auto", *INNER_SEARCHES),
        "infill": tuple(INFILLS),
    }
    faults = [
        f"unknown {part.replace('_', ' ')} {getattr(config, part)!r}; known: {', '.join(names)}"
        for part, names in known.items()
        if getattr(config, part) not in names
    ]
    if faults:
        raise UsageError("; ".join(faults))

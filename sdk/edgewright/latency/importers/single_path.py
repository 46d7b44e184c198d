"""Single-Path NAS's table (json): ``{layer: {choice: milliseconds}}``, choices 0 to 3 of 22 layers.

Choices are kernel 3 or 5 by expansion 3 or 6 of a MobileNetV2 block; the file names neither shapes
nor order, so its keys are of none of our spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgewright.errors import TableError
from edgewright.files import parse_json
from edgewright.latency.importers.base import Fault, Reading, SourceEntry, latency_fault, typical_network


@dataclass(frozen=True, slots=True)
class SinglePathJson:
    """Reads Single-Path NAS's tables of layers by choices."""

    name: str = "single-path-nas"
    title: str = "Single-Path NAS, layers by choices (json)"
    unit: str = "ms"
    macs_per_s: tuple[float, float] = (1e8, 2e12)

    def matches(self, text: str) -> bool:
        """Return whether a file starts with a numbered layer of numbered choices."""
        return re.match(r'\s*\{\s*"\d+"\s*:\s*\{\s*"\d+"\s*:', text) is not None

    def read(self, text: str) -> Reading:
        """Return what a file says."""
        data = json_object(text)
        entries, faults, layers = list[SourceEntry](), list[Fault](), list[list[float]]()
        for layer, choices in sorted(data.items(), key=lambda item: (len(item[0]), item[0])):
            if not layer.isdigit() or not isinstance(choices, dict):
                faults.append(Fault(f"layer {layer}", "is no numbered layer of choices"))
                continue
            costs = []
            for choice, value in sorted(choices.items()):
                key = f"layer {layer} choice {choice}"
                if fault := latency_fault(key, value):
                    faults.append(fault)
                else:
                    entries.append(SourceEntry(key, float(value)))
                    costs.append(float(value))
            if costs:
                layers.append(costs)
        return Reading(entries=tuple(entries), faults=tuple(faults), network=typical_network(layers))


def json_object(text: str) -> dict[str, object]:
    """Return the object in ``text``. Raises ``TableError``."""
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"truncated or not JSON ({error})") from error
    if not isinstance(data, dict):
        raise TableError(f"expected an object of keys, got {type(data).__name__}")
    return data

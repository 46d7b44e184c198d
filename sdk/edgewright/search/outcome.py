"""What an evaluator returned: numbers to be kept, or a failure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgewright.search.config import Failure


def checked(outcome: object, names: Sequence[str]) -> tuple[float, ...] | Failure:
    """Return the finite values of an outcome in the order of ``names``, and anything else as a failure.

    Args:
        outcome: whatever an evaluator returned for one network.
        names: of the evaluated objectives.
    """
    if isinstance(outcome, Failure):
        return outcome
    if isinstance(outcome, Mapping):
        missing, unknown = sorted({*names} - {*outcome}), sorted(map(str, {*outcome} - {*names}))
        if missing or unknown:
            return Failure(
                f"the evaluator returned {', '.join(sorted(map(str, outcome))) or 'nothing'}, "
                f"expected {', '.join(names)}"
            )
        values = [outcome[name] for name in names]
    elif len(names) > 1:
        return Failure(f"the evaluator returned {outcome!r:.100}, expected {', '.join(names)} by name")
    else:
        values = [outcome]
    found = [_number(value, name) for value, name in zip(values, names, strict=True)]
    failures = [value for value in found if isinstance(value, Failure)]
    return failures[0] if failures else tuple(value for value in found if not isinstance(value, Failure))


def _number(value: object, name: str) -> float | Failure:
    try:
        number = float(value)  # type: ignore[arg-type]  # a foreign evaluator may return anything
    except (TypeError, ValueError):
        return Failure(f"the evaluator returned {value!r:.100}, expected a number")
    if not math.isfinite(number):
        return Failure(f"the evaluator returned {number}, expected a finite {name}")
    return number

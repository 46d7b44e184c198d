"""What a worker says of one evaluation, as JSON values: the same from a process and from an actor.

A reply holds ``seconds`` and one of: ``found`` (a number, or numbers by name; they may be NaN);
``failure`` and ``kind``, of this network alone; ``error``, ``message`` and ``exit_code``, an ``SDKError``
that ends the search.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgewright import errors
from edgewright.errors import SDKError
from edgewright.evaluation.spec import EvaluateOne
from edgewright.search.config import Failure, Outcome
from edgewright.search.outcome import raised, shown

Reply = dict[str, Any]


def reply_of(evaluate: EvaluateOne, x: list[int]) -> Reply:
    """Evaluate one network and tell what came of it."""
    start = time.perf_counter()
    found: object
    try:
        found = _plain(evaluate(np.array(x, dtype=np.int64)))
    except SDKError as error:
        return error_reply(error)
    except Exception as error:  # any fault of a user's evaluator concerns one network only
        found = raised(error)
    seconds = time.perf_counter() - start
    if isinstance(found, Failure):
        return {"seconds": seconds, "failure": found.reason, "kind": found.kind}
    return {"seconds": seconds, "found": found}


def _plain(found: object) -> float | dict[str, float] | Failure:
    """Return an outcome in numbers that JSON has; what holds none is a failure."""
    if isinstance(found, Failure):
        return found
    try:
        if isinstance(found, Mapping):
            return {str(name): float(value) for name, value in found.items()}
        return float(found)  # type: ignore[arg-type]  # a foreign evaluator may return anything
    except Exception:  # whatever the value's own code raises
        return Failure(f"the evaluator returned {shown(found)}, expected a number", "not finite")


def error_reply(error: SDKError) -> Reply:
    """Tell an error that concerns more than one network."""
    return {"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code}


def require_no_error(reply: Mapping[str, Any]) -> None:
    """Raise the ``SDKError`` that a worker raised, if it did."""
    if "error" not in reply:
        return
    kind = getattr(errors, reply["error"], SDKError)
    try:
        error: SDKError = kind(reply["message"])
    except TypeError:  # of those that are made of more than a message
        error = SDKError(reply["message"])
        error.exit_code = reply["exit_code"]
    raise error


def outcome_of(reply: Mapping[str, Any]) -> Outcome:
    """Return what a reply says of its network. Raises the ``SDKError`` that the worker raised."""
    require_no_error(reply)
    if "failure" in reply:
        return Failure(reply["failure"], reply["kind"])
    found: float | dict[str, float] = reply["found"]
    return found

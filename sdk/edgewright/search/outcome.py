"""What an evaluator returned: numbers to be kept, or a failure, for each network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgewright.errors import SDKError
from edgewright.search.config import Answer, Evaluator, Failure, Outcome
from edgewright.spaces.architecture import IntArray

#: Who did it where the evaluator does not say.
HERE = "this process"


def answers(
    evaluate: Evaluator, X: IntArray, names: Sequence[str], clock: Callable[[], float]
) -> Iterator[tuple[Answer, tuple[float, ...] | Failure]]:
    """Yield one answer for each row of ``X`` ``(k, n_var)``, and what it comes to, as they come.

    An evaluator that raises loses one network, the first that it has not answered, and is called again
    with the rest.

    Args:
        evaluate: is given the rows that are not answered.
        X: encodings.
        names: of the evaluated objectives.
        clock: seconds.

    Raises:
        SDKError: the evaluator raised one, which concerns more than one network.
    """
    left = list(range(len(X)))
    while left:
        given, start = tuple(left), clock()
        try:
            for found in _as_many(evaluate(X[left]), len(given)):
                answer = (
                    replace(found, row=_row(found, given, left))
                    if isinstance(found, Answer)
                    else Answer(left[0], found, clock() - start, HERE)
                )
                left.remove(answer.row)
                yield answer, checked(answer.outcome, names)
                if not left:
                    return
                start = clock()
            failure = Failure("the evaluator returned too few values", "not finite")
        except SDKError:
            raise
        except Exception as error:  # any fault of a user's evaluator concerns one network only
            failure = raised(error)
        yield Answer(left.pop(0), failure, clock() - start, HERE), failure


def _as_many(found: Iterable[Outcome | Answer], n: int) -> Iterable[Outcome | Answer]:
    """Return what an evaluator returned. Raises ``ValueError`` where it has more values than networks."""
    if isinstance(found, list | tuple | np.ndarray) and len(found) > n:
        raise ValueError(f"the evaluator returned {len(found)} values for {n} networks")
    return found


def _row(answer: Answer, given: Sequence[int], left: Sequence[int]) -> int:
    """Return which of all rows was answered. Raises ``ValueError`` for one that was not asked for."""
    if not 0 <= answer.row < len(given):
        raise ValueError(f"the evaluator answered row {answer.row} of {len(given)} networks")
    if given[answer.row] not in left:
        raise ValueError(f"the evaluator answered row {answer.row} twice")
    if not math.isfinite(answer.seconds):
        raise ValueError(f"the evaluator answered row {answer.row} with {answer.seconds} seconds")
    return given[answer.row]


def raised(error: Exception) -> Failure:
    """Return the failure of an evaluation that raised ``error``."""
    return Failure(f"{type(error).__name__}: {error}".splitlines()[0][:300])


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
                f"expected {', '.join(names)}",
                "not finite",
            )
        values = [outcome[name] for name in names]
    elif len(names) > 1:
        return Failure(
            f"the evaluator returned {outcome!r:.100}, expected {', '.join(names)} by name", "not finite"
        )
    else:
        values = [outcome]
    found = [_number(value, name) for value, name in zip(values, names, strict=True)]
    failures = [value for value in found if isinstance(value, Failure)]
    return failures[0] if failures else tuple(value for value in found if not isinstance(value, Failure))


def _number(value: object, name: str) -> float | Failure:
    try:
        number = float(value)  # type: ignore[arg-type]  # a foreign evaluator may return anything
    except (TypeError, ValueError):
        return Failure(f"the evaluator returned {value!r:.100}, expected a number", "not finite")
    if not math.isfinite(number):
        return Failure(f"the evaluator returned {number}, expected a finite {name}", "not finite")
    if number < 0:
        return Failure(f"the evaluator returned {number:g}, expected {name} of at least 0", "negative")
    return number

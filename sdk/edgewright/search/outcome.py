"""What an evaluator returned: numbers to be kept, or a failure, for each network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgewright.errors import SDKError, UsageError
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
        UsageError: the evaluator cannot be called, or returned no values for several networks.
        SDKError: the evaluator raised one, which concerns more than one network.
    """
    left = list(range(len(X)))
    while left:
        given, start = tuple(left), clock()
        try:
            for found in _as_many(_called(evaluate, X[left]), len(given)):
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


def _called(evaluate: Evaluator, X: IntArray) -> Iterable[Outcome | Answer]:
    """Return what an evaluator returned. Raises ``UsageError`` where no call of it can go better."""
    found: object = evaluate(X) if callable(evaluate) else evaluate
    one = isinstance(found, str | bytes | Mapping) or (isinstance(found, np.ndarray) and found.ndim == 0)
    if not callable(evaluate) or one or not isinstance(found, Iterable):
        did = "returned" if callable(evaluate) else "is"
        raise UsageError(
            f"the evaluator of {len(X)} networks {did} {shown(found)}, expected an outcome for "
            "each; make one of what evaluates one network by edgewright.evaluation.one_by_one"
        )
    return found


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
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Failure(text.splitlines()[0][:300])


def shown(value: object) -> str:
    """Return a value of anybody's as it is quoted: in a line, and not all of a long one."""
    try:
        return " ".join(f"{value!r:.400}".split())[:100]
    except Exception:  # a number of thousands of digits has no text, nor has what its own code refuses
        return f"an object of type {type(value).__name__}"


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
            f"the evaluator returned {shown(outcome)}, expected {', '.join(names)} by name", "not finite"
        )
    else:
        values = [outcome]
    found = [_number(value, name) for value, name in zip(values, names, strict=True)]
    failures = [value for value in found if isinstance(value, Failure)]
    return failures[0] if failures else tuple(value for value in found if not isinstance(value, Failure))


def _number(value: object, name: str) -> float | Failure:
    try:
        number = float(value)  # type: ignore[arg-type]  # a foreign evaluator may return anything
    except Exception:  # whatever the value's own code raises; it is the network's that it was returned for
        return Failure(f"the evaluator returned {shown(value)}, expected a number", "not finite")
    if not math.isfinite(number):
        return Failure(f"the evaluator returned {number}, expected a finite {name}", "not finite")
    if number < 0:
        return Failure(f"the evaluator returned {number:g}, expected {name} of at least 0", "negative")
    return number

"""One network after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator

from edgewright.evaluation.spec import EvaluateOne
from edgewright.search.config import Evaluator, Outcome
from edgewright.spaces.architecture import IntArray


def one_by_one(evaluate: EvaluateOne) -> Evaluator:
    """Return an evaluator of many networks that yields each as it is done, in order."""

    def evaluate_all(X: IntArray) -> Iterator[Outcome]:
        for x in X:
            yield evaluate(x)

    return evaluate_all

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from doubles import report_data

from edgewright.report import history
from edgewright.report.data import FrontPoint, Objective
from edgewright.report.history import beaten_since

TWO = (Objective(key="error", label="Error"), Objective(key="ms", label="Latency", unit="ms", budget=0.8))


def points(n: int, seed: int = 0) -> list[FrontPoint]:
    rng = np.random.default_rng(seed)
    F = rng.integers(0, 20, (n, 2)) / 20  # with repeats
    return [
        FrontPoint(id=str(i), objectives={"error": float(a), "ms": float(b)}, evaluation=i + 1)
        for i, (a, b) in enumerate(F)
    ]


def front_of(seen: Sequence[FrontPoint]) -> set[str]:
    """Return the ids of the feasible points that no feasible one dominates."""
    rated = [(p.id, p.objectives["error"] or 0.0, p.objectives["ms"] or 0.0) for p in seen]
    feasible = [r for r in rated if r[2] <= 0.8]
    return {
        name
        for name, error, ms in feasible
        if not any(e <= error and m <= ms and (e, m) != (error, ms) for _, e, m in feasible)
    }


@pytest.mark.parametrize("chunk", [10, 4_000_000])
def test_the_front_after_any_evaluation_is_that_of_what_was_seen(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(history, "CHUNK", chunk)
    found = points(60)
    order = np.random.default_rng(1).permutation(60)  # a report may list them in any order
    shuffled = [found[i] for i in order]
    since = dict(zip((p.id for p in shuffled), beaten_since(shuffled, TWO), strict=True))
    for n in range(1, 61):
        on_front = {
            p.id
            for p in found[:n]
            if (p.objectives["ms"] or 0) <= 0.8 and (since[p.id] is None or (since[p.id] or 0) > n)
        }
        assert on_front == front_of(found[:n])


def test_what_is_only_limited_beats_nobody() -> None:
    a = FrontPoint(id="a", objectives={"error": 0.1, "ms": 0.5}, evaluation=1)
    b = FrontPoint(id="b", objectives={"error": 0.1, "ms": 0.4}, evaluation=2)
    limited = (TWO[0], replace(TWO[1], minimised=False))
    assert beaten_since([a, b], TWO) == [2, None]
    assert beaten_since([a, b], limited) == [None, None]


def test_the_unknown_is_never_compared() -> None:
    good = FrontPoint(id="good", objectives={"error": 0.0, "ms": 0.0})
    unknown = FrontPoint(id="unknown", objectives={"error": float("nan"), "ms": 0.1}, evaluation=1)
    plain = FrontPoint(id="plain", objectives={"error": 0.9, "ms": 0.7}, evaluation=2)
    assert beaten_since([good, unknown, plain], TWO) == [None, None, None]
    assert beaten_since([], TWO) == []
    assert beaten_since([plain], ()) == [None]


def test_the_last_front_is_the_reports_own() -> None:
    data = report_data.full(120)
    never = [b is None for b in beaten_since(data.points, data.objectives)]
    feasible = [
        all((p.objectives[o.key] or 0) <= o.budget for o in data.objectives if o.budget) for p in data.points
    ]
    assert [p.on_front for p in data.points] == [a and b for a, b in zip(never, feasible, strict=True)]

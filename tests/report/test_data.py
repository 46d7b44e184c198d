import math

import pytest

from edgewright.report.data import Finalist, PredictionPoint


def finalist(**changes: object) -> Finalist:
    values = {"id": "n1", "device": "cpu", "measured_ms": 3.0, "budget_ms": 4.0, "parity": "passed"} | changes
    return Finalist(**values)  # type: ignore[arg-type]


def test_verdict_is_met_when_all_that_was_asked_for_holds() -> None:
    assert finalist().verdict == "met"
    assert finalist(measured_ms=4.0).verdict == "met"


def test_violation_says_by_how_much() -> None:
    over = finalist(measured_ms=5.0)
    assert over.verdict == "violated"
    assert over.violations == ("measured 5 ms, budget 4 ms (25.0 % over)",)


def test_energy_is_held_against_its_own_budget() -> None:
    assert finalist(energy_mj=19.0, energy_budget_mj=20.0).verdict == "met"
    assert finalist(energy_mj=21.0, energy_budget_mj=20.0).violations == ("takes 21 mJ, budget 20 mJ",)


@pytest.mark.parametrize(
    "changes",
    [
        {"size_bytes": 3_000_000, "size_budget_bytes": 2e6},
        {"parity": "failed", "parity_detail": "top-1 agreement 0.4"},
        {"faults": ("accuracy fell by 9 points",)},
        {"parity": "failed", "measured_ms": None},
        {"energy_mj": 21.0, "energy_budget_mj": 20.0},
    ],
)
def test_any_failure_makes_the_verdict_violated(changes: dict[str, object]) -> None:
    assert finalist(**changes).verdict == "violated"


@pytest.mark.parametrize(
    "changes",
    [
        {"measured_ms": None},
        {"measured_ms": math.nan},
        {"parity": "not verified"},
        {"size_budget_bytes": 2e6, "size_bytes": None},
        {"energy_budget_mj": 20.0},
    ],
)
def test_what_was_not_measured_is_never_met(changes: dict[str, object]) -> None:
    assert finalist(**changes).verdict == "not verified"


def test_relative_error_is_unknown_without_both_latencies() -> None:
    error = PredictionPoint(device="cpu", id="a", predicted_ms=1.1, measured_ms=1.0).relative_error
    assert error == pytest.approx(0.1)
    for predicted, measured in ((None, 1.0), (1.0, None), (math.nan, 1.0), (1.0, 0.0)):
        point = PredictionPoint(device="cpu", id="a", predicted_ms=predicted, measured_ms=measured)
        assert point.relative_error is None

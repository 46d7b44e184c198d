import json
import math
from dataclasses import replace

import pytest
from doubles import report_data

from edgewright.report.course import HypervolumePoint, SearchCurve
from edgewright.report.data import (
    Breakdown,
    Drift,
    OperatorBar,
    PredictionPoint,
    ReportData,
    TrainingPoint,
)
from edgewright.report.payload import payload


def test_payload_is_json_without_nan() -> None:
    data = replace(
        report_data.full(40),
        hypervolume=(HypervolumePoint(evaluations=1, hypervolume=math.nan, tau=math.inf),),
        training=(TrainingPoint(epoch=1, loss=math.nan, accuracies={"largest": None}),),
        predictions=(PredictionPoint(device="cpu", id="a", predicted_ms=math.nan, measured_ms=1.0),),
    )
    point = replace(data.points[0], objectives={"error": math.nan, "ort": None})
    bars = (OperatorBar(label="stem", cost_ms=math.nan), OperatorBar(label="head", cost_ms=0.5))
    data = replace(data, breakdowns=(Breakdown(id="a", device="cpu", bars=bars),))
    data = replace(data, drifts=(Drift(device="cpu", medians_ms=(1.0, math.inf)),))
    found = payload(replace(data, points=(point, *data.points[1:])))
    assert [bar["ms"] for bar in found["breakdowns"][0]["bars"]] == [None, 0.5]
    assert found["breakdowns"][0]["total"] == 0.5
    assert found["drifts"][0]["ms"] == [1.0, None]
    json.dumps(found, allow_nan=False)
    assert found["points"][0]["values"] == [None] * 5
    assert found["predictions"] == []


def test_values_and_budgets_share_the_unit_that_is_shown() -> None:
    found = payload(report_data.full(40))
    size = found["objectives"][3]
    assert (size["unit"], size["budget"]) == ("MB", 4.2)
    accuracy = found["objectives"][0]
    assert (accuracy["unit"], accuracy["higher"]) == ("%", True)
    data = report_data.full(40)
    error = data.points[0].objectives["error"]
    assert error is not None
    assert found["points"][0]["values"][0] == pytest.approx(100 * (1 - error), rel=1e-5)


def test_every_operator_is_written_once() -> None:
    data = report_data.full(40)
    found = payload(data)
    assert len(found["operators"]) == len({o for p in data.points for o in p.operators})
    first = [found["operators"][i] for i in found["points"][0]["operators"]]
    assert [o["kernel"] for o in first] == [o.kernel_size for o in data.points[0].operators]


def test_a_baseline_is_never_a_finalist() -> None:
    data = report_data.full(40)
    namesake = replace(data.baselines[0], id=data.finalists[0].id)
    assert payload(replace(data, baselines=(namesake,)))["points"][-1]["finalist"] is False


def test_a_device_that_was_never_measured_gets_no_plot() -> None:
    data = report_data.full(40)
    unmeasured = PredictionPoint(
        device="rtx-4090", id="a", predicted_ms=1.0, measured_ms=None, role="finalist"
    )
    found = payload(replace(data, predictions=(unmeasured, *data.predictions)))
    assert [p["device"] for p in found["predictions"]] == list(report_data.DEVICES)


def test_payload_of_nothing() -> None:
    found = payload(ReportData(title="t"))
    assert (found["points"], found["objectives"], found["predictions"]) == ([], [], [])


def test_a_curve_keeps_its_steps_and_its_end() -> None:
    curve = SearchCurve(name="a", evaluations=(1, 2, 3, 5), hypervolumes=(0.1, 0.3, 0.3, 0.3), own=True)
    (found,) = payload(ReportData(title="t", curves=(curve,)))["curves"]
    assert found == {"name": "a", "own": True, "x": [1, 2, 5], "hypervolume": [0.1, 0.3, 0.3]}


def test_predictions_share_the_unit_of_the_first_objective() -> None:
    data = report_data.full(40)
    found = payload(data)["points"]
    assert found[0]["predicted"] is None
    for point, shown in zip(data.points[16:], found[16:-1], strict=True):
        assert point.predicted is not None
        assert shown["predicted"] == pytest.approx(100 * (1 - point.predicted), rel=1e-5)
    assert payload(ReportData(title="t", points=data.points))["points"][20]["predicted"] is None


def test_traits_keep_one_order_and_may_be_missing() -> None:
    data = report_data.full(40)
    bare = replace(data.points[1], traits={"blocks": 3.0})
    found = payload(replace(data, points=(data.points[0], bare)))
    assert found["traits"] == list(data.points[0].traits)
    assert found["points"][1]["traits"] == [None, 3.0, None, None]

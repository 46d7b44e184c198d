"""What the page's scripts read: one JSON value, free of NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgewright.report.course import SearchCurve
from edgewright.report.data import FrontPoint, Objective, ReportData, known
from edgewright.report.headline import is_feasible
from edgewright.report.history import beaten_since
from edgewright.report.text import display_scale, objective_value
from edgewright.spaces.operator import Operator


def payload(data: ReportData) -> dict[str, Any]:
    """Return the JSON value that ``templates/*.js`` draw from."""
    operators = _operators(data)
    index = {operator: i for i, operator in enumerate(operators)}
    objectives = [_objective(o, data) for o in data.objectives]
    finalists = {f.id for f in data.finalists}
    traits = list(dict.fromkeys(name for p in data.points for name in p.traits))

    def point(p: FrontPoint, beaten: int | None = None, *, baseline: bool) -> dict[str, Any]:
        return {
            "id": p.id,
            "values": [
                _scaled(objective_value(o, p.objectives.get(o.key)), described["factor"])
                for o, described in zip(data.objectives, objectives, strict=True)
            ],
            "operators": [index[operator] for operator in p.operators],
            "depths": list(p.depths),
            "front": p.on_front,
            "feasible": is_feasible(p, data.objectives),
            "finalist": p.id in finalists and not baseline,
            "baseline": baseline,
            "iteration": p.iteration,
            "evaluation": p.evaluation,
            "beaten": beaten,
            "predicted": _scaled(objective_value(data.objectives[0], p.predicted), objectives[0]["factor"])
            if objectives
            else None,
            "traits": [finite(p.traits.get(name)) for name in traits],
            "compiled": p.compiled,
        }

    return {
        "run": data.run,
        "objectives": objectives,
        "operators": [_operator(operator) for operator in operators],
        "traits": traits,
        "points": [
            point(p, beaten, baseline=False)
            for p, beaten in zip(data.points, beaten_since(data.points, data.objectives), strict=True)
        ]
        + [point(p, baseline=True) for p in data.baselines],
        "finalists": [
            {
                "id": f.id,
                "device": f.device,
                "precision": f.precision,
                "measured": finite(f.measured_ms),
                "verdict": f.verdict,
            }
            for f in data.finalists
        ],
        "predictions": _predictions(data),
        "breakdowns": [
            {
                "id": b.id,
                "device": b.device,
                "total": finite(b.total_ms),
                "bars": [
                    {
                        "label": bar.label,
                        "detail": bar.detail,
                        "kernel": bar.kernel_size,
                        "ms": finite(bar.cost_ms),
                        "noisy": bar.noisy,
                    }
                    for bar in b.bars
                ],
            }
            for b in data.breakdowns
        ],
        "drifts": [
            {
                "device": d.device,
                "operator": d.operator,
                "ms": [finite(ms) for ms in d.medians_ms],
                "taint": finite(d.taint),
            }
            for d in data.drifts
        ],
        "hypervolume": [
            {"x": h.evaluations, "hypervolume": finite(h.hypervolume), "tau": finite(h.tau)}
            for h in data.hypervolume
        ],
        "curves": [_curve(c) for c in data.curves],
        "training": [
            {
                "epoch": t.epoch,
                "loss": finite(t.loss),
                "accuracies": {name: _scaled(finite(a), 100.0) for name, a in t.accuracies.items()},
            }
            for t in data.training
        ],
    }


def _curve(curve: SearchCurve) -> dict[str, Any]:
    """Return a curve as the steps that it has, and its end."""
    pairs = list(zip(curve.evaluations, curve.hypervolumes, strict=True))
    steps = [pair for i, pair in enumerate(pairs) if i in (0, len(pairs) - 1) or pair[1] != pairs[i - 1][1]]
    return {
        "name": curve.name,
        "own": curve.own,
        "x": [n for n, _ in steps],
        "hypervolume": [_scaled(finite(value), 1.0) for _, value in steps],
    }


def finite(value: float | None) -> float | None:
    """Return ``value`` where it is a finite number, else ``None``: JSON has no NaN."""
    return float(value) if known(value) else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else float(f"{value * factor:.7g}")


def _objective(objective: Objective, data: ReportData) -> dict[str, Any]:
    values = [p.objectives.get(objective.key) for p in (*data.points, *data.baselines)]
    values.append(objective.budget)
    factor, unit = display_scale(objective.unit, max((abs(v) for v in values if known(v)), default=1.0))
    return {
        "label": objective.label,
        "unit": unit,
        "factor": factor,
        "budget": _scaled(objective_value(objective, objective.budget), factor),
        "higher": objective.complement,
        "minimised": objective.minimised,
    }


def _operators(data: ReportData) -> Sequence[Operator]:
    return sorted({o for p in (*data.points, *data.baselines) for o in p.operators})


def _operator(operator: Operator) -> dict[str, Any]:
    """Return what the diagram draws; the expansion is the ratio of widths, as in the space."""
    ratio = operator.mid_channels / operator.in_channels if operator.in_channels else 0.0
    return {
        "kind": operator.kind,
        "size": operator.in_size,
        "outSize": operator.out_size,
        "in": operator.in_channels,
        "mid": operator.mid_channels,
        "out": operator.out_channels,
        "hidden": operator.hidden_channels,
        "kernel": operator.kernel_size,
        "stride": operator.stride,
        "expand": float(f"{ratio:.2g}"),
        "se": operator.se,
        "act": operator.act,
        "residual": operator.residual,
    }


def _predictions(data: ReportData) -> list[dict[str, Any]]:
    known_points = [p for p in data.predictions if p.relative_error is not None]
    return [
        {
            "device": device,
            "points": [
                {
                    "id": p.id,
                    "predicted": p.predicted_ms,
                    "measured": p.measured_ms,
                    "role": p.role,
                }
                for p in known_points
                if p.device == device
            ],
        }
        for device in dict.fromkeys(p.device for p in known_points)
    ]

"""What the pipeline's benchmark finds, and how it is written: JSON, Markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgewright.report import markdown

SCHEMA = 1
DEVICES = {"cpu": "local-cpu-onnxruntime", "litert": "local-cpu-litert"}
PRECISION = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A network, compiled for both runtimes.

    Attributes:
        id: in the search's archive, or the width multiplier.
        group: ``front`` or ``baseline``.
        architecture: its choices.
        params: learned parameters.
        macs: multiply-accumulates.
        val_accuracy: top-1 on the validation split, in torch.
        test_accuracy: top-1 of the compiled file on the test images, by device.
        predicted_ms: by device; a baseline has none, the tables do not hold its widths.
        budget_ms: by device.
        size_bytes: of the file, by device.
        timed: by device: median, p95, IQR and every sample, in milliseconds.
        verified: by device: what ``verify`` said of a finalist.
        train_seconds: of a baseline.
    """

    id: str
    group: str
    architecture: dict[str, Any]
    params: int
    macs: int
    val_accuracy: float
    test_accuracy: dict[str, float]
    predicted_ms: dict[str, float]
    budget_ms: dict[str, float]
    size_bytes: dict[str, int]
    timed: dict[str, dict[str, Any]]
    verified: dict[str, dict[str, Any]]
    train_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found.

    Attributes:
        config: what was run.
        conditions: fingerprint, versions, threads and load, before and after.
        phases: seconds of each, over all attempts of a resumed run.
        data: digest and sizes of the splits.
        tables: summary of each latency table.
        training: cost of both sides, in multiply-accumulates and seconds, and accuracies.
        search: evaluations, hypervolume, budgets.
        rows: front first, then the baselines.
        comparison: each baseline against the best front network that is no slower, by device.
    """

    config: dict[str, Any]
    conditions: dict[str, Any]
    phases: dict[str, float]
    data: dict[str, Any]
    tables: dict[str, Any]
    training: dict[str, Any]
    search: dict[str, Any]
    rows: tuple[Row, ...]
    comparison: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"schema": SCHEMA, **asdict(self)}

    def markdown(self) -> str:
        """Return the networks, fastest first, and each baseline's comparison, as Markdown tables."""
        first = next(iter(DEVICES.values()))
        rows = sorted(self.rows, key=lambda row: float(row.timed[first]["median_ms"]))
        runtimes = [self.tables[device]["runtime"] for device in DEVICES.values()]
        header = ["network", "test accuracy", *runtimes, "predicted", "params", "MACs"]
        body = [
            (
                f"scaled x{row.id}" if row.group == "baseline" else f"front {row.id}",
                " / ".join(dict.fromkeys(f"{row.test_accuracy[d]:.2%}" for d in DEVICES.values())),
                *(_timing(row.timed[d]) for d in DEVICES.values()),
                " / ".join(f"{row.predicted_ms[d]:.3f}" for d in DEVICES.values() if d in row.predicted_ms)
                or "-",
                f"{row.params / 1e3:.0f} k",
                f"{row.macs / 1e6:.2f} M",
            )
            for row in rows
        ]
        compared = [
            (
                f"scaled x{c['baseline']}",
                self.tables[c["device"]]["runtime"],
                f"{c['baseline_accuracy']:.2%}",
                f"{c['front_accuracy']:.2%}" if c["front"] else "none is as fast",
                f"{c['gain_points']:+.2f} points" if c["front"] else "-",
                f"{c['speedup']:.2f}x" if c["faster"] else "none is as accurate",
            )
            for c in self.comparison
        ]
        names = ("baseline", "runtime", "accuracy", "best front network no slower", "gain", "faster by")
        return (
            f"{markdown.table(header, body, right=range(1, len(header)))}\n\n"
            "Milliseconds: median (IQR) of the compiled file at batch 1, one thread.\n\n"
            f"{markdown.table(names, compared, right=range(2, len(names)))}\n\n"
            "Faster by: against the fastest front network that is at least as accurate.\n"
        )

    def csv(self) -> str:
        """Return a row a network and device."""
        text = io.StringIO()
        names = ("median_ms", "iqr_ms", "p95_ms", "n", "verdict")
        head = ("group", "id", "device", "runtime", "precision", "test_accuracy", "predicted_ms")
        out = csv.writer(text, lineterminator="\n")
        out.writerow((*head, *names, "params", "macs", "size_bytes"))
        for row in self.rows:
            for device, timed in row.timed.items():
                facts = (row.group, row.id, device, timed["runtime"], PRECISION)
                found = (row.test_accuracy[device], row.predicted_ms.get(device, ""))
                counts = (row.params, row.macs, row.size_bytes[device])
                out.writerow((*facts, *found, *(timed[name] for name in names), *counts))
        return text.getvalue()

    def summary(self) -> dict[str, Any]:
        """Return the figures worth a line."""
        gains = [c["gain_points"] for c in self.comparison if c["front"]]
        finalists = [v for row in self.rows for v in row.verified.values()]
        return {
            "benchmark": "pipeline",
            "config": self.config["name"],
            "minutes": round(sum(self.phases.values()) / 60, 1),
            "front_accuracy": [_spread(row) for row in self.rows if row.group == "front"],
            "baseline_accuracy": [_spread(row) for row in self.rows if row.group == "baseline"],
            "gain_points": {"min": round(min(gains), 2), "max": round(max(gains), 2)} if gains else None,
            "within_budget": sum(v["verdict"] == "met" for v in finalists),
            "verified": len(finalists),
            "table_mape_percent": {d: t["validation"]["mape_percent"] for d, t in self.tables.items()},
            "cost_ratio_macs": self.training["baseline_macs"] / self.training["chain_macs"],
            "noisy": sum(t["verdict"] != "ok" for row in self.rows for t in row.timed.values()),
        }


def compare(rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    """Return, for each baseline and device, what the front offers at its speed and at its accuracy."""
    front = [row for row in rows if row.group == "front"]
    result = []
    for row in (row for row in rows if row.group == "baseline"):
        for device in DEVICES.values():
            limit, wanted = row.timed[device]["median_ms"], row.test_accuracy[device]
            quick = [f for f in front if f.timed[device]["median_ms"] <= limit]
            best = max(quick, key=lambda f: f.test_accuracy[device], default=None)
            good = [f for f in front if f.test_accuracy[device] >= wanted]
            fastest = min(good, key=lambda f: float(f.timed[device]["median_ms"]), default=None)
            result.append(
                {
                    "baseline": row.id,
                    "device": device,
                    "baseline_ms": limit,
                    "baseline_accuracy": wanted,
                    "front": best.id if best else None,
                    "front_accuracy": best.test_accuracy[device] if best else None,
                    "gain_points": 100 * (best.test_accuracy[device] - wanted) if best else None,
                    "faster": fastest.id if fastest else None,
                    "speedup": limit / fastest.timed[device]["median_ms"] if fastest else None,
                }
            )
    return tuple(result)


def _timing(timed: dict[str, Any]) -> str:
    text = f"{timed['median_ms']:.3f} ({timed['iqr_ms']:.3f})"
    return text + (" noisy" if timed["iqr_ms"] > 0.1 * timed["median_ms"] else "")


def _spread(row: Row) -> float:
    return round(min(row.test_accuracy.values()), 4)

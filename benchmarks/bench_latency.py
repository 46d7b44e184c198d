r"""How far is a latency table off on networks that it has not seen?

Profiles a space on this machine as ``edgewright profile`` does, with so many held-out networks,
stratified over the range of cost and over the resolutions, none of which the correction sees; then
compares what the table predicts with what was measured. With ``--load N``, N processes keep the
processor busy all the while, one pinned to each core, and table and networks are both measured under
that load.

    python benchmarks/bench_latency.py --runtime onnxruntime --space mobilenetv3-w1.0 \
        --networks 100 --json latency.json

Seven to fifteen minutes on two cores. The last line printed is one JSON object with the errors.
``--json`` also has the conditions, the fit by other numbers of networks, and every network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from narrator import Narrator

from edgewright.files import write_json
from edgewright.latency.predictor import LatencyPredictor, corrected
from edgewright.latency.records import NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import PRESETS
from edgewright.pipeline.profile import profile_device
from edgewright.spaces import MobileSpace, find_space

# Ends with the benchmark, however that ends.
SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
x, parent = 1, os.getppid()
while os.getppid() == parent:
    for _ in range(100_000):
        x = x * 3 % 1000003
"""
SIZES = (5, 10, 20, 30, 45, 60)  # of fits that are compared
DRAWS = 50  # random fits of each size


@dataclass(frozen=True, slots=True)
class Config:
    """One run.

    Attributes:
        runtime: ``onnxruntime`` or ``litert``.
        space: as ``find_space`` reads it.
        networks: held out.
        precision: of the artifacts.
        load: busy processes beside it.
        seed: chooses networks and orders.
    """

    runtime: str
    space: str
    networks: int
    precision: str
    load: int
    seed: int


@contextmanager
def busy(n: int) -> Iterator[None]:
    """Keep the processor busy with ``n`` processes, pinned to the cores in turns."""
    cores = sorted(os.sched_getaffinity(0))
    spinners = [subprocess.Popen([sys.executable, "-c", SPIN, str(cores[i % len(cores)])]) for i in range(n)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def measure(config: Config, folder: Path) -> LatencyTable:
    """Return the table of this machine, with the held-out networks in it."""
    preset = replace(PRESETS["default"], n_validate=config.networks)
    with busy(config.load):
        return profile_device(
            f"local-cpu-{config.runtime}",
            find_space(config.space),
            precision=config.precision,
            out=folder / "table.json",
            preset=preset,
            seed=config.seed,
            progress=Narrator(),
        ).table


def errors(table: LatencyTable) -> dict[str, Any]:
    """Return the table's errors on its held-out networks, under the names of the last line."""
    found = table.validation
    if found is None:
        raise SystemExit("no network could be measured")
    return {
        "mape_percent": found.mape_percent,
        "within_10_percent": found.within_10_percent,
        "spearman": found.spearman,
        "coverage_95_percent": found.coverage_95_percent,
        "raw_mape_percent": found.raw_mape_percent,
    }


def by_fit_size(table: LatencyTable, space: MobileSpace, seed: int) -> list[dict[str, float]]:
    """Return the error by number of networks fitted: those the profile chose, and random ones.

    Half of the held-out networks judge every fit; random fits draw from all the others.
    """
    held_out = [record for record in table.networks if record.role == "validate"]
    judges, spare = held_out[::2], held_out[1::2]
    chosen = [record for record in table.networks if record.role == "fit"]
    pool = chosen + spare
    rng = np.random.default_rng(seed)

    def error(fitted: list[NetworkRecord]) -> float:
        records = [replace(r, role="fit") for r in fitted] + [replace(r, role="validate") for r in judges]
        found = corrected(replace(table, networks=tuple(records)), space).validation
        assert found is not None
        return found.mape_percent

    rows = []
    for size in (s for s in SIZES if s <= len(pool)):
        draws = [error([pool[i] for i in rng.permutation(len(pool))[:size]]) for _ in range(DRAWS)]
        rows.append({"n": size, "random_mape_percent": float(np.mean(draws))})
    rows.append({"n": len(chosen), "chosen_mape_percent": error(chosen)})
    return rows


def networks(table: LatencyTable, space: MobileSpace) -> list[dict[str, Any]]:
    """Return each held-out network with what was predicted and measured."""
    predictor = LatencyPredictor(table, space)
    records = [record for record in table.networks if record.role == "validate"]
    X = np.stack([space.encode(record.architecture) for record in records])
    rows = zip(records, predictor.predict_ms(X), predictor.std_ms(X), strict=True)
    return [
        {
            "architecture": record.architecture.to_json(),
            "measured_ms": record.measurement.median_ms,
            "verdict": record.measurement.verdict,
            "predicted_ms": float(predicted),
            "std_ms": float(std),
        }
        for record, predicted, std in rows
    ]


def result(table: LatencyTable, config: Config) -> dict[str, Any]:
    """Return conditions, errors, the fit by other numbers of networks, and every network."""
    space = find_space(config.space)
    return {
        "benchmark": "bench_latency",
        "load": config.load,
        "seed": config.seed,
        **{key: value for key, value in table.summary().items() if key != "validation"},
        "gauge_ns": table.settings.get("gauge_ns"),
        "errors": errors(table),
        "validation": table.validation.to_json() if table.validation else None,
        "by_fit_size": by_fit_size(table, space, config.seed),
        "networks": networks(table, space),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", choices=("onnxruntime", "litert"), default="onnxruntime")
    parser.add_argument("--space", default="mobilenetv3-w1.0")
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--load", type=int, default=0, help="busy processes beside it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, help="keep the table here")
    parser.add_argument("--json", type=Path, help="write conditions, errors and every network here")
    given = parser.parse_args()
    config = Config(given.runtime, given.space, given.networks, given.precision, given.load, given.seed)
    with TemporaryDirectory() as folder:
        table = measure(config, Path(folder))
    if given.table:
        table.save(given.table)
    if given.json:
        write_json(given.json, result(table, config))
    print(json.dumps(errors(table)))


if __name__ == "__main__":
    main()

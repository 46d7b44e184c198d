"""How many latencies a second are predicted, beside the lookup-table loop of the `ofa` package?

Both read the same published table (OFA's Note10 table of one resolution, a user's copy of it) and
predict the same networks of mobilenetv3-w1.2: ours as one call over an array of encodings, OFA's as
its ``predict_network_latency_given_config``, network by network, configurations made beforehand. The
two take turns in one process on one thread.

    pip install --no-deps ofa
    python benchmarks/bench_predict.py --table note10/160_lookup_table.yaml --json predict.json

Half a minute. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
import types
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from edgewright.files import write_json
from edgewright.latency.imported import import_table
from edgewright.latency.predictor import LatencyPredictor
from edgewright.spaces import Architecture, MobileSpace, find_space

ROUNDS = 5


def ofas_table(path: Path) -> Any:
    """Return OFA's own table of a file; of its package only this module is imported.

    The package as a whole needs torchvision, which this module uses for nothing but downloads.
    """
    found = importlib.util.find_spec("ofa")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the package ofa is not installed; run: pip install --no-deps ofa")
    source = Path(found.submodule_search_locations[0]) / "nas/efficiency_predictor/latency_lookup_table.py"
    utils: Any = types.ModuleType("ofa.utils")
    utils.download_url = utils.make_divisible = utils.MyNetwork = None
    sys.modules["ofa"], sys.modules["ofa.utils"] = types.ModuleType("ofa"), utils
    spec = importlib.util.spec_from_file_location("ofas_lookup_table", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = object.__new__(module.MBv3LatencyTable)  # its own reader needs a PyYAML before 6
    table.lut = yaml.safe_load(path.read_text("utf-8"))
    return table


def configuration(space: MobileSpace, arch: Architecture) -> dict[str, Any]:
    """Return a network as OFA's own configuration describes it."""
    first, *blocks, head = space.operators(arch)
    return {
        "first_conv": {"out_channels": first.out_channels},
        "blocks": [
            {
                "mobile_inverted_conv": {
                    "in_channels": op.in_channels,
                    "out_channels": op.out_channels,
                    "kernel_size": op.kernel_size,
                    "stride": op.stride,
                    "expand_ratio": op.mid_channels / op.in_channels,
                    "mid_channels": op.mid_channels,
                    "act_func": op.act,
                    "use_se": op.se,
                },
                "shortcut": {} if op.residual else None,
            }
            for op in blocks
        ],
        "final_expand_layer": {"in_channels": head.in_channels, "out_channels": head.mid_channels},
        "feature_mix_layer": {"in_channels": head.mid_channels, "out_channels": head.hidden_channels},
        "classifier": {"in_features": head.hidden_channels, "out_features": head.out_channels},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True, help="<resolution>_lookup_table.yaml")
    parser.add_argument("--networks", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    resolution = int(given.table.name.split("_")[0])
    space = find_space(f"mobilenetv3-w1.2@{resolution}")
    predictor = LatencyPredictor(import_table(given.table, "note10").latency_table(), space)
    theirs = ofas_table(given.table)
    X = space.sample(np.random.default_rng(0), given.networks)
    configurations = [configuration(space, space.decode(x)) for x in X[:500]]
    ours_s, theirs_s = list[float](), list[float]()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        predicted = predictor.predict_ms(X)
        ours_s.append((time.perf_counter() - start) / len(X))
        start = time.perf_counter()
        looked_up = [theirs.predict_network_latency_given_config(c, resolution) for c in configurations]
        theirs_s.append((time.perf_counter() - start) / len(configurations))
    found = {
        "networks": len(X),
        "ours_per_second": 1 / median(ours_s),
        "ofa_per_second": 1 / median(theirs_s),
        "times_faster": median(theirs_s) / median(ours_s),
        "largest_relative_difference": float(np.abs(predicted[:500] / looked_up - 1).max()),
    }
    if given.json:
        write_json(given.json, {"benchmark": "bench_predict", "rounds": ROUNDS, **found})
    print(json.dumps(found))


if __name__ == "__main__":
    main()

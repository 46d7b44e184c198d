import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from doubles import benchmark

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "benchmarks" / "bench_few_shot.py"
DATA = Path(os.environ.get("EDGEWRIGHT_DATA", ROOT.parent / "shared" / "data")) / "nb201_devices.npz"
run = partial(benchmark.run, BENCH)


def cells(path, n=1000, devices=("a", "b", "c", "d")):
    rng = np.random.default_rng(0)
    ops = rng.integers(0, 4, (n, 5)).astype(np.int8)
    arrays = {"ops": ops, "acc": rng.random(n)}
    for name in devices:
        costs = np.array([0.1, 0.5, 2.0, 5.0]) * np.exp(0.2 * rng.standard_normal((5, 4)))
        ms = 1.0 + costs[np.arange(5), ops.astype(int)].sum(axis=1)
        arrays[f"latency_ms_{name}"] = ms * np.exp(0.01 * rng.standard_normal(n))
    np.savez(path, **arrays)
    return path


def test_it_runs_on_any_file_and_ends_with_one_json_object(tmp_path):
    data, out = cells(tmp_path / "cells.npz"), tmp_path / "out.json"
    options = ["--samples", "5,15", "--seeds", "2", "--source-devices", "a,b,c", "--test-devices", "d"]
    done = run("--data", data, *options, "--json", out)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {"spearman", "mean"}
    assert found["mean"]["15"] == found["spearman"]["d"]["15"] > 0.9
    written = json.loads(out.read_text())
    assert written["config"]["sources"] == ["a", "b", "c"]
    assert set(written["baselines"]) == {
        "op-count ridge",
        "one-hot ridge",
        "ridge on source predictions",
        "mean of sources",
    }
    assert written["with_references"]["mean"]["5"] > 0.5
    assert written["chosen"]["mean"]["15"] > 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--test-devices", "z", "--source-devices", "a"], "no device z; the file has a, b, c, d"),
        (["--test-devices", "a", "--source-devices", "a"], "both a source and a test device"),
        ([], "none given; the file has a, b, c, d"),
        (["--samples", "ten"], "--samples takes numbers"),
        (["--samples", "1"], "--samples lie in"),
    ],
)
def test_a_wrong_request_is_one_line(tmp_path, options, said):
    done = run("--data", cells(tmp_path / "cells.npz"), *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_something_else_is_refused(tmp_path):
    text = tmp_path / "text.npz"
    text.write_text("no arrays")
    empty = tmp_path / "empty.npz"
    np.savez(empty, other=np.ones(3))
    few = cells(tmp_path / "few.npz", n=50)
    for path, said in ((text, "not a file of numpy arrays"), (empty, "needs ops"), (few, "more than 900")):
        done = run("--data", path)
        assert done.returncode == 2
        assert said in done.stderr


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_file(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_help_protocol_meets_its_bars():
    done = run("--data", DATA, "--protocol", "help", "--samples", "10,20")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["mean"]["10"] >= 0.932
    assert found["mean"]["20"] >= 0.945
    assert found["spearman"]["raspi4"]["20"] >= 0.90

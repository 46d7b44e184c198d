import importlib
import json
import os
from functools import partial
from pathlib import Path

import pytest
from doubles import benchmark

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "benchmarks" / "bench_accuracy_predictor.py"
DATA = Path(os.environ.get("EDGEWRIGHT_DATA", ROOT.parent / "shared" / "data"))
run = partial(benchmark.run, BENCH)


def test_it_learns_from_few_accuracies_of_any_file_and_ends_with_one_json_object(cells, tmp_path):
    out, column = tmp_path / "out.json", f"{cells}:accuracy"
    options = ["--samples", "30,60", "--draws", "2", "--surrogates", "ridge", "--json", out]
    done = run("--train", column, "--test", column, *options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == ["kendall_tau", "draws"]
    assert 0.3 < found["kendall_tau"]["ridge"]["30"] < found["kendall_tau"]["ridge"]["60"] < 1
    written = json.loads(out.read_text())
    assert written["tau_of_the_labels"] == pytest.approx(1.0)
    assert len(written["tau"]["ridge"]["30"]["each"]) == 2
    assert written["config"]["train"] == "cells.npz:accuracy"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--samples", "ten"], "--samples takes numbers"),
        (["--samples", "2"], "--samples lie in"),
        (["--surrogates", "oracle"], "there is no surrogate 'oracle', known: auto, ridge"),
        (["--test", "accuracy"], "--test takes FILE:COLUMN, got 'accuracy'"),
        (["--test", "none.npz:accuracy"], "none.npz does not exist"),
    ],
)
def test_a_wrong_request_is_one_line(cells, monkeypatch, capsys, options, said):
    monkeypatch.syspath_prepend(BENCH.parent)
    asked = ["--train", f"{cells}:accuracy", "--test", f"{cells}:accuracy", *options]
    assert importlib.import_module("bench_accuracy_predictor").main(asked) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_lightgbm_ranks_published_cells_far_better_than_pinat():  # .549, .631 and .706 in its table 1
    done = run(
        "--train",
        f"{DATA / 'nb201_hwnasbench.npz'}:val_acc_cifar10",
        "--test",
        f"{DATA / 'nb201_devices.npz'}:acc_cifar10",
        *("--samples", "78,156,469", "--draws", "10", "--surrogates", "lightgbm"),
    )
    assert done.returncode == 0, done.stderr
    tau = json.loads(done.stdout.splitlines()[-1])["kendall_tau"]["lightgbm"]
    assert tau["78"] >= 0.77
    assert tau["156"] >= 0.825
    assert tau["469"] >= 0.865

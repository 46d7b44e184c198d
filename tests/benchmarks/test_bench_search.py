import importlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from doubles import benchmark

from edgewright.search.problems import KnownFront

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "benchmarks" / "bench_search.py"
DATA = Path(os.environ.get("EDGEWRIGHT_DATA", ROOT.parent / "shared" / "data"))
run = partial(benchmark.run, BENCH)


def of(cells):
    return ["--problem", "nb201", "--data", cells, "--accuracy", "accuracy", "--latency", "latency_ms_pi"]


def test_it_runs_on_any_file_of_cells_and_ends_with_one_json_object(cells, tmp_path):
    out = tmp_path / "out.json"
    options = ["--evaluations", "40", "--at", "20,40", "--seeds", "2", "--methods", "edgewright,random"]
    done = run(*of(cells), *options, "--json", out)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert list(last) == ["hypervolume_ratio", "evaluations_to_0.95", "seeds"]
    assert last["seeds"] == 2
    assert set(last["hypervolume_ratio"]) == set(last["evaluations_to_0.95"]) == {"edgewright", "random"}
    for ratios in last["hypervolume_ratio"].values():
        assert list(ratios) == ["20", "40"]
        assert 0 < ratios["20"] <= ratios["40"] <= 1
    assert last["hypervolume_ratio"]["edgewright"]["40"] > last["hypervolume_ratio"]["random"]["40"]
    written = json.loads(out.read_text())
    ours = written["methods"]["edgewright"]
    assert ours["evaluated"] == ours["asked"] == [40, 40]
    assert ours["search_seconds_per_iteration"]["mean"] > 0
    assert np.array(written["trajectories"]["random"]).shape == (2, 40, 2)
    assert len(ours["mean_curve"]) == 40
    assert ours["mean_curve"][-1] == pytest.approx(last["hypervolume_ratio"]["edgewright"]["40"], abs=1e-4)
    assert written["config"]["data"] == "cells.npz"


def test_several_costs_are_as_many_objectives_and_the_batch_is_ours(cells, tmp_path):
    out = tmp_path / "out.json"
    columns = ["--problem", "nb201", "--data", cells, "--accuracy", "accuracy"]
    columns += ["--latency", "latency_ms_pi,latency_ms_gpu"]
    options = ["--evaluations", "40", "--seeds", "1", "--methods", "edgewright,nsga2", "--batch", "8"]
    done = run(*columns, *options, "--json", out)
    assert done.returncode == 0, done.stderr
    written = json.loads(out.read_text())
    assert written["problem"]["objectives"] == ["error", "latency_ms_pi", "latency_ms_gpu"]
    assert written["config"]["batch"] == 8
    assert np.array(written["trajectories"]["nsga2"]).shape == (1, 40, 3)
    last = json.loads(done.stdout.splitlines()[-1])["hypervolume_ratio"]
    assert 0 < last["nsga2"]["40"] < last["edgewright"]["40"] <= 1


def test_the_same_seeds_give_the_same_figures_however_many_run_at_a_time(cells):
    options = ["--evaluations", "30", "--seeds", "2", "--methods", "nsga2"]
    lines = [run(*of(cells), *options, "--jobs", jobs).stdout.splitlines()[-1] for jobs in (1, 2)]
    assert lines[0] == lines[1]


@pytest.fixture(scope="module")
def earlier(cells, tmp_path_factory):
    """A file of two methods, as an earlier run wrote it."""
    out = tmp_path_factory.mktemp("earlier") / "earlier.json"
    done = run(*of(cells), "--evaluations", "30", "--seeds", "2", "--methods", "nsga2,random", "--json", out)
    assert done.returncode == 0, done.stderr
    return out


def test_methods_of_an_earlier_file_stand_beside_new_ones_as_if_all_had_run_now(cells, earlier, tmp_path):
    out, whole = tmp_path / "out.json", tmp_path / "whole.json"
    asked = [*of(cells), "--evaluations", "30", "--seeds", "2"]
    done = run(*asked, "--methods", "edgewright,random", "--add-to", earlier, "--json", out)
    assert done.returncode == 0, done.stderr
    assert "nsga2 seed" not in done.stderr  # it did not run again
    at_once = run(*asked, "--methods", "edgewright,random,nsga2", "--json", whole)
    assert at_once.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
    added, expected = json.loads(out.read_text()), json.loads(whole.read_text())
    assert list(added["methods"]) == added["config"]["methods"] == ["edgewright", "random", "nsga2"]
    assert added["trajectories"] == expected["trajectories"]
    needs = [one["methods"]["nsga2"]["edgewright_needs_for_its_last"] for one in (added, expected)]
    assert needs[0] == needs[1] is not None
    assert list(added["taken_over"]) == ["nsga2"]
    assert added["taken_over"]["nsga2"]["file"] == "earlier.json"
    assert "pymoo" in added["taken_over"]["nsga2"]["conditions"]["packages"]
    # What was taken over is told again by who takes that file over, also of before costs were a list.
    before, third = tmp_path / "before.json", tmp_path / "third.json"
    added["config"]["latency"] = added["config"]["latency"][0]
    before.write_text(json.dumps(added))
    done = run(*asked, "--methods", ",", "--add-to", before, "--json", third)
    assert done.returncode == 0, done.stderr
    told = json.loads(third.read_text())
    assert told["methods"] == added["methods"]
    assert told["taken_over"]["nsga2"] == added["taken_over"]["nsga2"]
    assert told["taken_over"]["random"]["file"] == "before.json"


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        (["--evaluations", "40"], {}, "has evaluations 30, expected 40"),
        (["--seeds", "3"], {}, "has seeds 2, expected 3"),
        (["--latency", "latency_ms_gpu"], {}, "has latency ['latency_ms_pi'], expected ['latency_ms_gpu']"),
        ([], {"conditions": {"data_sha256": {"cells.npz": "0"}}}, "is of other data (data_sha256)"),
        ([], {"problem": {"nadir": [1.0, 2.0]}}, "is of another known front (nadir)"),
        ([], {"methods": None}, "is no result of bench_search.py"),
        ([], {"methods": {"nsga2": {}}}, "has no mean_curve of nsga2"),
        ([], None, "is truncated or not JSON"),
        (["--add-to", "the same"], {}, "nsga2 is in"),
    ],
)
def test_a_file_that_was_asked_something_else_is_not_taken_over(
    cells, earlier, tmp_path, monkeypatch, capsys, options, change, said
):
    changed = tmp_path / "changed.json"
    written = json.loads(earlier.read_text())
    for part, value in (change or {}).items():
        written[part] = {**written[part], **value} if isinstance(value, dict) else value
    changed.write_text("{" if change is None else json.dumps(written))
    monkeypatch.syspath_prepend(BENCH.parent)
    asked = ["--evaluations", "30", "--seeds", "2", "--methods", "random", "--add-to", str(changed)]
    options = [str(changed) if option == "the same" else option for option in options]
    bench = importlib.import_module("bench_search")
    assert bench.main([*map(str, of(cells)), *asked, *options]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1


def test_optuna_searches_the_same_problem(cells):
    pytest.importorskip("optuna")
    options = ["--evaluations", "30", "--seeds", "1", "--methods", "optuna-nsga2,optuna-tpe"]
    done = run(*of(cells), *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["hypervolume_ratio"]["optuna-tpe"]["30"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--methods", "hill,random"], "there is no 'hill', known: edgewright, random"),
        (["--methods", ","], "names none"),
        (["--batch", "0"], "--batch are at least 1"),
        (["--seeds", "0"], "--seeds lie in"),
        (["--evaluations", "-3"], "at least 1"),
        (["--at", "ten"], "--at takes numbers"),
        (["--at", "500"], r"--at lies in [1, 200], got 500"),
        (["--accuracy", "a"], "no column 'a'; its columns are accuracy, latency_ms_gpu"),
        (["--accuracy", "", "--latency", ""], "needs --accuracy COLUMN and --latency COLUMN"),
        (["--problem", "ofa-mbv3"], "accuracy_predictor.npz"),
    ],
)
def test_a_wrong_request_is_one_line(cells, monkeypatch, capsys, options, said):
    monkeypatch.syspath_prepend(BENCH.parent)
    assert importlib.import_module("bench_search").main([*map(str, of(cells)), *options]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_the_front_of_ofa_is_that_of_its_data_and_nothing_of_a_short_search_beats_it(tmp_path):
    out = tmp_path / "out.json"
    options = ["--evaluations", "60", "--seeds", "1", "--methods", "edgewright,random", "--json", out]
    done = run("--problem", "ofa-mbv3", "--data", DATA / "ofa_mbv3", *options)
    assert done.returncode == 0, done.stderr
    ratios = json.loads(done.stdout.splitlines()[-1])["hypervolume_ratio"]
    assert 0.5 < ratios["random"]["60"] < ratios["edgewright"]["60"] < 1
    assert "evaluations" in json.loads(out.read_text())["problem"]["front_source"]


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_fronts_of_other_data_are_refused(tmp_path):
    front = json.loads((ROOT / "benchmarks" / "assets" / "ofa-mbv3-note10-front.json").read_text())
    front["objectives"][0][0] += 1
    for name, text, said in (
        ("other", json.dumps(front), "is of other data"),
        ("empty", "{}", "cannot be read ('encodings')"),
        ("half", json.dumps(front)[:99], "is truncated or not JSON"),
    ):
        file = tmp_path / f"{name}.json"
        file.write_text(text)
        done = run("--problem", "ofa-mbv3", "--data", DATA / "ofa_mbv3", "--front", file)
        assert done.returncode == 2
        assert said in done.stderr
        assert "make_ofa_front.py" in done.stderr


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_a_small_search_for_the_front_of_ofa_ends_below_the_committed_one(tmp_path):
    out = tmp_path / "front.json"
    options = ["--seeds", "2", "--evaluations", "40000", "--rounds", "1"]
    make = ROOT / "benchmarks" / "make_ofa_front.py"
    command = [sys.executable, str(make), "--data", str(DATA / "ofa_mbv3"), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    small, committed = (
        KnownFront.of(np.array(json.loads(path.read_text())["objectives"]), "")
        for path in (out, ROOT / "benchmarks" / "assets" / "ofa-mbv3-note10-front.json")
    )
    assert 0.85 < committed.hypervolume_ratio(small.F) < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "package"), [("smac", "smac"), ("botorch", "botorch"), ("syne-tune", "syne_tune")]
)
def test_slow_packages_search_the_same_problem_where_they_are_installed(cells, tmp_path, method, package):
    pytest.importorskip(package)
    asked = [*of(cells), "--evaluations", "32", "--seeds", "1", "--methods", method]
    found = []
    for name in ("once.json", "again.json"):
        done = run(*asked, "--json", tmp_path / name)
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / name).read_text()))
    assert found[0]["methods"][method]["hypervolume_ratio"]["32"] > 0.3
    assert found[0]["methods"][method]["evaluated"] == [32]
    assert found[0]["trajectories"] == found[1]["trajectories"]  # else it could not be taken over

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_evaluators.py"


@pytest.mark.slow
def test_it_ends_with_one_json_object_of_rates_and_ratios(tmp_path):
    out = tmp_path / "out.json"
    options = ["--quick", "--without-ray", "--space", "mobilenetv3-small-image@16", "--json", str(out)]
    done = subprocess.run([sys.executable, str(BENCH), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["evaluations_per_s"]) == {"this process", "1 worker", "2 workers"}
    assert set(found["ratio_to_1_worker"]) == {"this process", "2 workers"}
    assert set(found["share_of_ceiling"]) == {"2 workers"}
    assert found["ceiling"] > 0
    assert found["iqr"]["ceiling"] == 0.0, "of one round"
    assert set(found["iqr"]) == {*found} - {"iqr", "rounds"}
    assert set(found["first_s"]) == set(found["evaluations_per_s"])
    written = json.loads(out.read_text())
    assert written["summary"] == found
    assert len(written["rates"]["1 worker"]) == 1

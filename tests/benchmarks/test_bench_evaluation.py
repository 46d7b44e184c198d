import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_evaluation.py"


@pytest.mark.slow
def test_it_ends_with_one_json_object_of_what_each_side_takes(tmp_path):
    out = tmp_path / "out.json"
    options = ["--quick", "--spaces", "mobilenetv3-small-image@16", "--json", str(out)]
    done = subprocess.run([sys.executable, str(BENCH), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    (sides,) = found.values()
    assert set(sides) == {"ours", "unfolded", "batches of 128", "small pages", "plain"}
    assert sides["ours"]["times_ours"] == 1.0
    assert all(side["predict_ms"] > 0 and side["calibrate_ms"] > 0 for side in sides.values())
    written = json.loads(out.read_text())
    assert written["summary"] == found
    assert all(len(rounds) == 1 for rounds in written["rounds"]["mobilenetv3-small-image@16"].values())

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from doubles.fake_device import measured_law_ms
from doubles.fake_spaces import small_space

from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.spaces.operator import with_leads

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("resumable_profile.py")
PASSES = 2


def start(folder, *arguments):
    path = os.pathsep.join([str(ROOT / "sdk"), str(ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(folder):
    lines = (folder / "journal").read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def visits(folder, kind):
    counts = {}
    for record in records(folder):
        for item in record.get("visits", ()):
            if kind not in item["subject"]:
                continue
            key = json.dumps(item["subject"])
            counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("n_kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_profiles_that_are_killed_again_and_again_finish_and_repeat_nothing(n_kills, tmp_path):
    rng, kills = random.Random(0), 0
    for number in range(n_kills):
        folder = tmp_path / str(number)
        folder.mkdir()
        while not (folder / "table.json").exists():
            process = start(folder)
            process.stdout.readline()  # imports are over, measuring begins
            time.sleep(rng.uniform(0.02, 0.4))
            if kills < n_kills and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            _, errors = process.communicate(timeout=60)
            assert process.returncode in (0, -signal.SIGKILL), errors
        assert set(visits(folder, "operator").values()) == {PASSES}
        assert set(visits(folder, "architecture").values()) == {ProfileConfig().network_visits}
        table = LatencyTable.load(folder / "table.json")
        assert set(table.entries) == set(with_leads(small_space().all_operators()))
        assert all(abs(entry.median_ms - measured_law_ms(op)) < 1e-4 for op, entry in table.entries.items())
        assert not (folder / "journal.artifacts").exists()
        if kills == n_kills:
            return
    raise AssertionError(f"only {kills} processes could be killed")


def test_a_profile_that_is_killed_while_the_vendors_tool_runs_loses_nothing(tmp_path):
    process = start(tmp_path)
    while not (tmp_path / "asked").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    before = records(tmp_path)
    assert before[-1] == {"kind": "trying", "key": "cross-check"}
    process = start(tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    added = records(tmp_path)[len(before) :]
    assert [record["kind"] for record in added] == ["started", "trying", "cross-check"]
    assert LatencyTable.load(tmp_path / "table.json").cross_check.found.tool == "the tool"


def test_an_operator_that_crashes_the_process_is_excluded_after_three_crashes(tmp_path):
    operator = small_space().block(1, 8, 3, 3)
    for _ in range(3):
        process = start(tmp_path, operator.key)
        process.communicate(timeout=60)
        assert process.returncode == 139
    process = start(tmp_path, operator.key)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    table = LatencyTable.load(tmp_path / "table.json")
    assert set(table.failures) == {operator}
    assert "took the process down 3 times" in table.failures[operator].reason


def test_a_second_process_on_the_same_journal_is_refused(tmp_path):
    first = start(tmp_path)
    first.stdout.readline()
    while not (tmp_path / "journal").exists() or not (tmp_path / "journal").stat().st_size:
        time.sleep(0.005)
    second = start(tmp_path)
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert second.returncode != 0
    assert "another process measures into" in errors

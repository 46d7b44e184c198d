"""A search that is killed at any point and started again ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from doubles.archives import rows

import edgewright
from edgewright.errors import RunError
from edgewright.search import Archive

SCRIPT = Path(__file__).with_name("resumable_search.py")
PATHS = [str(Path(edgewright.__file__).parents[1]), str(SCRIPT.parents[1])]


def start(archive: Path, workers: int = 0) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(archive), str(workers)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )


def kill_after(archive: Path, line: str, *, delay: float = 0.0, workers: int = 0) -> None:
    """Run the search until it prints ``line``, wait ``delay`` seconds, and kill it."""
    process = start(archive, workers)
    assert process.stdout is not None
    for printed in process.stdout:
        if printed.strip() == line:
            time.sleep(delay)
            break
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL


def reports(path: Path) -> list[dict[str, object]]:
    with Archive.read(path) as archive:
        return [
            {key: value for key, value in report.items() if not key.endswith("_seconds")}
            for report in archive.reports
        ]


def test_a_search_killed_at_several_points_ends_with_the_archive_of_an_undisturbed_one(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed.sqlite", tmp_path / "disturbed.sqlite"
    assert start(undisturbed).wait() == 0
    kill_after(disturbed, "evaluated 5")  # in the initial design
    kill_after(disturbed, "evaluated 14")  # between the last evaluation and the iteration's report
    kill_after(disturbed, "iteration 1", delay=0.1)  # while the next infill is being chosen
    kill_after(disturbed, "evaluated 21", delay=0.01)  # within an evaluation
    kill_after(disturbed, "evaluated 30")  # the last evaluation is saved, the last report is not
    with Archive.read(disturbed) as archive:
        assert len(archive) == 30
    assert start(disturbed).wait() == 0
    assert rows(disturbed) == rows(undisturbed)
    assert len(rows(disturbed)) == 30
    assert any("diverged" in row for row in rows(disturbed))
    assert reports(disturbed) == reports(undisturbed)


def test_a_search_with_workers_killed_at_random_ends_with_the_archive_of_one_without(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed.sqlite", tmp_path / "disturbed.sqlite"
    assert start(undisturbed).wait() == 0
    rng = np.random.default_rng()
    points = np.sort(rng.choice(np.arange(1, 30), 2, replace=False)).tolist()
    for workers, point in zip((2, 3), points, strict=True):
        with suppress(RunError), Archive.read(disturbed) as archive:
            if len(archive) >= point:  # the kill before came late
                continue
        kill_after(disturbed, f"evaluated {point}", delay=float(rng.uniform(0.0, 0.05)), workers=workers)
    assert start(disturbed, 2).wait() == 0
    assert rows(disturbed) == rows(undisturbed), f"killed after {points}"
    assert reports(disturbed) == reports(undisturbed)

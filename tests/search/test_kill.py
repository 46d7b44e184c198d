"""A search that is killed at any point and started again ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import edgewright
from edgewright.search import Archive

SCRIPT = Path(__file__).with_name("resumable_search.py")
PATHS = [str(Path(edgewright.__file__).parents[1]), str(SCRIPT.parents[1])]


def start(archive: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(archive)], stdout=subprocess.PIPE, env=environment, text=True
    )


def kill_after(archive: Path, line: str, *, delay: float = 0.0) -> None:
    """Run the search until it prints ``line``, wait ``delay`` seconds, and kill it."""
    process = start(archive)
    assert process.stdout is not None
    for printed in process.stdout:
        if printed.strip() == line:
            time.sleep(delay)
            break
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL


def rows(path: Path) -> list[tuple[object, ...]]:
    """Return every column of every row but wall-clock seconds."""
    with Archive.read(path) as archive:
        return [
            (r.id, r.x, r.objectives, r.constraints, r.iteration, r.position, r.seed, r.failure)
            for r in archive.evaluations
        ]


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
    assert any(row[-1] == "diverged" for row in rows(disturbed))
    assert reports(disturbed) == reports(undisturbed)

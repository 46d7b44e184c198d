import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from contracts.crew_contract import CrewContract, by_row, gone, rows
from doubles.search_problems import ListSpace

from edgewright.errors import RunError
from edgewright.evaluation import EvaluatorSpec, Patience, ProcessPool
from edgewright.evaluation import pool as pool_module
from edgewright.evaluation.limit import USUAL
from edgewright.search import Archive, Failure, SearchConfig, run_search

PARENT = """
import sys
import numpy as np
from edgewright.evaluation import EvaluatorSpec, ProcessPool

spec = EvaluatorSpec(factory="doubles.evaluators:" + sys.argv[1], arguments={"notes": sys.argv[2]})
with ProcessPool(spec, 2) as pool:
    list(pool(np.array([[3], [3], [3]])))
"""


@pytest.fixture
def crew():
    made = []

    def make(factory, n_workers=2, time_limit_s=None, patience=USUAL, effort=None, **arguments):
        spec = EvaluatorSpec(factory=f"doubles.evaluators:{factory}", arguments=arguments)
        made.append(ProcessPool(spec, n_workers, time_limit_s=time_limit_s, patience=patience, effort=effort))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


class TestProcessPool(CrewContract):
    def test_a_worker_that_is_killed_from_outside_is_replaced(self, crew, tmp_path):
        pool = crew("troubled", notes=str(tmp_path))
        killed = False
        found = []
        for answer in pool(rows(*range(20, 40))):
            found.append(answer)
            if not killed:
                for worker in pool.workers.values():
                    os.kill(worker.process.pid, signal.SIGKILL)
                killed = True
        assert [a.outcome for a in by_row(found)] == [code / 100 for code in range(20, 40)]

    def test_a_lost_worker_is_quoted(self, crew, tmp_path):
        (answer,) = crew("troubled", notes=str(tmp_path))(rows(4))
        assert "SIGKILL" in answer.outcome.reason
        assert answer.outcome.reason.endswith("out of luck")
        with pytest.raises(RunError, match="status 1: cannot allocate memory"):
            list(crew("dies_while_it_loads")(rows(1)))

    def test_what_lost_its_worker_is_tried_again_alone_when_the_others_are_done(self, crew, tmp_path):
        found = by_row(crew("crowded", n_workers=3, notes=str(tmp_path))(rows(5, 20, 21, 22, 6, 23)))
        assert [a.outcome for a in found] == [0.05, 0.2, 0.21, 0.22, 0.06, 0.23]
        assert [a.attempts for a in found] == [2, 1, 1, 1, 2, 1]
        begun = [line.split() for line in (tmp_path / "begun").read_text().splitlines()]
        assert {code for code, _ in begun[-2:]} == {"5", "6"}
        assert [others for _, others in begun[-2:]] == ["0", "0"]

    def test_time_in_which_this_process_was_stopped_is_no_workers_fault(self, crew, monkeypatch):
        pool = crew("formula", n_workers=1, seconds=0.3, time_limit_s=5.0)
        X = np.ones((2, 28), dtype=np.int64)
        list(pool(X[:1]))
        clock, jumps = time.monotonic, [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock() + jumps[0])
        tell = pool._next

        def stopped_for_an_hour(timeout_s):
            jumps[0] += 3600.0
            return tell(timeout_s)

        pool._next = stopped_for_an_hour
        assert not isinstance(next(iter(pool(X[1:]))).outcome, Failure)

    @pytest.mark.skipif(sys.platform != "linux", reason="what keeps Python busy is ended by Linux alone")
    @pytest.mark.parametrize("factory", ["troubled", "keeps_python_busy"])
    def test_workers_end_with_a_parent_that_is_killed(self, tmp_path, factory):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        parent = subprocess.Popen([sys.executable, "-c", PARENT, factory, str(tmp_path)], env=environment)
        try:
            deadline = time.monotonic() + 60.0
            pids = set()
            while len(pids) < 2:
                assert time.monotonic() < deadline
                assert parent.poll() is None
                time.sleep(0.02)
                if factory == "troubled" and (tmp_path / "begun").exists():
                    lines = (tmp_path / "begun").read_text().splitlines()
                    pids = {int(line.split()[1]) for line in lines}
                else:
                    pids = {int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()}
        finally:
            parent.kill()
            parent.wait()
        assert all(gone(pid) for pid in pids)


def test_workers_that_fill_the_machine_keep_to_cores_of_their_own(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 4, 6}, raising=False)
    assert [pool_module._cores(slot, 4, 1) for slot in range(4)] == [[1], [3], [4], [6]]
    assert [pool_module._cores(slot, 2, 2) for slot in range(2)] == [[1, 3], [4, 6]]
    assert pool_module._cores(0, 2, 1) == pool_module._cores(0, 5, 1) == [], "they go where they like"


@pytest.mark.parametrize(
    "limit",
    [
        {"time_limit_s": 1.5},
        {"patience": Patience(factor=10.0, floor_s=1.5, n_first=3, first_s=60.0)},
    ],
    ids=["given", "usual"],
)
def test_a_search_sets_a_network_aside_that_hangs_and_does_not_try_it_again(crew, tmp_path, limit):
    space = ListSpace(8)

    def go_on(archive, evaluations):
        return run_search(
            space,
            evaluate=crew("hangs_once", notes=str(tmp_path), **limit),
            objectives={"size": lambda X: X[:, 0] + 1.0},
            budgets={},
            archive=archive,
            config=SearchConfig(evaluations=evaluations, n_initial=4, n_infill=2, surrogate="ridge"),
        )

    with Archive.open(tmp_path / "archive.sqlite") as archive:
        go_on(archive, 6)
    with Archive.open(tmp_path / "archive.sqlite") as archive:
        assert go_on(archive, 8).n_failures == 1
        (failed,) = archive.failures
        assert (failed.x, failed.failure_kind, failed.objectives) == ((3,), "hung", None)
        assert sorted(row.objectives[0] for row in archive.succeeded) == sorted(
            1.0 / (1 + n) for n in range(8) if n != 3
        )
    assert (tmp_path / "asked").read_text().splitlines().count("3") == 1

"""What every crew of workers must hold. Subclass it with a fixture ``crew``.

``crew(factory, n_workers=2, time_limit_s=None, patience=USUAL, effort=None, **arguments)`` returns a crew
whose workers call that factory of :mod:`doubles.evaluators`; the fixture closes it.
"""

import os
import time

import numpy as np
import pytest
from doubles.evaluators import SPACE
from doubles.search_problems import SyntheticProblem

from edgewright.errors import DataError, RunError, UsageError
from edgewright.evaluation import Attention, Patience
from edgewright.evaluation.limit import TimeLimit
from edgewright.search import Failure

PATIENCE_S = 30.0


def rows(*codes):
    return np.array(codes, dtype=np.int64)[:, None]


def by_row(answers):
    """Return the answers in the order of their rows, each of which has one."""
    found = sorted(answers, key=lambda answer: answer.row)
    assert [answer.row for answer in found] == list(range(len(found)))
    return found


def gone(pid):
    """Return whether a process ends within a while."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        try:
            with open(f"/proc/{pid}/stat") as stream:  # noqa: PTH123  # it may go while it is read
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True  # nobody has asked how it ended yet
        except OSError:
            return True
        time.sleep(0.05)
    return False


class CrewContract:
    """The same from a process and from an actor."""

    def test_what_takes_longest_is_begun_first(self, crew, tmp_path):
        workers = crew("troubled", n_workers=1, notes=str(tmp_path), effort=lambda X: X[:, 0] // 10)
        answers = list(workers(rows(20, 41, 33, 40, 90)))
        assert [answer.row for answer in answers] == [4, 1, 3, 2, 0]
        assert [answer.outcome for answer in by_row(answers)] == [0.2, 0.41, 0.33, 0.4, 0.9]
        assert [answer.row for answer in crew("troubled", 1, notes=str(tmp_path))(rows(20, 41, 33))] == [
            0,
            1,
            2,
        ]

    def test_every_network_has_its_own_error_whoever_evaluates_it(self, crew):
        problem = SyntheticProblem(SPACE)
        X = problem.space.sample(np.random.default_rng(0), 24)
        workers = crew("formula", seconds=0.02)
        found = by_row(workers(X))
        for x, answer in zip(X, found, strict=True):
            if int(x.sum()) % 9 == 0:
                assert answer.outcome == Failure("diverged")
            else:
                assert answer.outcome == problem.error(x[None])[0], "bit for bit"
            assert answer.seconds >= 0.02
            assert answer.attempts == 1
        assert by_row(workers(X[:3]))[2].outcome == found[2].outcome, "it stays, and may be asked again"
        assert list(workers(X[:0])) == []

    def test_whatever_an_evaluation_does_concerns_its_own_network(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path))
        found = by_row(workers(rows(0, 1, 2, 4, 5, 7, 8, 9)))
        fine = {row: a.outcome for row, a in enumerate(found) if not isinstance(a.outcome, Failure)}
        assert fine == {0: 0.0, 2: fine.get(2), 4: 0.05, 5: 0.07, 6: 0.08, 7: 0.09}
        assert np.isnan(fine[2]), "a failure to the search, which checks what it gets"
        kinds = {row: a.outcome.kind for row, a in enumerate(found) if isinstance(a.outcome, Failure)}
        assert kinds == {1: "raised", 3: "lost"}
        assert found[1].outcome.reason == "ValueError: no such layer"
        assert "lost 2 workers" in found[3].outcome.reason
        assert [a.attempts for a in found] == [1, 1, 1, 2, 2, 1, 1, 1]

    def test_an_evaluation_that_hangs_is_given_up_and_the_others_go_on(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path), time_limit_s=1.5)
        (hung,) = workers(rows(3))
        assert hung.outcome.kind == "hung"
        assert "within the time limit of 1.5 s" in hung.outcome.reason
        assert hung.seconds >= 1.5
        assert hung.attempts == 1
        workers.limit = TimeLimit(60.0)
        assert [a.outcome for a in by_row(workers(rows(9, 10)))] == [0.09, 0.1]

    def test_without_a_limit_what_hangs_is_known_by_how_long_the_others_took(self, crew, tmp_path):
        patience = Patience(factor=10.0, floor_s=1.0, n_first=3, first_s=60.0)
        workers = crew("troubled", notes=str(tmp_path), patience=patience)
        found = by_row(workers(rows(3, 9, 10, 11)))
        assert [a.outcome for a in found[1:]] == [0.09, 0.1, 0.11]
        assert found[0].outcome.kind == "hung"
        assert "the longest of 3 others" in found[0].outcome.reason
        assert "--time-limit" in found[0].outcome.reason
        assert found[0].seconds < 30.0, "not what is waited for the first"

    def test_what_takes_long_is_told_of_once_and_goes_on(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path), time_limit_s=4.0)
        told = []
        workers.on_slow = told.append
        workers.attention = Attention(factor=2.0, floor_s=0.5, first_s=0.5)
        found = by_row(workers(rows(3, 9, 10, 11)))
        (slow,) = told
        assert slow.x == (3,)
        assert slow.worker == found[0].worker
        assert 0.5 < slow.seconds < found[0].seconds
        assert slow.limit_s == 4.0
        assert slow.longest_s is not None
        assert found[0].outcome.kind == "hung", "it was not given up for being slow"

    def test_workers_may_get_ready_before_there_is_work(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path))
        workers.prepare(0)
        assert not workers.workers
        workers.prepare(3)
        assert len(workers.workers) == 2
        assert [a.outcome for a in by_row(workers(rows(9, 10)))] == [0.09, 0.1]

    def test_an_error_of_the_sdk_ends_the_batch_and_not_the_crew(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path))
        with pytest.raises(DataError, match="images are gone; put them back"):
            list(workers(rows(6, 9, 10)))
        assert [a.outcome for a in by_row(workers(rows(9, 10)))] == [0.09, 0.1]

    def test_a_batch_that_nobody_waits_for_answers_no_later_one(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path))
        batch = workers(rows(9, 3))
        assert next(batch).outcome == 0.09
        batch.close()
        assert [a.outcome for a in by_row(workers(rows(20, 21, 22)))] == [0.2, 0.21, 0.22]

    def test_no_worker_outlives_its_crew(self, crew, tmp_path):
        workers = crew("troubled", notes=str(tmp_path))
        batch = workers(rows(3, 9, 10))
        next(batch), next(batch)
        workers.close()
        pids = {int(line.split()[1]) for line in (tmp_path / "begun").read_text().splitlines()}
        assert len(pids) == 2
        assert os.getpid() not in pids
        assert all(gone(pid) for pid in pids)

    def test_what_a_worker_cannot_load_is_said_as_it_says_it(self, crew):
        with pytest.raises(DataError, match="images of this evaluator are gone"):
            list(crew("cannot_load")(rows(1)))
        with pytest.raises(UsageError, match="name a function that every worker can import"):
            list(crew("no_such_function")(rows(1)))

    def test_a_factory_that_raises_is_told_in_its_own_words(self, crew):
        with pytest.raises(UsageError, match=r"ValueError: weights\.bin has 3 tensors"):
            list(crew("refuses", how="raises")(rows(1)))

    def test_workers_that_never_get_ready_end_the_search(self, crew):
        with pytest.raises(RunError, match=r"3 workers in a row ended before they were ready.*--workers"):
            list(crew("dies_while_it_loads")(rows(1, 2, 3)))

    def test_a_factory_that_lacks_memory_is_told_to_have_fewer_beside_it(self, crew):
        with pytest.raises(RunError, match=r"3 workers in a row.*MemoryError.*--workers"):
            list(crew("refuses", how="memory")(rows(1, 2, 3)))

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"n_workers": 0}, "at least 1 worker"),
            ({"n_workers": "2"}, "whole number.*at least 1 worker, got '2'"),
            ({"time_limit_s": -1.0}, "time limit"),
            ({"time_limit_s": float("nan")}, "time limit"),
        ],
    )
    def test_numbers_that_cannot_be_are_refused(self, crew, options, named):
        with pytest.raises(UsageError, match=named):
            crew("formula", **options)

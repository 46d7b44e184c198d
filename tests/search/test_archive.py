import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from doubles.search_problems import SyntheticProblem

import edgewright
from edgewright.errors import RunError, SDKError, StorageError
from edgewright.search import Archive, SearchConfig, run_search

DATA = Path(__file__).parents[1] / "data"


def add(archive, x, *, error=0.5, failure=None, iteration=0, position=None):
    return archive.add(
        x,
        objectives=None if failure else (error, 2.0),
        iteration=iteration,
        position=len(archive) if position is None else position,
        seed=3,
        seconds=0.1,
        failure=failure,
    )


def test_what_was_added_is_there_after_opening_again(tmp_path):
    path = tmp_path / "run" / "archive.sqlite"
    with Archive.open(path, {"weights": "abc"}) as archive:
        add(archive, np.array([1, 2, 3]), error=0.1 + 0.2)
        add(archive, (0, 0, 1), failure="out of memory")
        before = archive.evaluations
    with Archive.open(path, {"weights": "abc"}) as archive:
        assert archive.evaluations == before
        assert archive.X.tolist() == [[1, 2, 3]]
        assert archive.F.tolist() == [[0.1 + 0.2, 2.0]]
        assert [row.failure for row in archive.failures] == ["out of memory"]


def test_ids_count_from_one_in_the_order_of_evaluation(tmp_path):
    with Archive.open(tmp_path / "a.sqlite") as archive:
        assert [add(archive, (i,)).id for i in range(3)] == [1, 2, 3]


def test_an_empty_archive_has_empty_arrays():
    with Archive.open(None) as archive:
        assert len(archive) == len(archive.X) == len(archive.F) == 0


def test_other_meta_is_refused_and_every_difference_named(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path, {"weights": "abc", "seed": 1, "space": "s"}) as archive:
        add(archive, (1,))
    with pytest.raises(RunError) as caught:
        Archive.open(path, {"weights": "xyz", "seed": 2, "space": "s"})
    message = str(caught.value)
    assert 'weights was "abc", now "xyz"' in message
    assert "seed was 1, now 2" in message
    assert "space" not in message.replace(str(path), "")


def test_meta_may_change_while_nothing_was_evaluated(tmp_path):
    path = tmp_path / "a.sqlite"
    Archive.open(path, {"weights": "abc"}).close()
    with Archive.open(path, {"weights": "xyz"}) as archive:
        assert archive.meta["weights"] == "xyz"


def test_what_a_search_wrote_that_never_evaluated_binds_nobody(tmp_path):
    path = tmp_path / "a.sqlite"
    Archive.open(
        path, {"weights": "abc", "attack": {"epsilon": 1}}, notes={"versions": {"numpy": "1"}}
    ).close()
    with Archive.open(path, {"weights": "xyz"}, notes={"versions": {"numpy": "2"}}) as archive:
        archive.require({"seed": 1})
        assert archive.meta == {"schema": 3, "weights": "xyz", "versions": {"numpy": "2"}, "seed": 1}
        add(archive, (1, 2))
    with Archive.open(path) as archive:
        assert archive.meta["weights"] == "xyz"


def test_a_network_enters_once(tmp_path):
    with Archive.open(tmp_path / "a.sqlite") as archive:
        add(archive, (1, 2))
        with pytest.raises(SDKError):
            add(archive, (1, 2))
        assert len(archive) == 1


def test_reading_needs_a_file_and_writes_nothing(tmp_path):
    path = tmp_path / "a.sqlite"
    with pytest.raises(RunError, match="edgewright search"):
        Archive.read(path)
    with Archive.open(path) as archive:
        add(archive, (1, 2))
    with Archive.read(path) as archive:
        assert len(archive) == 1
        with pytest.raises(StorageError):
            add(archive, (3, 4))


def test_reading_while_a_search_writes_sees_what_is_committed(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path) as writer:
        add(writer, (1,))
        with Archive.read(path) as reader:
            assert len(reader) == 1


@pytest.mark.parametrize("content", [b"not a database at all" * 50, b"{}" * 600])
def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.sqlite"
    path.write_bytes(content)
    for use in (Archive.open, Archive.read):
        with pytest.raises(RunError) as caught:
            use(path)
        assert "\n" not in str(caught.value)


def test_a_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path) as archive:
        for i in range(200):
            add(archive, tuple(range(i, i + 40)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(RunError, match=r"damaged|no archive"):
        Archive.open(path)


def test_a_database_of_something_else_is_refused_for_reading(tmp_path):
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (a)")
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match="no archive"):
        Archive.read(path)


def test_a_later_schema_is_refused(tmp_path):
    path = tmp_path / "a.sqlite"
    Archive.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match="99"):
        Archive.read(path)


def test_an_archive_whose_search_was_ended_at_once_is_unfinished(tmp_path):
    path = tmp_path / "a.sqlite"
    Archive.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM meta")  # as if it was killed before it wrote it
    connection.commit()
    connection.close()
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    for unfinished in (path, empty):
        with pytest.raises(RunError, match=r"is unfinished: .* give the same .* or .* --name"):
            Archive.read(unfinished)
        Archive.open(unfinished).close()  # the mend
        assert len(Archive.read(unfinished)) == 0


def test_notes_are_those_of_the_first_search_and_never_compared(tmp_path):
    path = tmp_path / "a.sqlite"
    for versions in ({"numpy": "2.1"}, {"numpy": "2.2"}):
        with Archive.open(path, {"seed": 1}, notes={"versions": versions}) as archive:
            add(archive, (len(archive),))
    with Archive.read(path) as archive:
        assert archive.meta["versions"] == {"numpy": "2.1"}
        assert len(archive) == 2


READ = """
import sys
from pathlib import Path
from edgewright.search import Archive
print(len(Archive.read(Path(sys.argv[1]))))
"""
# A mount of its own, in which the folder cannot be written to.
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && "$2" -c "$3" "$1/a.sqlite"'


def read_only(folder):
    command = ["unshare", "-rm", "sh", "-c", READ_ONLY, "sh", str(folder), sys.executable, READ]
    environment = os.environ | {"PYTHONPATH": str(Path(edgewright.__file__).parents[1])}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def may_mount(folder):
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "sh", "-c", 'mount --bind "$1" "$1"', "sh", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_an_archive_on_a_disk_that_cannot_be_written_is_read(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("this user may not mount a folder read-only")
    with Archive.open(tmp_path / "a.sqlite") as archive:
        add(archive, (1, 2))
    done = read_only(tmp_path)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


def test_a_log_that_cannot_be_read_back_is_not_passed_over(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("this user may not mount a folder read-only")
    with Archive.open(tmp_path / "a.sqlite") as archive:
        add(archive, (1, 2))
        copy = tmp_path / "copy"
        copy.mkdir()
        for suffix in ("", "-wal"):  # as it lies after a kill: the last row is in the log alone
            shutil.copy(tmp_path / f"a.sqlite{suffix}", copy)
    done = read_only(copy)
    assert done.stdout == "1\n" or "StorageError: cannot use the archive" in done.stderr


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        Archive.open(tmp_path / "file" / "archive.sqlite")


def test_a_path_may_be_a_text(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(str(path)) as archive:
        add(archive, (1, 2))
        assert archive.path == path
    with Archive.read(str(path)) as archive:
        assert len(archive) == 1


def test_a_reason_that_is_no_text_is_kept_as_far_as_it_is_one(tmp_path):
    with Archive.open(tmp_path / "a.sqlite") as archive:
        row = add(archive, (1, 2), failure="no file caf\udce9")
        assert row.failure == "no file caf\\udce9"
        assert archive.failures == (row,)


def test_a_file_that_another_program_writes_to_is_told_with_the_mend(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path) as archive:
        add(archive, (1, 2))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Archive.open(path) as archive:
        archive._connection.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(StorageError, match=r"another program writes to it \(database is locked\).*again"):
            add(archive, (1, 3))
        other.execute("ROLLBACK")
        add(archive, (1, 3))
    other.close()


def test_a_folder_in_a_files_place_is_told_with_the_mend(tmp_path):
    with pytest.raises(StorageError, match="give the path of a file that you may write to"):
        Archive.open(tmp_path)


def test_threads_may_add_at_the_same_time(tmp_path):
    with Archive.open(tmp_path / "a.sqlite") as archive:
        threads = [
            threading.Thread(
                target=lambda k=k: [add(archive, (k, i), position=10 * k + i) for i in range(10)]
            )
            for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row.id for row in archive.evaluations] == list(range(1, 41))
    with Archive.read(tmp_path / "a.sqlite") as archive:
        assert len(archive) == 40


def test_a_report_replaces_an_incomplete_one_of_its_iteration(tmp_path):
    with Archive.open(tmp_path / "a.sqlite") as archive:
        archive.add_report(0, {"n": 4}, complete=True)
        archive.add_report(1, {"n": 6}, complete=False)
        assert archive.reported() == {0: True, 1: False}
        archive.add_report(1, {"n": 8}, complete=True)
        assert archive.reports == ({"n": 4}, {"n": 8})


def test_encodings_are_stored_as_plain_json(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path) as archive:
        add(archive, np.array([1, 2], dtype=np.int64))
    row = sqlite3.connect(path).execute("SELECT x, objectives FROM evaluations").fetchone()
    assert [json.loads(value) for value in row] == [[1, 2], [0.5, 2.0]]


def test_ids_are_a_matter_of_place_not_of_arrival(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path) as archive:
        for position in (2, 0, 1):
            add(archive, (0, position), position=position)
        for position in (1, 0):
            add(archive, (1, position), iteration=1, position=position)
        before = archive.evaluations
        assert [(row.id, row.x) for row in before] == [
            *((1, (0, 0)), (2, (0, 1)), (3, (0, 2))),
            *((4, (1, 0)), (5, (1, 1))),
        ]
    with Archive.read(path) as archive:
        assert archive.evaluations == before


def test_a_place_is_taken_once():
    with Archive.open(None) as archive:
        add(archive, (1,), position=0)
        with pytest.raises(RunError, match="one search at a time"):
            add(archive, (2,), position=0)


def test_what_an_evaluation_cost_and_how_it_failed_is_kept(tmp_path):
    path = tmp_path / "a.sqlite"
    told = {"iteration": 0, "seed": 1, "seconds": 2.5}
    with Archive.open(path) as archive:
        archive.add(
            (1,), objectives=None, failure="no result", failure_kind="hung", position=0, worker="a", **told
        )
        archive.add((2,), objectives=(0.5,), position=1, attempts=2, worker="b", **told)
    with Archive.read(path) as archive:
        hung, fine = archive.evaluations
    assert (hung.failure_kind, hung.attempts, hung.worker, hung.seconds) == ("hung", 1, "a", 2.5)
    assert (fine.failure_kind, fine.attempts, fine.worker) == (None, 2, "b")
    assert hung.circumstances() == {"seconds": 2.5, "seed": 1, "weights": "", "worker": "a", "attempts": 1}


def test_every_row_tells_the_weights_that_it_was_evaluated_with(tmp_path):
    path = tmp_path / "a.sqlite"
    with Archive.open(path, {"weights": "abc"}) as archive:
        add(archive, (1,))
        add(archive, (2,), failure="out of memory")
        told = {"iteration": 0, "position": 2, "seed": 1, "seconds": 0.1}
        archive.add((3,), objectives=(0.5,), weights="xyz", **told)
        assert [row.weights for row in archive.evaluations] == ["abc", "abc", "xyz"]
    with Archive.read(path) as archive:
        assert [row.weights for row in archive.evaluations] == ["abc", "abc", "xyz"]


def test_a_file_of_schema_1_is_read_as_it_is():
    path = DATA / "archive-1.sqlite"
    before = path.read_bytes()
    with Archive.read(path) as archive:
        assert archive.meta["schema"] == 1
        assert [row.id for row in archive.evaluations] == list(range(1, 18))
        assert {row.failure_kind for row in archive.failures} == {"raised"}
        assert {row.attempts for row in archive.evaluations} == {1}
        assert {row.weights for row in archive.evaluations} == {"fixed"}
        assert [row["iteration"] for row in archive.reports] == [0, 1]
    assert path.read_bytes() == before


def test_a_file_of_schema_2_is_read_as_it_is(tmp_path):
    path = Path(shutil.copy(DATA / "archive-2.sqlite", tmp_path / "a.sqlite"))
    before = path.read_bytes()
    with Archive.read(path) as archive:
        assert archive.meta["schema"] == 2
        rows = archive.evaluations
    assert [row.id for row in rows] == list(range(1, 18))
    assert [(row.id, row.failure_kind) for row in rows if row.failure] == [(1, "raised"), (8, "hung")]
    assert [row.id for row in rows if row.attempts == 2] == [6]
    assert {row.worker for row in rows} == {"process 1", "process 2"}
    assert {row.weights for row in rows} == {"fixed"}
    assert path.read_bytes() == before


def test_a_file_of_before_whose_search_knew_no_weights_has_none(tmp_path):
    path = shutil.copy(DATA / "archive-2.sqlite", tmp_path / "a.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM meta WHERE key = 'weights'")
    connection.commit()
    connection.close()
    for use in (Archive.read, Archive.open, Archive.read):
        with use(path) as archive:
            assert {row.weights for row in archive.evaluations} == {""}


@pytest.mark.parametrize("schema", [1, 2])
def test_a_search_of_an_earlier_schema_goes_on_as_one_of_the_present(tmp_path, schema):
    path = tmp_path / "a.sqlite"
    shutil.copy(DATA / f"archive-{schema}.sqlite", path)
    with Archive.read(path) as archive:
        before, meta = archive.evaluations, archive.meta
    for _ in range(2):  # once it is done there is nothing to do
        with Archive.open(path, {"weights": "fixed"}) as archive:
            assert archive.meta == meta | {"schema": 3}
            assert archive.evaluations == before
    problem = SyntheticProblem(meta["space"])
    with Archive.open(path, {"weights": "fixed"}) as archive:
        run_search(
            problem.space,
            evaluate=lambda X: iter(problem.error(X)),
            objectives={"macs": problem.macs, "cpu": problem.latency},
            budgets=meta["budgets"],
            archive=archive,
            config=SearchConfig(
                evaluations=18, n_initial=14, n_infill=4, seed=11, population=24, generations=6
            ),
        )
        assert archive.evaluations[:17] == before
        assert archive.evaluations[17].weights == "fixed"
        assert len(archive) == 18


def test_a_search_of_schema_1_is_refused_like_any_other_for_other_inputs(tmp_path):
    path = tmp_path / "a.sqlite"
    shutil.copy(DATA / "archive-1.sqlite", path)
    with pytest.raises(RunError, match='weights was "fixed", now "other"'):
        Archive.open(path, {"weights": "other"})


def test_a_later_schema_is_not_written_to(tmp_path):
    path = tmp_path / "a.sqlite"
    Archive.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match=r"schema 99.*upgrade edgewright"):
        Archive.open(path)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("UPDATE evaluations SET x = '[28]' WHERE id = 3", "row 3 has the encoding [28]"),
        ("UPDATE evaluations SET x = '3' WHERE id = 3", "row 3 is no evaluation"),
        ("UPDATE evaluations SET objectives = '[0.5]' WHERE id = 3", "row 3 has 1 objectives, expected 2"),
        ("UPDATE evaluations SET objectives = '[\"a\", null]' WHERE id = 3", "row 3 is no evaluation"),
        ("UPDATE iterations SET report = '{}' WHERE iteration = 1", "the report of an iteration"),
        ("UPDATE iterations SET report = '[1]' WHERE iteration = 1", "the report of an iteration"),
    ],
)
def test_rows_that_no_search_wrote_are_refused_before_one_goes_on(tmp_path, edit, said):
    problem, path = SyntheticProblem("mobilenetv3-small-image@16"), tmp_path / "a.sqlite"

    def search(evaluations):
        with Archive.open(path) as archive:
            return run_search(
                problem.space,
                evaluate=problem.error,
                objectives={"macs": problem.macs},
                budgets={},
                archive=archive,
                config=SearchConfig(evaluations=evaluations, n_initial=4, surrogate="ridge"),
            )

    search(8)
    with sqlite3.connect(path) as connection:
        connection.execute(edit)
    connection.close()
    with pytest.raises(RunError, match=re.escape(said)) as caught:
        search(10)
    assert "another --name" in str(caught.value)


def test_records_are_rows_of_a_table(tmp_path):
    path = tmp_path / "a.sqlite"
    meta = {"objectives": ["error", "cpu"], "constraints": ["size"]}
    with Archive.open(path, meta) as archive:
        archive.add(
            (1, 2), objectives=(0.5, 2.0), constraints=(7.0,), iteration=0, position=0, seed=3, seconds=0.1
        )
        archive.add(
            (1, 3),
            objectives=None,
            constraints=(8.0,),
            iteration=0,
            position=1,
            seed=3,
            seconds=0.2,
            failure="diverged",
        )
    with Archive.read(path) as archive:
        first, second = archive.records()
    assert list(first) == list(second)
    assert (first["id"], first["error"], first["cpu"], first["size"]) == (1, 0.5, 2.0, 7.0)
    assert (second["error"], second["cpu"], second["size"], second["failure"]) == (
        None,
        None,
        8.0,
        "diverged",
    )
    assert second["x"] == "1 3"
    with Archive.open(None) as empty:
        assert empty.records() == []

import os
from pathlib import Path

import numpy as np
import pytest
from doubles.cells import EVERY, cell_columns, write_cells

from edgewright.errors import UsageError
from edgewright.search import Archive, SearchConfig, run_search
from edgewright.search.problems import read_cells
from edgewright.spaces.cell import numbers_from_cells, pruned

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("EDGEWRIGHT_DATA", ROOT.parent / "shared" / "data"))
DATA = FOLDER / "nb201_devices.npz"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("cells") / "cells.npz")


def test_every_cell_has_its_own_row_whatever_the_order_of_the_file(path):
    problem = read_cells(path, accuracy="accuracy", costs=["latency_ms_pi", "latency_ms_gpu"], distinct=False)
    columns = cell_columns()
    order = np.argsort(numbers_from_cells(columns["ops"]))
    F = problem.objectives(EVERY)
    np.testing.assert_array_equal(F[:, 0], 100 - columns["accuracy"][order])
    np.testing.assert_array_equal(F[:, 1], columns["latency_ms_pi"][order])
    np.testing.assert_array_equal(F[:, 2], columns["latency_ms_gpu"][order])
    assert problem.names == ("error", "latency_ms_pi", "latency_ms_gpu")


def test_the_known_front_is_over_all_cells_that_learned_something(path):
    every = read_cells(path, accuracy="accuracy", costs=["latency_ms_pi"], distinct=False)
    networks = read_cells(path, accuracy="accuracy", costs=["latency_ms_pi"])
    np.testing.assert_array_equal(every.known.F, networks.known.F)
    F = every.objectives(EVERY)
    learned = F[F[:, 0] <= 50]
    assert len(learned) < len(F)
    assert every.known.hypervolume_ratio(learned) == pytest.approx(1.0)
    reachable = networks.known.hypervolume_ratio(networks.objectives(networks.space.members))
    assert 0.9 < reachable <= 1.0
    # An equal cell that was trained again by chance does better: a search of networks gets near it only.
    np.testing.assert_array_equal(networks.space.members, np.unique(pruned(EVERY), axis=0))


def test_a_search_of_a_file_of_cells_nears_its_front(path):
    problem = read_cells(path, accuracy="accuracy", costs=["latency_ms_pi"])
    with Archive.open(None) as archive:
        run_search(
            problem.space,
            evaluate=problem.evaluate,
            objectives=problem.costs,
            budgets={},
            archive=archive,
            config=SearchConfig(evaluations=40, n_initial=16, seed=0),
        )
        found = problem.known.hypervolume_ratio(archive.F)
    drawn = problem.space.sample(np.random.default_rng(0), 40)
    assert found > 0.8
    assert found > problem.known.hypervolume_ratio(problem.objectives(drawn))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ops": None}, "has no ops"),
        ({"ops": np.zeros((5, 4), dtype=np.int8)}, r"expected integers ops \(15625, 6\)"),
        ({"ops": EVERY.astype(float)}, "expected integers ops"),
        ({"ops": EVERY + 1}, r"operations lie in \[1, 5\]"),
        ({"ops": EVERY[:100]}, "has 100 rows of 100 different cells"),
        ({"ops": np.zeros_like(EVERY)}, "has 15625 rows of 1 different cells"),
        ({"accuracy": None}, "no column 'accuracy'; its columns are latency_ms_gpu, latency_ms_pi"),
        ({"accuracy": np.ones(7)}, r"column accuracy is float64 \(7,\)"),
        ({"accuracy": np.full(len(EVERY), "good")}, "expected numbers"),
        ({"accuracy": np.full(len(EVERY), np.nan)}, "15625 values that are not finite"),
        ({"accuracy": np.full(len(EVERY), 400.0)}, "values such as 400, expected percent"),
        ({"accuracy": np.full(len(EVERY), 0.9)}, "the best has 0.9; give accuracies in percent"),
        ({"latency_ms_pi": np.full(len(EVERY), -1.0)}, "values such as -1, expected costs above 0"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_the_reason(tmp_path, changes, said):
    file = write_cells(tmp_path / "cells.npz", **changes)
    with pytest.raises(UsageError, match=said):
        read_cells(file, accuracy="accuracy", costs=["latency_ms_pi"])


def test_a_single_cost_may_stand_alone_and_a_path_be_a_text(path):
    problem = read_cells(str(path), accuracy="accuracy", costs="latency_ms_pi")
    assert problem.names == ("error", "latency_ms_pi")


def test_a_file_that_is_no_archive_of_arrays_is_not_to_be_unpickled(tmp_path):
    (tmp_path / "README.md").write_text("# cells\n")
    with pytest.raises(UsageError, match=r"is not a file of numpy arrays .*give an \.npz") as caught:
        read_cells(tmp_path / "README.md", accuracy="accuracy", costs="latency_ms_pi")
    assert "pickle" not in str(caught.value)


def test_all_faults_of_the_columns_are_named_at_once(path):
    with pytest.raises(UsageError, match=r"'a'; .*; .*'b'"):
        read_cells(path, accuracy="a", costs=["b"])
    with pytest.raises(UsageError, match="different columns of costs"):
        read_cells(path, accuracy="accuracy", costs=[])
    with pytest.raises(UsageError, match="got latency_ms_pi, latency_ms_pi"):
        read_cells(path, accuracy="accuracy", costs=["latency_ms_pi"] * 2)


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04 half a zip"])
def test_files_of_something_else_are_refused(tmp_path, content):
    file = tmp_path / "cells.npz"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="not a file of numpy arrays"):
        read_cells(file, accuracy="accuracy", costs=["latency_ms_pi"])
    with pytest.raises(UsageError, match="does not exist"):
        read_cells(tmp_path / "none.npz", accuracy="accuracy", costs=["latency_ms_pi"])
    whole = write_cells(tmp_path / "whole.npz").read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="not a file of numpy arrays"):
        read_cells(file, accuracy="accuracy", costs=["latency_ms_pi"])


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_file(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
@pytest.mark.parametrize(
    ("file", "accuracy", "cost", "n_front", "reachable"),
    [
        ("nb201_devices.npz", "acc_cifar100", "latency_ms_raspi4", 39, 0.9965),
        ("nb201_devices.npz", "acc_cifar100", "latency_ms_titanx_1", 31, 0.9777),
        ("nb201_hwnasbench.npz", "val_acc_cifar10", "cifar10_raspi4_latency_ms", 43, 0.9889),
        ("nb201_hwnasbench.npz", "val_acc_cifar10", "cifar10_edgegpu_energy_mj", 32, 0.9572),
    ],
)
def test_published_cells_have_a_front_that_different_networks_nearly_reach(
    file, accuracy, cost, n_front, reachable
):
    problem = read_cells(FOLDER / file, accuracy=accuracy, costs=[cost])
    assert len(problem.known.F) == n_front
    found = problem.known.hypervolume_ratio(problem.objectives(problem.space.members))
    assert found == pytest.approx(reachable, abs=1e-4)

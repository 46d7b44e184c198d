import os
from pathlib import Path

import numpy as np
import pytest
from doubles.ofa_problem import OfaProblem

from edgewright.errors import TableError, UsageError
from edgewright.latency.imported import import_table
from edgewright.pipeline.costs import macs
from edgewright.pipeline.problems import read_ofa, summed, supernet_problem
from edgewright.pipeline.trained import TrainedRun
from edgewright.search.problems import ofa_space

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("EDGEWRIGHT_DATA", ROOT.parent / "shared" / "data")) / "ofa_mbv3"


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"accuracy_predictor\.npz does not exist"):
        read_ofa(tmp_path)


def test_tables_that_do_not_cover_the_space_are_refused():
    with pytest.raises(TableError, match=r"the tables lack 445 operators of mobilenetv3-w1\.2"):
        summed([], ofa_space())


def test_a_trained_run_is_a_problem_as_a_benchmark_is(trained_only):
    trained = TrainedRun.open(trained_only)
    problem = supernet_problem(trained, {"macs": macs(trained.space)})
    X = problem.space.sample(np.random.default_rng(0), 2)
    F = problem.objectives(X)
    for x, (error, cost) in zip(X, F, strict=True):
        arch = trained.space.decode(x)
        assert error == trained.evaluate(arch).error
        assert cost == sum(op.macs for op in trained.space.operators(arch))
    assert problem.names == ("error", "macs")
    assert problem.known is None


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_the_published_problem_is_what_another_reading_of_its_files_says():
    problem, other = read_ofa(DATA), OfaProblem(DATA)
    X = problem.space.sample(np.random.default_rng(0), 1000)
    np.testing.assert_allclose(
        problem.objectives(X), np.column_stack([other.error(X), other.latency(X)]), rtol=1e-9
    )


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_the_published_problem_prices_every_network_between_its_ends():
    problem = read_ofa(DATA)
    low, high = (
        problem.costs["note10"](problem.space.encode(arch)[None])[0]
        for arch in (problem.space.smallest(), problem.space.largest())
    )
    F = problem.objectives(problem.space.sample(np.random.default_rng(0), 200))
    assert low < 30.0 < high
    assert ((F[:, 1] > low) & (F[:, 1] < high)).all()
    assert ((F[:, 0] > 10) & (F[:, 0] < 40)).all()


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data; give its place in EDGEWRIGHT_DATA")
def test_one_resolution_is_not_enough_for_the_space():
    table = import_table(DATA / "note10" / "160_lookup_table.yaml", "note10")
    with pytest.raises(TableError, match="give the tables of all its resolutions"):
        summed([table], ofa_space())

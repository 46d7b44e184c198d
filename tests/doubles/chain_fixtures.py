"""Fixtures of the tests that need a whole run; a ``conftest.py`` imports them by name."""

import os
import shutil
from dataclasses import replace

import pytest
import torch
from doubles import sensors, tiny_chain
from doubles.command import InProcess

from edgewright.latency.encoding_predictor import judged
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.table_energy import measure_energy_model
from edgewright.pipeline.trained import TrainedRun


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """The session's run. Workers of pytest-xdist share one."""
    base = tmp_path_factory.getbasetemp()
    worker = "PYTEST_XDIST_WORKER" in os.environ
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tiny_chain.shared((base.parent if worker else base) / "tiny-chain")
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def brisk(request):
    """Whatever a test measures, it measures briefly, unless it is slow for the sake of its figures."""
    if request.node.get_closest_marker("slow"):
        yield
        return
    with tiny_chain.brisk():
        yield


@pytest.fixture(scope="module")
def trained(chain):
    """The session's run in memory."""
    return TrainedRun.open(chain.run)


@pytest.fixture
def own_run(chain, tmp_path):
    """A copy of the run that a test may change."""
    return shutil.copytree(chain.run, tmp_path / "run")


@pytest.fixture
def tables(chain, tmp_path):
    """A copy of the tables that a test may change."""
    return shutil.copytree(chain.tables, tmp_path / "tables")


@pytest.fixture
def trained_only(chain, tmp_path):
    """A copy of the run as it was before it was searched."""
    ignore = shutil.ignore_patterns("searches", "artifacts", "report.html")
    return shutil.copytree(chain.run, tmp_path / "trained", ignore=ignore)


@pytest.fixture(scope="session")
def energy_tables(chain, tmp_path_factory):
    """The session's tables, and an energy model of ``cpu`` that was measured, then made quiet: 5 W."""
    folder = tmp_path_factory.mktemp("energy")
    tables = shutil.copytree(chain.tables, folder / "tables")
    with sensors.powered(folder / "root") as root, pytest.MonkeyPatch.context() as patch:
        sensors.reading(patch, root)
        made = measure_energy_model("cpu", chain.space, samples=10, validate=5, tables=tables)
    table = LatencyPredictor(LatencyTable.load(chain.table("cpu")), chain.space)
    quiet = [
        replace(
            record,
            visits=tuple(
                replace(visit, energy_mj=5 * table.predict_one(record.architecture))
                for visit in record.visits
            ),
        )
        for record in made.model.networks
    ]
    judged(replace(made.model, networks=tuple(quiet)), chain.space).save(made.path)
    return tables


@pytest.fixture
def powered(tmp_path, monkeypatch):
    """Give this process a sensor that counts 5 W while the test runs; the tree that stands for ``/``."""
    with sensors.powered(tmp_path / "root") as root:
        sensors.reading(monkeypatch, root, modules=("latency.local_runner", "pipeline.bench"))
        yield root


@pytest.fixture
def edgewright(capfd):
    """Run a command in this process: ``edgewright("device", "list")``."""
    return InProcess(capfd)

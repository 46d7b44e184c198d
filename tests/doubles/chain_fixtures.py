"""Fixtures of the tests that need a whole run; a ``conftest.py`` imports them by name."""

import os
import shutil

import pytest
import torch
from doubles import tiny_chain
from doubles.command import InProcess


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
def one_thread():
    """Small tensors gain nothing from more, and tests that run side by side lose much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def brisk(request):
    """Whatever a test measures, it measures briefly, unless it is slow for the sake of its figures."""
    if request.node.get_closest_marker("slow"):
        yield
        return
    with tiny_chain.brisk():
        yield


@pytest.fixture
def own_run(chain, tmp_path):
    """A copy of the run that a test may change."""
    return shutil.copytree(chain.run, tmp_path / "run")


@pytest.fixture
def trained_only(chain, tmp_path):
    """A copy of the run as it was before it was searched."""
    ignore = shutil.ignore_patterns("searches", "artifacts", "report.html")
    return shutil.copytree(chain.run, tmp_path / "trained", ignore=ignore)


@pytest.fixture
def edgewright(capfd):
    """Run a command in this process: ``edgewright("device", "list")``."""
    return InProcess(capfd)

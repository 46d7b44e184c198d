"""Fixtures of the tests that reach a device through the stand-in for ssh."""

import shlex
import sys
import venv

import pytest
from doubles.ssh_device import FAKE_SSH, make_device


@pytest.fixture
def device_at(tmp_path, monkeypatch):
    """Make devices by name; ssh leads to all of them."""

    monkeypatch.setenv("EDGEWRIGHT_SSH", shlex.join([sys.executable, str(FAKE_SSH), str(tmp_path)]))
    return lambda name="shelf", **changes: make_device(tmp_path / name, **changes)


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A Python with nothing but its standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return str(folder / "bin" / "python")


@pytest.fixture
def device(device_at):
    """A device with the stand-in runtime."""
    return device_at()

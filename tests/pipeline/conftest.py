import tomllib
from pathlib import Path

import pytest
from doubles.chain_fixtures import (  # noqa: F401
    brisk,
    chain,
    energy_tables,
    own_run,
    powered,
    trained,
    trained_only,
)
from doubles.ssh_fixtures import bare_python, device, device_at  # noqa: F401
from doubles.torch_fixtures import one_thread  # noqa: F401


@pytest.fixture
def extras():
    """The optional extras that the project declares."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    return set(tomllib.loads(text)["project"]["optional-dependencies"])

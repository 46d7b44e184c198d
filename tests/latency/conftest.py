import pytest
from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space

from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space


@pytest.fixture(scope="session")
def space():
    """A space whose networks are measured whole."""
    return find_space("mobilenetv3-small-image@16+24:4")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The latency table of a small space on a device of known laws."""
    journal = tmp_path_factory.mktemp("profile") / "j"
    config = ProfileConfig(passes=1, rounds=2, n_fit=6, n_validate=6)
    return profile_space(small_space(), FakeDevice().target(small_space()), journal=journal, config=config)

import os

import pytest
from doubles.fake_spaces import small_space
from pi.rig import Rig, missing

from edgewright.backends.registry import exporter
from edgewright.devices.profile import DeviceProfile
from edgewright.pipeline.devices import prepare_device
from edgewright.supernet.plain import network_from_architecture

# Few operators, and tiny ones: an inference takes hundreds of times as long as outside.
SPACE = small_space(resolutions=(16,), depths=(1,), kernel_sizes=(3, 5), expands=(3,))
PROFILE = """schema = 1
name = "emulated-pi"
kind = "raspberry-pi"
runtime = "litert"
precisions = ["fp32"]
threads = 1
reach = "ssh://emulated-pi"
description = "Debian arm64 under QEMU"

[gates]
max_temperature_c = 65.0
governor = "performance"
"""


@pytest.fixture(scope="session")
def rig(tmp_path_factory):
    """A running Raspberry Pi with nothing of edgewright's on it."""
    if reason := missing():
        pytest.fail(reason)
    found = Rig(tmp_path_factory.mktemp("rig"))
    found.build()
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="session")
def pi(rig, tmp_path_factory):
    """The profile that reaches it; EDGEWRIGHT_SSH leads there."""
    path = tmp_path_factory.mktemp("profiles") / "emulated-pi.toml"
    path.write_text(PROFILE)
    os.environ["EDGEWRIGHT_SSH"] = rig.ssh
    yield DeviceProfile.load(path)
    del os.environ["EDGEWRIGHT_SSH"]


@pytest.fixture(scope="session")
def prepared(pi):
    """The same, once LiteRT was installed there."""
    return pi, prepare_device(pi)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """A whole network, compiled here."""
    path = tmp_path_factory.mktemp("artifacts") / "network.tflite"
    network = network_from_architecture(SPACE, SPACE.largest())
    exporter("litert").export(network, (1, 3, 16, 16), path)
    return path

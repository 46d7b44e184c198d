"""Engines for NVIDIA cards: each is built where it can be, or refused before anything is measured."""

from dataclasses import replace

import pytest
from contracts.exporter_contract import IN_SHAPE
from doubles.plain_networks import small_network

from edgewright.backends.tensorrt import cuda
from edgewright.backends.tensorrt.exporter import TensorRTExporter
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError, ProfileError
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.card import builder_fault, card_fault, other_card
from edgewright.pipeline.compile import compile_pick, device_exporter
from edgewright.pipeline.devices import check_device
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.table_transfer import transfer_table
from edgewright.spaces import find_space

SPACE = find_space("mobilenetv3-small-image@16", n_classes=4)
JETSON = DeviceProfile.find("jetson-orin-nano")
RTX = DeviceProfile.find("rtx-4090")
GPU = DeviceProfile.find("generic-gpu")
SSH = "ssh://user@nowhere.invalid"

without_gpu = pytest.mark.skipif(cuda.n_devices() > 0, reason="a GPU is here")


@pytest.fixture
def hopper(monkeypatch):
    """Let the driver offer a card of compute capability 9.0; none of these tests runs anything on it."""
    monkeypatch.setattr(cuda, "n_devices", lambda: 1)
    monkeypatch.setattr(cuda, "compute_capability", lambda: "9.0")


def refused(match, *profiles):
    """Check that nothing can be built for the profiles, whichever way it is asked for."""
    for profile in profiles:
        with pytest.raises(DeviceUnavailableError, match=match) as caught:
            device_exporter(profile)
        assert caught.value.exit_code == 4


def test_a_jetson_behind_ssh_is_refused_before_ssh_is_tried(tmp_path):
    jetson = replace(JETSON, reach=SSH)
    match = r"jetson-orin-nano is behind ssh .*run edgewright on the device itself"
    refused(match, jetson)
    with pytest.raises(DeviceUnavailableError, match=match):
        profile_device(jetson, SPACE, tables=tmp_path)
    with pytest.raises(DeviceUnavailableError, match=match):
        transfer_table([], jetson, SPACE, samples=10, alone=True, tables=tmp_path)
    assert "tensorrt-rtx" not in builder_fault(jetson).mend, "which no Jetson takes"
    assert not list(tmp_path.iterdir())


def test_a_card_behind_ssh_may_be_built_for_ahead_of_time():
    fault = builder_fault(replace(GPU, reach=SSH))
    assert "runtime = 'tensorrt-rtx'" in fault.mend
    assert builder_fault(replace(RTX, reach=SSH)) is None
    assert device_exporter(replace(RTX, reach=SSH)).compute_capability == "8.9"


def test_a_jetson_that_is_not_attached_is_not_sent_to_ssh(tmp_path):
    with pytest.raises(DeviceUnavailableError, match=r"is not attached .*on the device itself") as caught:
        profile_device(JETSON, SPACE, tables=tmp_path)
    assert "ssh" not in str(caught.value)


@without_gpu
def test_without_a_gpu_tensorrt_builds_and_runs_nothing(own_run, chain, tmp_path):
    match = "this machine has no NVIDIA GPU"
    here = replace(JETSON, reach="local")
    refused(match, JETSON, here, GPU)
    with pytest.raises(DeviceUnavailableError, match=match):
        compile_pick(own_run, "smallest", "jetson-orin-nano")
    for profile in (here, GPU, replace(RTX, reach="local")):
        with pytest.raises(DeviceUnavailableError, match=match):
            profile_device(profile, SPACE, tables=tmp_path)
        with pytest.raises(DeviceUnavailableError, match=match):
            bench_artifact(chain.artifact("cpu"), profile)
    assert builder_fault(RTX) is None, "ahead of time, for another machine"
    assert builder_fault(replace(RTX, reach="local")) is None


@without_gpu
def test_a_check_names_the_missing_card():
    (engines,) = (each for each in check_device(GPU).findings if each.name == "engines")
    assert engines.status == "wrong"
    assert "no NVIDIA GPU" in engines.found
    assert "engines" not in {each.name for each in check_device("local-cpu-litert").findings}


def test_a_check_of_a_jetson_behind_ssh_says_where_engines_are_built(device):
    jetson = replace(device.profile, runtime="tensorrt")
    (engines,) = (each for each in check_device(jetson).findings if each.name == "engines")
    assert engines.status == "wrong"
    assert "on the card that runs it" in engines.found


def test_another_card_than_the_profiles_is_refused(hopper, chain, tmp_path):
    here = replace(JETSON, reach="local")
    refused(r"has compute capability 9\.0 where jetson-orin-nano has 8\.7", JETSON, here)
    with pytest.raises(DeviceUnavailableError, match=r"9\.0 where rtx-4090 has 8\.9"):
        bench_artifact(chain.artifact("cpu"), replace(RTX, reach="local"))
    with pytest.raises(DeviceUnavailableError, match=r"9\.0 where rtx-4090 has 8\.9"):
        profile_device(replace(RTX, reach="local"), SPACE, tables=tmp_path)
    with pytest.raises(DeviceUnavailableError, match=r"has compute capability 9\.0, not 8\.7"):
        TensorRTExporter(compute_capability="8.7").export(small_network(), IN_SHAPE, tmp_path / "net.engine")
    assert not list(tmp_path.iterdir())


def test_the_card_that_is_here_is_built_for(hopper):
    assert builder_fault(GPU) is None, "whichever card it is"
    assert device_exporter(GPU).compute_capability == "9.0"
    hopper_card = replace(JETSON, compute_capability="9.0", reach="local")
    assert builder_fault(hopper_card) is None
    assert card_fault(hopper_card) is None
    assert card_fault(RTX) is None, "it is elsewhere"
    assert device_exporter(replace(RTX, compute_capability="", reach="local")).compute_capability == "9.0"


def test_an_engine_for_another_card_is_not_verified_and_kept(hopper, own_run):
    pytest.importorskip("tensorrt_rtx")
    found = compile_pick(own_run, "smallest", "rtx-4090")
    assert other_card(found.profile) == "9.0"
    assert found.parity.status == "not verified"
    assert f"{found.path} is for compute capability 8.9, the GPU here has 9.0" in found.parity.reason
    assert found.path.is_file()


@pytest.mark.parametrize("reach", ["none", SSH])
def test_a_card_that_is_elsewhere_must_be_named(reach):
    with pytest.raises(ProfileError, match=r'names no compute capability.*compute_capability = "8\.9"'):
        device_exporter(replace(RTX, compute_capability="", reach=reach))


def test_other_runtimes_have_no_card(hopper):
    cpu = DeviceProfile.find("local-cpu-litert")
    assert builder_fault(cpu) is None
    assert card_fault(cpu) is None
    assert other_card(cpu) == ""

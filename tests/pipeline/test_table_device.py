"""Tables and models of devices behind ssh: made there, and compared with the device that they name."""

from dataclasses import replace

import pytest
from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space
from doubles.ssh_device import JsonExporter, write_runtime

from edgewright.errors import DeviceUnavailableError, ForeignTableError, ProfileError, TableError
from edgewright.latency.model import LatencyModel
from edgewright.latency.profiler import profile_space
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline import profile
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.table_device import THIS_MACHINE, require_its_device
from edgewright.pipeline.table_show import validate_table
from edgewright.pipeline.table_transfer import transfer_table
from edgewright.spaces import find_space, registry

SPACE = small_space(resolutions=(8,), depths=(1,), kernel_sizes=(3,), expands=(3,))
CONFIG = ProfileConfig(
    passes=1, rounds=2, segment=4, warm_ms=0.0, n_fit=3, n_validate=1, network_samples=1, max_repeats=0
)
BRIEF = ProfileConfig(network_visits=1, network_rounds=1, max_repeats=0)


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """Have artifacts built for the stand-in runtime, of a space that is known by name."""
    monkeypatch.setattr(profile, "device_exporter", lambda found: JsonExporter())
    monkeypatch.setitem(registry.SPACES, SPACE.base_name, SPACE)


@pytest.fixture
def table(device, tmp_path):
    return profile_device(device.profile, SPACE, out=tmp_path / "table.json", preset=CONFIG).path


@pytest.fixture
def source(tmp_path):
    """A table of another device that covers what is transferred."""
    space = find_space("mobilenetv3-small-image@16:4")
    config = ProfileConfig(passes=1, rounds=2, n_fit=6, n_validate=0)
    found = profile_space(space, FakeDevice().target(space), journal=tmp_path / "j", config=config)
    return space, found.save(tmp_path / "source.json").path


def other_runtime(device):
    share = device.home / ".local" / "share" / "edgewright"
    write_runtime(share / "newer", "10.0")
    (share / "litert").unlink()
    (share / "litert").symlink_to("newer")


def test_a_table_of_a_device_behind_ssh_is_compared_with_the_device(device, table):
    on = str(device.profile.path)
    value, text = validate_table(table, None, on)
    assert value["valid"]
    assert value["device"] == "shelf"
    assert value["compared_with"] == "shelf as it is now (ssh://somebody@shelf)"
    assert "of shelf as it is now" in text
    other_runtime(device)
    with pytest.raises(ForeignTableError, match=r"measured with ai-edge-litert 9\.9, installed is .* 10\.0"):
        validate_table(table, None, on)


def test_a_table_of_another_machine_than_the_device_is_foreign(device, table, tmp_path):
    found = LatencyTable.load(table)
    moved = replace(found, fingerprint=replace(found.fingerprint, cpu_model="a Raspberry Pi"))
    with pytest.raises(ForeignTableError, match="a Raspberry Pi there"):
        validate_table(moved.save(tmp_path / "moved.json").path, None, device.profile)


def test_a_device_is_found_by_the_name_that_the_table_has(device, table, tmp_path, monkeypatch):
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "shelf.toml").write_bytes(device.profile.path.read_bytes())
    monkeypatch.chdir(tmp_path)
    n = len(device.connections())
    assert validate_table(table, None)[0]["compared_with"].startswith("shelf as it is now")
    assert len(device.connections()) > n
    (device.folder / "says").write_text("ssh: connect to host shelf port 22: No route to host\n")
    with pytest.raises(DeviceUnavailableError, match="No route to host"):
        validate_table(table, None)


def test_a_table_whose_device_is_unknown_here_is_never_taken_for_one_of_this_machine(table):
    with pytest.raises(ForeignTableError, match=r"no profile here is named 'shelf': .*--on PROFILE\.toml"):
        validate_table(table, None)


def test_a_profile_of_another_device_or_runtime_is_told(device_at, table, chain):
    other = device_at("other")
    with pytest.raises(ForeignTableError, match="is of shelf through litert"):
        validate_table(table, None, other.profile)
    with pytest.raises(TableError, match="local-cpu-onnxruntime asks for onnxruntime"):
        validate_table(table, None, "cpu")
    with pytest.raises(ProfileError, match="unknown device 'no-such-device'"):
        validate_table(table, None, "no-such-device")


def test_a_device_that_is_not_attached_cannot_be_compared_with(table):
    found = replace(LatencyTable.load(table), device="raspberry-pi-4")
    with pytest.raises(DeviceUnavailableError, match="not attached"):
        require_its_device(found)


def test_a_table_of_this_machine_is_compared_with_it(chain):
    assert require_its_device(LatencyTable.load(chain.table("litert"))) == THIS_MACHINE
    assert validate_table(chain.table("cpu"), None)[0]["compared_with"] == THIS_MACHINE


def test_few_measurements_over_ssh_make_a_model_of_the_device(device, source, tmp_path):
    space, path = source
    arguments = ([path], device.profile, space)
    options = {"samples": 5, "validate": 2, "out": tmp_path / "shelf.model.json", "config": BRIEF}
    made = transfer_table(*arguments, **options)
    assert made.model.device == "shelf"
    assert made.model.runtime_version == "ai-edge-litert 9.9"
    assert [record.role for record in made.model.networks] == ["fit"] * 5 + ["validate"] * 2
    assert made.model.settings["gauge_ns"] > 0
    assert not made.model.summary()["emulated"]
    assert transfer_table(*arguments, **options).reused
    assert validate_table(made.path, None, device.profile)[0]["compared_with"].startswith("shelf as it is")
    with pytest.raises(ForeignTableError, match="no profile here is named 'shelf'"):
        validate_table(made.path, None)
    other_runtime(device)
    with pytest.raises(ForeignTableError, match=r"measured with ai-edge-litert 9\.9, installed is .* 10\.0"):
        validate_table(made.path, None, device.profile)


def test_what_was_measured_on_an_emulated_device_says_so(device, source, tmp_path):
    space, path = source
    profile = replace(device.profile, emulated=True)
    made = transfer_table([path], profile, space, samples=4, out=tmp_path / "shelf.model.json", config=BRIEF)
    assert LatencyModel.load(made.path).summary()["emulated"]
    assert "emulated device" in made.text()
    value, text = validate_table(made.path, None, profile)
    assert value["emulated"]
    assert "search refuses them" in text
    with pytest.raises(ForeignTableError, match="emulated: False here, True there"):
        validate_table(made.path, None, device.profile)

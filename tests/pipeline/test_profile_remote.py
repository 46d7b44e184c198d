import os
import signal

import pytest
from doubles.fake_spaces import small_space
from doubles.ssh_device import JsonExporter, write_runtime

from edgewright.errors import DeviceUnavailableError, OutputExistsError, UsageError
from edgewright.latency.target import ProfileConfig
from edgewright.pipeline import profile
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.profile_many import profile_devices
from edgewright.pipeline.runners import BEHIND_SSH

SPACE = small_space(resolutions=(8,), depths=(1,), kernel_sizes=(3,), expands=(3,))
CONFIG = ProfileConfig(
    passes=1, rounds=2, segment=4, warm_ms=0.0, n_fit=3, n_validate=1, network_samples=1, max_repeats=0
)


@pytest.fixture
def built(monkeypatch):
    """Have artifacts built for the stand-in runtime, some of them special."""

    def use(**special):
        writer = JsonExporter(**special)
        monkeypatch.setattr(profile, "device_exporter", lambda found: writer)
        return writer

    use()
    return use


@pytest.fixture
def measured(tmp_path):
    return {"tables": tmp_path / "tables", "preset": CONFIG}


def test_a_space_is_profiled_behind_ssh_and_not_twice(device, built, measured):
    first = profile_device(device.profile, SPACE, **measured)
    assert first.table.covers(SPACE)
    assert first.table.runtime_version == "ai-edge-litert 9.9"
    assert first.table.settings["gauge_ns"] > 0
    assert first.table.cross_check.text() == f"no figure: {BEHIND_SSH}"
    assert profile_device(device.profile, SPACE, **measured).reused
    assert not list((measured["tables"] / "shelf").glob(".*"))


def test_an_operator_that_crashes_the_runtime_is_a_failure_and_the_run_goes_on(device, built, measured):
    built(at_3={"crash": signal.SIGSEGV}, at_4={"refuse": "no such operator"})
    table = profile_device(device.profile, SPACE, **measured).table
    reasons = sorted(failure.reason for failure in table.failures.values())
    assert len(reasons) == 2
    assert "no such operator" in reasons[0]
    assert "signal 11 (SIGSEGV)" in reasons[1]
    assert table.entries


@pytest.mark.slow  # the emulated Pi sees the same by default where it runs
def test_a_link_that_is_cut_in_mid_table_costs_nothing_that_was_finished(device, built, measured):
    writer = built()

    writer.before = {7: lambda: os.kill(device.connections()[-1], signal.SIGKILL)}
    table = profile_device(device.profile, SPACE, **measured).table
    assert table.covers(SPACE)
    assert not table.failures
    assert len(device.connections()) == 4
    assert writer.built == len(table.entries) + len(table.networks)


def test_a_table_of_another_runtime_version_is_kept(device_at, built, measured):
    device = device_at()
    profile_device(device.profile, SPACE, **measured)
    share = device.home / ".local" / "share" / "edgewright"
    write_runtime(share / "newer", "10.0")
    (share / "litert").unlink()
    (share / "litert").symlink_to("newer")
    with pytest.raises(OutputExistsError, match=r"measured with ai-edge-litert 9\.9, installed is .* 10\.0"):
        profile_device(device.profile, SPACE, **measured)


def test_several_devices_are_measured_at_once_and_one_that_is_away_stops_none(device_at, built, measured):
    devices = [device_at("one"), device_at("two"), device_at("away")]
    (devices[2].folder / "says").write_text("ssh: connect to host away port 22: No route to host\n")
    found = profile_devices([each.profile for each in devices], SPACE, **measured)
    assert list(found.by_device) == ["one", "two", "away"]
    for name in ("one", "two"):
        assert found.by_device[name].table.covers(SPACE)
        assert (measured["tables"] / name).is_dir()
    assert found.to_json()["devices"]["away"]["exit_code"] == 4
    assert "away: no table:" in found.text()
    with pytest.raises(
        DeviceUnavailableError, match=r"1 of 3 devices have no table: away: .*No route to host"
    ):
        found.require()


def test_a_device_is_named_once(device, built, measured):
    with pytest.raises(UsageError, match="shelf is named more than once"):
        profile_devices([device.profile, str(device.profile.path)], SPACE, **measured)

import numpy as np
import pytest

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError, ProfileError
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.devices import _compare, check_device, clean_device, probe_device


def statuses(found):
    return {finding.name: finding.status for finding in found.findings}


def test_a_device_behind_ssh_is_checked_whole(device):
    found = check_device(device.profile)
    expected = dict.fromkeys(("connection", "python", "clock", "disk", "lock", "machine", "conditions"), "ok")
    # Its runtime is another than the one here.
    assert statuses(found) == expected | {"runtime": "note"}
    found.require()


def test_a_check_names_every_fault_at_once(device_at, bare_python):
    found = check_device(device_at(runtime=False, python=bare_python).profile)
    with pytest.raises(DeviceUnavailableError, match=r"runtime: .*edgewright device prepare shelf"):
        found.require()
    assert statuses(found)["connection"] == "ok"


def test_a_check_of_a_device_that_cannot_be_reached_is_one_finding(device):
    (device.folder / "says").write_text("somebody@shelf: Permission denied (publickey).\n")
    found = check_device(device.profile)
    assert statuses(found) == {"connection": "wrong"}
    assert "ssh-copy-id somebody@shelf" in found.findings[0].found


def test_this_machine_is_checked_too():
    assert statuses(check_device("local-cpu-litert"))["runtime"] == "ok"
    with pytest.raises(DeviceUnavailableError, match="not attached"):
        check_device("raspberry-pi-4")


def test_a_device_that_its_profile_calls_emulated_is_marked(device_at):
    device = device_at(emulated=True)
    assert probe_device(device.profile).emulated
    assert statuses(check_device(device.profile))["emulated"] == "note"


def test_an_artifact_is_measured_on_a_device_behind_ssh(device):
    found = bench_artifact(device.artifact("model", ms=0.2), device.profile, budget="1ms")
    assert found.runtime == "ai-edge-litert 9.9"
    assert 0.2 <= found.measurement.median_ms < 1.0
    found.require()


def test_what_a_device_keeps_can_be_deleted(device):
    bench_artifact(device.artifact("model"), device.profile)
    assert clean_device(device.profile)[0] == 1
    assert list((device.cache / "models").iterdir()) == []


def test_a_profile_needs_a_reach_that_can_be_read(device):
    text = device.profile.path.read_text()
    device.profile.path.write_text(text.replace("ssh://somebody@shelf", "ssh://-oProxyCommand=x"))
    with pytest.raises(ProfileError, match=r"reach must be one of local, none or ssh://"):
        DeviceProfile.load(device.profile.path)


def test_outputs_are_compared_over_their_range():
    here = {"y": np.array([[0.0, 10.0]], np.float32)}
    assert _compare(here, {"y": np.array([[0.0, 10.001]], np.float32)})[1] == pytest.approx(1e-4, rel=0.01)
    assert _compare(here, {"y": np.array([[0.0, np.nan]], np.float32)}) == (np.inf, np.inf)
    assert _compare(here, {"y": np.zeros((1, 3), np.float32)}) == (np.inf, np.inf)
    assert _compare(here, here) == (0.0, 0.0)

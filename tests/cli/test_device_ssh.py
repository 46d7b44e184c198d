import json

import pytest
from doubles.ssh_device import write_wheels

REFUSED = "ssh: connect to host shelf port 22: Connection refused\n"


def test_check_tells_all_and_ends_with_4_where_something_is_wrong(edgewright, device_at, bare_python):
    device = device_at(runtime=False, python=bare_python)
    path = device.profile.path
    outcome = edgewright("device", "check", path, "--json")
    assert outcome.status == 4
    told = json.loads(outcome.out)
    assert told["exit_code"] == 4
    assert not told["ok"]
    assert {f["name"]: f["status"] for f in told["findings"]}["runtime"] == "wrong"
    assert "runtime     wrong" in edgewright("device", "check", path).out


def test_a_device_is_prepared_checked_probed_and_cleaned(edgewright, device_at, tmp_path):
    device = device_at(runtime=False)
    path = device.profile.path
    write_wheels(tmp_path / "wheels", "9.8")
    prepare = ("device", "prepare", path, "--runtime-version", "9.8", "--wheels", tmp_path / "wheels")
    assert edgewright(*prepare, "--json").json()["version"] == "ai-edge-litert 9.8"
    assert "it was there already" in edgewright(*prepare).out
    assert edgewright("device", "check", path, "--json").json()["ok"]
    assert edgewright("device", "probe", path, "--json").json()["packages"]["ai-edge-litert"] == "9.8"
    assert edgewright("device", "clean", path, "--json").json() == {
        "device": str(path),
        "files": 0,
        "bytes": 0,
    }


def test_an_artifact_is_measured_over_ssh_against_its_budget(edgewright, device):
    artifact, on = device.artifact("model", ms=0.5), ("--on", device.profile.path)
    told = edgewright("bench", artifact, *on, "--budget", "1s", "--json").json()
    assert told["median_ms"] >= 0.5
    assert told["runtime"] == "ai-edge-litert 9.9"
    assert set(told["before"]) == set(told["after"]) == {"clock_mhz", "temperature_c", "throttled"}
    assert sum(map(len, told["dropped"].values())) == told["n_dropped"]
    assert told["footprint"]["size_bytes"] == artifact.stat().st_size
    assert told["footprint"]["load_ms"] > 0
    assert told["footprint_reason"] == ""
    assert told["energy"] or told["energy_reason"].startswith("shelf: ")
    assert edgewright("bench", artifact, *on, "--budget", "1us").status == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("probe", "DEVICE"),
        ("check", "DEVICE"),
        ("prepare", "DEVICE"),
        ("clean", "DEVICE"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_device_that_is_away_is_4_with_the_mend(edgewright, device, arguments):
    (device.folder / "says").write_text(REFUSED)
    path = device.profile.path
    outcome = edgewright("device", *(path if word == "DEVICE" else word for word in arguments))
    outcome.refusal(4, "Connection refused", "switched on")


@pytest.mark.parametrize("verb", ["prepare", "clean"])
def test_a_device_that_ssh_does_not_reach_is_4(edgewright, verb):
    edgewright("device", verb, "raspberry-pi-4").refusal(4, "not behind ssh", 'reach = "ssh://user@host"')


def test_a_held_device_is_4_and_says_who_holds_it(edgewright, device):
    with device.client() as client:
        client.lock()
        artifact = device.artifact("model")
        edgewright("bench", artifact, "--on", device.profile.path).refusal(4, "measures on the device")


def test_several_devices_have_no_single_file(edgewright, device, tmp_path):
    space = ("--space", "mobilenetv3-small-image@16", "--out", tmp_path / "table.json")
    edgewright("profile", device.profile.path, "cpu", *space).refusal(2, "--out", "--tables")

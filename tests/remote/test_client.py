import json
import os
import signal
import time

import pytest

from edgewright.agent.protocol import MAGIC, PROTOCOL
from edgewright.errors import DeviceBusyError, DeviceUnavailableError, LinkLostError, StorageError, UsageError
from edgewright.remote.archive import agent_archive


def wait_until(reached, patience_s=10.0):
    deadline = time.monotonic() + patience_s
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_the_agent_is_put_on_the_device_once(device):
    for _ in range(2):
        with device.client() as client:
            assert client.hello.runtimes == {"litert": "stand-in"}
            assert client.hello.home == str(device.home)
    agents = list((device.cache / "agent").iterdir())
    assert [path.name for path in agents] == [f"{agent_archive().digest}.pyz"]
    assert len(device.connections()) == 4  # absent, put, connect; connect


def test_a_damaged_agent_is_replaced(device):
    path = device.cache / "agent" / f"{agent_archive().digest}.pyz"
    path.parent.mkdir(parents=True)
    data = bytearray(agent_archive().data)
    at = data.index(b"Where the agent keeps things")
    data[at : at + 5] = b"WHERE"
    path.write_bytes(data)
    with device.client() as client:
        assert client.request("missing", names=[])["missing"] == []
    assert path.read_bytes() == agent_archive().data


def test_what_a_login_prints_before_the_agent_speaks_is_skipped(device):
    (device.folder / "prints").write_text("Welcome to the shelf!\nYou have mail.\n")
    with device.client() as client:
        assert client.request("status")["busy"] == ""


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("echo hello there", ["hello there", "no message of edgewright's agent", "ssh somebody@shelf echo"]),
        (f"echo '{json.dumps({MAGIC: PROTOCOL + 8})}'", [f"speaks protocol {PROTOCOL + 8}", "rm -r"]),
        (f"echo '{json.dumps({MAGIC: 2})}'", [f"speaks protocol 2, this edgewright speaks {PROTOCOL}"]),
        (
            f"echo '{json.dumps({MAGIC: 0, 'python': [3, 7, 9]})}'",
            ["has Python 3.7.9", "3.10", "as python in"],
        ),
        (f"echo '{json.dumps({MAGIC: PROTOCOL, 'python': 3, 'agent': 'DIGEST'})}'", ["no message"]),
        ("yes garbage", ["garbage"]),
        ("head -c 300000 /dev/zero", ["no message"]),
        ("echo 'no python here' >&2; exit 127", ["no such Python", "python in the profile"]),
    ],
    ids=[
        "garbage",
        "another protocol",
        "the protocol before",
        "old Python",
        "half a hello",
        "endless garbage",
        "zeros",
        "no Python",
    ],
)
def test_a_device_that_does_not_speak_the_protocol(device, line, parts):
    (device.folder / "becomes").write_text(line.replace("DIGEST", agent_archive().digest))
    with pytest.raises(DeviceUnavailableError) as caught:
        device.client().connect()
    for part in parts:
        assert part in str(caught.value)


def test_garbage_in_the_middle_is_told(device):
    text = dict.fromkeys(("implementation", "machine", "system", "home"), "x")
    rest = {"python": [3, 11, 0], "bits": 64, "libc": ["", ""], "time": 0, "runtimes": {}}
    hello = json.dumps({MAGIC: PROTOCOL, "agent": agent_archive().digest, **text, **rest})
    (device.folder / "becomes").write_text(f"echo '{hello}'; read line; echo '?!'; cat >/dev/null")
    client = device.client()
    client.connect()
    with pytest.raises(DeviceUnavailableError, match=r"\?!"):
        client.request("status")


def test_a_device_that_says_nothing_is_given_up(device):
    client = device.client(silence_s=0.3)
    client.connect()
    client.lock()
    hang = device.artifact("hang", hang=True)
    stored = client.put(hang)
    pid = json.loads((device.cache / "lock").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(LinkLostError, match="has not answered"):
        client.request("missing", names=[stored])
    os.kill(pid, signal.SIGKILL)


def test_a_file_is_sent_once_and_in_chunks(device):
    path = device.folder / "model.tflite"
    path.write_bytes(bytes(range(256)) * 2000)
    notes = []
    with device.client() as client:
        client.lock()
        name = client.put(path, notes.append)
        assert client.put(path, notes.append) == name
    assert (device.cache / "models" / name).read_bytes() == path.read_bytes()
    assert len(notes) == 1


def test_nothing_is_stored_or_measured_without_the_lock(device):
    with device.client() as client:
        with pytest.raises(UsageError, match="needs the lock"):
            client.put(device.artifact("model"))
        with pytest.raises(UsageError, match="needs the lock"):
            client.request("measure_turns", runtime="litert", threads=1)
        with pytest.raises(UsageError, match="unknown method 'format'"):
            client.request("format")
        with pytest.raises(UsageError, match="asked wrongly"):
            client.request("missing", names=3)


def test_a_second_host_is_answered_who_holds_the_device(device):
    with device.client() as first, device.client() as second:
        first.lock()
        with pytest.raises(DeviceBusyError, match="measures on the device") as caught:
            second.lock()
        assert caught.value.exit_code == 4
        assert second.request("status")["busy"]
        first.close()
        wait_until(lambda: not second.request("status")["busy"])
        second.lock()


def test_a_host_that_is_not_heard_loses_the_device(device):
    first = device.client()
    first.connect()
    first.request("lock", owner=first.owner, host="silent", lease_s=0.5)
    first._closing.set()  # as if this process had been stopped
    with device.client() as second:
        wait_until(lambda: not second.request("status")["busy"])
        second.lock()
    with pytest.raises(LinkLostError):
        first.request("status")


def test_a_device_whose_disk_is_full_is_named(device):
    (device.home / ".cache").mkdir()
    (device.home / ".cache" / "edgewright").write_text("in the way")
    with pytest.raises(StorageError, match=r"shelf cannot store the agent.*df -h"):
        device.client().connect()


def test_a_device_that_does_not_take_the_agent_in_time_is_named(device, monkeypatch):
    monkeypatch.setattr("edgewright.remote.client._PUSH_S", 0.001)
    with pytest.raises(LinkLostError, match=r"shelf did not take the agent's \d+ kB.*ssh .* uptime"):
        device.client().connect()


def test_ssh_that_is_not_there(device, monkeypatch):
    monkeypatch.setenv("EDGEWRIGHT_SSH", "no-such-ssh")
    with pytest.raises(DeviceUnavailableError, match=r"no-such-ssh cannot be run.*EDGEWRIGHT_SSH"):
        device.client().connect()

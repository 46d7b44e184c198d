import pytest

from edgewright.devices.reach import SshAddress
from edgewright.errors import DeviceUnavailableError, LinkLostError, UsageError
from edgewright.remote.connection import explain, ssh_command

ADDRESS = SshAddress("shelf", "pi", 2222)
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Offending ED25519 key in /home/me/.ssh/known_hosts:3
  remove with:
  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[shelf]:2222"
Host key for [shelf]:2222 has changed and you have requested strict checking.
Host key verification failed."""


@pytest.mark.parametrize(
    ("said", "lost", "parts"),
    [
        (CHANGED, False, ["HAS CHANGED", 'ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[shelf]:2222"']),
        ("Host key verification failed.", False, ["not known here", "ssh -p 2222 pi@shelf"]),
        ("pi@shelf: Permission denied (publickey).", False, ["ssh-copy-id -p 2222 pi@shelf"]),
        ("ssh: Could not resolve hostname shelf: Name or service not known", False, ["reach"]),
        ("ssh: connect to host shelf port 2222: Connection refused", True, ["switched on"]),
        ("ssh: connect to host shelf port 2222: Connection timed out", True, ["switched on"]),
        ("Timeout, server shelf not responding.", True, ["switched on"]),
        ("sh: 1: exec: python9: not found", False, ["no such Python", "python in the profile"]),
        ("something new", True, ["something new", "uptime"]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_ssh_says_is_passed_on_with_its_mend(said, lost, parts):
    error = explain(ADDRESS, 127 if "python9" in said else 255, said)
    assert isinstance(error, DeviceUnavailableError)
    assert isinstance(error, LinkLostError) == lost
    assert error.exit_code == 4
    for part in parts:
        assert part in str(error)
    assert "\n" not in str(error)


def test_no_host_key_check_is_bypassed_and_nothing_is_asked(monkeypatch):
    monkeypatch.setenv("EDGEWRIGHT_SSH", "ssh -F 'my config'")
    command = ssh_command(ADDRESS, "true")
    assert command[:3] == ["ssh", "-F", "my config"]
    assert command[-5:] == ["-p", "2222", "--", "pi@shelf", "true"]
    assert "BatchMode=yes" in command
    assert not [word for word in command if "StrictHostKeyChecking" in word or "UserKnownHosts" in word]


def test_a_command_that_cannot_be_read_is_refused(monkeypatch):
    monkeypatch.setenv("EDGEWRIGHT_SSH", "ssh 'unclosed")
    with pytest.raises(UsageError, match="EDGEWRIGHT_SSH"):
        ssh_command(ADDRESS, "true")


@pytest.mark.parametrize(
    ("reach", "address"),
    [
        ("ssh://pi@raspberrypi", SshAddress("raspberrypi", "pi")),
        ("ssh://shelf:2222", SshAddress("shelf", None, 2222)),
        ("ssh://pi@[fe80::1%eth0]:22", SshAddress("fe80::1%eth0", "pi", 22)),
        ("ssh://10.0.0.7/", SshAddress("10.0.0.7")),
        ("ssh://-oProxyCommand=evil", None),
        ("ssh://-l@host", None),
        ("ssh://host;reboot", None),
        ("ssh://host:99999", None),
        ("ssh://", None),
        ("http://host", None),
    ],
)
def test_a_reach_is_read_or_refused(reach, address):
    assert SshAddress.parse(reach) == address

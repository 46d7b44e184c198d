"""What is wrong with a device behind ssh, each with its mend: all of it, not the first fault alone."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from edgewright.devices.conditions import Conditions, check_gates
from edgewright.devices.probe import Fingerprint
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import DeviceUnavailableError, SDKError
from edgewright.remote.client import Client, Hello

_LEAST_FREE_BYTES = 256 << 20  # room for a runtime and some artifacts
_CLOCK_S = 300.0  # beyond it certificates and dates in tables go wrong

OK, WRONG, NOTE = "ok", "wrong", "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check.

    Attributes:
        name: what was looked at.
        status: ``ok``, ``wrong`` (measuring would fail), or ``note`` (worth knowing).
        found: what is there.
        mend: what to do; empty where nothing needs doing.
    """

    name: str
    status: str
    found: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything that was looked at on a device.

    Attributes:
        device: name of the profile.
        findings: in the order of looking.
    """

    device: str
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What keeps the device from being measured."""
        return tuple(finding for finding in self.findings if finding.status == WRONG)

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON values."""
        return {
            "device": self.device,
            "ok": not self.faults,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def require(self) -> None:
        """Raise ``DeviceUnavailableError`` that names every fault and its mend."""
        if self.faults:
            listed = "; ".join(f"{f.name}: {f.found}{f': {f.mend}' * bool(f.mend)}" for f in self.faults)
            raise DeviceUnavailableError(f"{self.device} cannot be measured: {listed}")


def check(profile: DeviceProfile, client: Client, *, host_version: str = "") -> Checkup:
    """Look at everything that measuring on a device needs.

    Args:
        profile: of the device.
        client: not yet connected.
        host_version: package and version of the runtime here, to compare with the device's.
    """
    findings: list[Finding] = []
    started = time.time()
    try:
        hello = client.connect()
    except SDKError as error:
        return Checkup(profile.name, (Finding("connection", WRONG, str(error)),))
    findings.append(Finding("connection", OK, str(client.address)))
    python = ".".join(map(str, hello.python))
    libc = " ".join(hello.libc).strip()
    findings.append(Finding("python", OK, f"{python}, {hello.machine}, {libc or 'C library unknown'}"))
    findings.append(_clock(hello, started))
    for look in (_status, _machine, _conditions, _runtime):
        try:
            findings += look(profile, client, host_version)
        except SDKError as error:
            findings.append(Finding(look.__name__.strip("_"), WRONG, str(error)))
    return Checkup(profile.name, tuple(findings))


def _clock(hello: Hello, started: float) -> Finding:
    apart = max(started - hello.time, hello.time - time.time(), 0.0)
    if apart < _CLOCK_S:
        return Finding("clock", OK, f"within {max(apart, 1.0):.0f} s of this host's")
    mend = "set it with: sudo timedatectl set-ntp true (latencies do not depend on it)"
    return Finding("clock", NOTE, f"{apart:.0f} s apart from this host's", mend)


def _status(profile: DeviceProfile, client: Client, host_version: str) -> list[Finding]:
    status = client.request("status")
    free, kept = int(status["free_bytes"]), int(status["store_bytes"])
    text = f"{free / 1e6:.0f} MB free, {kept / 1e6:.0f} MB of artifacts kept"
    mend = f"free some, or delete what edgewright keeps with: edgewright device clean {profile.name}"
    enough = free >= _LEAST_FREE_BYTES
    busy = str(status["busy"])
    return [
        Finding("disk", OK, text) if enough else Finding("disk", WRONG, text, mend),
        Finding("lock", WRONG, busy) if busy else Finding("lock", OK, "free"),
    ]


def _machine(profile: DeviceProfile, client: Client, host_version: str) -> list[Finding]:
    fingerprint = Fingerprint.from_json(client.request("probe", runtime=profile.runtime))
    name = fingerprint.board or fingerprint.cpu_model
    findings = [Finding("machine", OK, f"{name}, {fingerprint.cores} cores, {fingerprint.memory_gib} GiB")]
    if fingerprint.emulated or profile.emulated:
        mend = "use it to try things; search refuses its tables unless told --allow-foreign"
        findings.append(Finding("emulated", NOTE, "its latencies mean nothing", mend))
    return findings


def _conditions(profile: DeviceProfile, client: Client, host_version: str) -> list[Finding]:
    conditions = Conditions.from_json(client.request("conditions", runtime=profile.runtime))
    if faults := check_gates(profile, conditions):
        return [Finding("conditions", WRONG, fault) for fault in faults]
    heat = "unknown" if conditions.temperature_c is None else f"{conditions.temperature_c:.0f} °C"
    return [Finding("conditions", OK, f"temperature {heat}, governor {conditions.governor}")]


def _runtime(profile: DeviceProfile, client: Client, host_version: str) -> list[Finding]:
    affinity = list(profile.affinity)
    found = client.request("describe", runtime=profile.runtime, threads=profile.threads, affinity=affinity)[
        "version"
    ]
    if host_version in ("", found):
        return [Finding("runtime", OK, found)]
    mend = f"where artifacts are refused: edgewright device prepare {profile.name}"
    return [Finding("runtime", NOTE, f"{found}; here it is {host_version}", mend)]

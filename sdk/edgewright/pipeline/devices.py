"""What can be done with a device apart from measuring: probe, check, prepare, clean, compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgewright.backends.artifact import random_feeds
from edgewright.backends.registry import runtime
from edgewright.devices.conditions import check_gates, read_conditions
from edgewright.devices.probe import Fingerprint, probe
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import MissingExtraError, ParityError
from edgewright.latency.local_runner import LocalRunner
from edgewright.pipeline.card import builder_fault, card_fault
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import client_of, require_attached, runner_on
from edgewright.remote.check import NOTE, OK, WRONG, Checkup, Finding, check
from edgewright.remote.prepare import Prepared, prepare

# Largest absolute difference of fp32 outputs between this machine and a device, over the range of the
# outputs: only the order of sums differs. int8 kernels of other instruction sets differ by codes.
MAX_DIFFERENCE = 1e-5


def probe_device(device: str | DeviceProfile) -> Fingerprint:
    """Return the fingerprint of a device: this machine, or one behind ssh.

    Raises:
        DeviceUnavailableError: it is not attached or cannot be reached.
    """
    profile = _profile(device)
    require_attached(profile)
    if profile.is_local:
        found = probe()
    else:
        with client_of(profile) as client:
            found = Fingerprint.from_json(client.request("probe", runtime=profile.runtime))
    return replace(found, emulated=found.emulated or profile.emulated)


def check_device(device: str | DeviceProfile) -> Checkup:
    """Look at everything that measuring on a device needs; a fault is a finding, not an exception.

    Raises:
        DeviceUnavailableError: the device is not attached.
    """
    profile = _profile(device)
    require_attached(profile)
    version = ""
    try:
        version = runtime(profile.runtime).version
        here = Finding("runtime", OK, version)
    except MissingExtraError as error:
        here = Finding("runtime", WRONG, str(error))
    if not profile.is_local:
        client = client_of(profile)
        try:
            found = check(profile, client, host_version=version)
        finally:
            client.close()
        return Checkup(found.device, (*found.findings, *_card_findings(profile)))
    conditions = read_conditions()
    faults = check_gates(profile, conditions)
    findings = [Finding("conditions", WRONG, fault) for fault in faults]
    heat = "unknown" if conditions.temperature_c is None else f"{conditions.temperature_c:.0f} °C"
    findings = findings or [Finding("conditions", OK, f"temperature {heat}, governor {conditions.governor}")]
    if profile.emulated or probe().emulated:
        mend = "use it to try things; search refuses its tables unless told --allow-foreign"
        findings.append(Finding("emulated", NOTE, "its latencies mean nothing", mend))
    return Checkup(profile.name, (here, *_card_findings(profile), *findings))


def _card_findings(profile: DeviceProfile) -> list[Finding]:
    """Return what is wrong with the card that engines are run on, or built on for a device behind ssh."""
    fault = card_fault(profile) if profile.is_local else builder_fault(profile)
    return [] if fault is None else [Finding("engines", WRONG, *fault)]


def prepare_device(
    device: str | DeviceProfile,
    *,
    package: str | None = None,
    version: str | None = None,
    wheels: Path | None = None,
    progress: Progress = SILENT,
) -> Prepared:
    """Install a device's runtime over ssh from wheels that are fetched here.

    See :func:`edgewright.remote.prepare.prepare` for the arguments and errors.
    """
    profile = _profile(device)
    with (
        progress.task(f"preparing {profile.name}") as task,
        client_of(profile) as client,
    ):
        return prepare(
            client,
            profile.runtime,
            package=package,
            version=version,
            wheels=wheels,
            note=lambda text: task.update(0, note=text),
        )


def clean_device(device: str | DeviceProfile) -> tuple[int, int]:
    """Delete the artifacts that a device behind ssh keeps; return how many and their bytes.

    Raises:
        DeviceUnavailableError: it is not behind ssh or cannot be reached.
        DeviceBusyError: another host measures on it.
    """
    with client_of(_profile(device)) as client:
        client.lock()
        freed = client.request("clean")
        return int(freed["files"]), int(freed["bytes"])


@dataclass(frozen=True, slots=True)
class DeviceParity:
    """How an artifact's outputs on a device compare with those here.

    Attributes:
        artifact: the file.
        device: name of the profile.
        runtime: package and version there.
        host_runtime: package and version here.
        n: random inputs that were compared.
        max_abs_difference: over all inputs and outputs.
        relative: the former over the range of the outputs here.
        limit: that ``relative`` may reach.
    """

    artifact: Path
    device: str
    runtime: str
    host_runtime: str
    n: int
    max_abs_difference: float
    relative: float
    limit: float

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "artifact": str(self.artifact),
            "device": self.device,
            "runtime": self.runtime,
            "host_runtime": self.host_runtime,
            "n": self.n,
            "max_abs_difference": self.max_abs_difference,
            "relative": self.relative,
            "limit": self.limit,
            "passed": self.relative <= self.limit,
        }

    def text(self) -> str:
        """Return a line for a terminal."""
        return (
            f"{self.artifact} on {self.device} ({self.runtime}) against this machine ({self.host_runtime}): "
            f"outputs of {self.n} random inputs differ by at most {self.max_abs_difference:.2g}, "
            f"{self.relative:.1e} of their range"
        )

    def require(self) -> None:
        """Raise ``ParityError`` where the outputs differ by more than the limit, or are not finite."""
        if not self.relative <= self.limit:
            raise ParityError(
                f"{self.artifact} computes something else on {self.device}: outputs differ by "
                f"{self.relative:.1e} of their range, at most {self.limit:.0e} is allowed; bring the same "
                f"runtime there with: edgewright device prepare {self.device}, or allow more with --limit"
            )


def device_parity(
    artifact: Path,
    device: str | DeviceProfile,
    *,
    n: int = 4,
    seed: int = 0,
    limit: float = MAX_DIFFERENCE,
    progress: Progress = SILENT,
) -> DeviceParity:
    """Run an artifact on random inputs here and on a device, and compare the outputs.

    Args:
        artifact: a file that ``edgewright compile`` made, or any of the runtime's own.
        device: a profile, or its name, alias or path.
        n: inputs.
        seed: of the inputs.
        limit: largest difference over the range of the outputs.
        progress: told what is done.

    Raises:
        DeviceUnavailableError: the device is not attached or cannot be reached.
        MissingExtraError: the runtime is not installed here or there.
        RuntimeFailureError: a runtime refuses the file.
    """
    profile = _profile(device)
    engine = runtime(profile.runtime)
    rng = np.random.default_rng(seed)
    with engine.open(artifact) as session:
        feeds = [random_feeds(session.inputs, rng) for _ in range(n)]
    inputs = {name: np.stack([each[name] for each in feeds]) for name in feeds[0]}
    expected = LocalRunner(engine).outputs(artifact, inputs)
    with (
        progress.task(f"comparing {artifact.name} on {profile.name}"),
        runner_on(profile, progress=progress) as runner,
    ):
        found = runner.outputs(artifact, inputs)
        version = runner.version
    difference, relative = _compare(expected, found)
    return DeviceParity(artifact, profile.name, version, engine.version, n, difference, relative, limit)


def _compare(expected: dict[str, Any], found: dict[str, Any]) -> tuple[float, float]:
    """Return the largest difference, also over the range of its output; infinite where they misfit."""
    if {name: value.shape for name, value in expected.items()} != {k: v.shape for k, v in found.items()}:
        return float("inf"), float("inf")
    largest = worst = 0.0
    for name, value in expected.items():
        here, there = value.astype(np.float64), found[name].astype(np.float64)
        difference = float(np.abs(here - there).max())
        if not np.isfinite(difference):
            return float("inf"), float("inf")
        spread = float(np.ptp(here))
        largest = max(largest, difference)
        worst = max(worst, difference / spread if spread > 0 else (0.0 if difference == 0 else float("inf")))
    return largest, worst


def _profile(device: str | DeviceProfile) -> DeviceProfile:
    return device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)

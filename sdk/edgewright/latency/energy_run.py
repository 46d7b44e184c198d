"""Making an energy model of a device: whole networks run one after the other, its sensor read meanwhile.

Networks are chosen as for a latency model (:func:`edgewright.latency.transfer.plan_transfer`), with the
device's own latency table as the source where there is one. Each is visited in rounds of random order: a
machine's power wanders with its temperature. What is finished is in the journal before the next begins.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from edgewright.devices.conditions import now_utc
from edgewright.devices.energy import Energy
from edgewright.errors import DeviceUnavailableError, SDKError
from edgewright.latency.encoding_predictor import judged
from edgewright.latency.energy_model import EnergyModel, EnergyRecord
from edgewright.latency.journal import Journal, Record
from edgewright.latency.ledger import MAX_CRASHES, crashes, subject_key, subject_to_json
from edgewright.latency.profile_run import Report
from edgewright.latency.records import architecture_from_json
from edgewright.latency.runner import FATAL, Runner
from edgewright.latency.target import Target
from edgewright.latency.transfer import Plan, identity_of, provenance, require_enough
from edgewright.latency.workshop import Workshop
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace

VISITS = 3  # to each network, a second and a half each; the median is beyond one that met a busy machine


def measure_energies(
    space: MobileSpace,
    target: Target,
    plan: Plan,
    *,
    journal: Path,
    seed: int = 0,
    visits: int = VISITS,
    progress: Report | None = None,
) -> EnergyModel:
    """Measure the energy of the networks of a plan and return the model, judged.

    The journal stays: delete it once the model is saved.

    Args:
        space: of the networks.
        target: device, runtime and how artifacts are made.
        plan: what is measured.
        journal: file that a killed run goes on from.
        seed: of the order.
        visits: to each network.
        progress: called with visits done, visits planned and what is being measured.

    Raises:
        DeviceUnavailableError: the device has no sensor that counts, or it stopped telling.
        RunError: the journal belongs to other measurements.
        RuntimeFailureError: too few networks could be measured; the first reason is named.
        StorageError: the disk is full.
    """
    runner = target.runner
    sensor = require_sensor(runner, target.device)
    fingerprint = runner.fingerprint()
    identity = identity_of(space, target, plan, fingerprint, seed) | {"sensor": sensor, "visits": visits}
    facts = {"before": runner.conditions().to_json(), "created_utc": now_utc()}
    with Journal(journal, identity, facts) as log:
        run = _EnergyRun(target, log, plan, sensor)
        run.measure_all(seed, visits, progress)
        run.workshop.close()
        begun = log.facts
    records = run.records()
    require_enough(plan, records, run.failures.values(), runner.version)
    model = EnergyModel(
        **provenance(space, target, plan, begun),
        fingerprint=fingerprint,
        seconds=round(run.seconds, 1),
        settings={"seed": seed, "visits": visits},
        networks=records,
        sensor=sensor,
    )
    return judged(model, space)


def require_sensor(runner: Runner, device: str) -> str:
    """Return the name of the sensor that stands for a device, the first that it has.

    Raises:
        DeviceUnavailableError: it has none, or cannot be asked.
    """
    names, reason = runner.sensors()
    if not names:
        raise DeviceUnavailableError(
            f"the energy of {device} cannot be measured: {reason}; budgets of time, size and MACs need no "
            "sensor"
        )
    return names[0]


class _EnergyRun:
    """One process's share of the measurements; what earlier processes did comes out of the journal."""

    def __init__(self, target: Target, log: Journal, plan: Plan, sensor: str) -> None:
        self.target, self.log, self.sensor = target, log, sensor
        self.roles = {network.architecture: network.role for network in plan.networks}
        self.workshop = Workshop(log.path.with_name(log.path.name + ".artifacts"), target.suffix)
        self.visits: dict[Architecture, list[Energy]] = defaultdict(list)
        self.failures: dict[Architecture, str] = {}
        self.seconds = 0.0
        self._started = time.monotonic()
        self._n_starts = sum(record["kind"] == "started" for record in log.records)
        for record in log.records:
            self._take(record)
        counts = crashes(log.records)
        for arch in self.roles:
            if (count := counts.get(subject_key(arch), 0)) >= MAX_CRASHES:
                self._fail(arch, f"the runtime took the process down {count} times")

    def measure_all(self, seed: int, visits: int, progress: Report | None) -> None:
        """Measure until every network has its visits."""
        networks = list(self.roles)
        for number in range(visits):
            # A process that goes on deals anew: kills then fall on other networks each time.
            order = np.random.default_rng([seed, 5, number, self._n_starts]).permutation(len(networks))
            for arch in (networks[i] for i in order):
                if arch in self.failures or len(self.visits[arch]) > number:
                    continue
                if progress is not None:
                    done = sum(map(len, self.visits.values()))
                    progress(float(done), float(visits * (len(networks) - len(self.failures))), self.sensor)
                self._visit(arch)

    def _visit(self, arch: Architecture) -> None:
        self.log.append({"kind": "trying", "key": subject_key(arch)}, sync=False)
        try:
            path = self.workshop.artifact(repr(arch), lambda path: self.target.build_network(arch, path))
            energies, reason = self.target.runner.energy(path)
        except FATAL:
            raise
        except SDKError as error:
            self._fail(arch, str(error))
            return
        self.log.append({"kind": "opened"}, sync=False)
        found = [energy for energy in energies if energy.sensor == self.sensor]
        if not found:
            raise DeviceUnavailableError(
                f"{self.sensor} of {self.target.device} stopped telling: {reason or 'it did not answer'}; "
                "what was measured is kept, the same command goes on from there"
            )
        if not found[0].energy_mj > 0:
            raise DeviceUnavailableError(
                f"{self.sensor} of {self.target.device} does not count: {found[0].energy_mj:g} mJ in "
                f"{found[0].n} inferences; see whether it moves at all (a virtual machine's often do not)"
            )
        self._finish({"kind": "energy", **subject_to_json(arch), "energy": found[0].to_json()})
        self.workshop.release(repr(arch))

    def records(self) -> tuple[EnergyRecord, ...]:
        """Return the networks that were measured."""
        return tuple(
            EnergyRecord(arch, tuple(self.visits[arch]), role)
            for arch, role in self.roles.items()
            if arch not in self.failures and self.visits[arch]
        )

    def _fail(self, arch: Architecture, reason: str) -> None:
        if arch not in self.failures:
            self._finish({"kind": "failure", **subject_to_json(arch), "reason": reason})

    def _finish(self, record: Record) -> None:
        """Make a result permanent, then take it up."""
        now = time.monotonic()
        record = {**record, "seconds": round(now - self._started, 3)}
        self._started = now
        self.log.append(record)
        self._take(record)

    def _take(self, record: Record) -> None:
        self.seconds += float(record.get("seconds", 0.0))
        if record["kind"] not in ("energy", "failure"):
            return
        arch = architecture_from_json(record["architecture"])
        if record["kind"] == "failure":
            self.failures[arch] = record["reason"]
        else:
            self.visits[arch].append(Energy.from_json(record["energy"]))

"""The work of a profile: what is due, measuring it, and taking up what a journal holds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import edgewright
from edgewright.devices.conditions import Conditions
from edgewright.devices.probe import Fingerprint
from edgewright.errors import RuntimeFailureError, SDKError
from edgewright.latency.journal import Journal, Record
from edgewright.latency.measure import Interleaved, Measurement
from edgewright.latency.records import Anchor, Entry, Failure, NetworkRecord, architecture_from_json
from edgewright.latency.runner import FATAL, Refusal
from edgewright.latency.sampling import NetworkSample, sample_networks
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig, Target
from edgewright.latency.workshop import Workshop
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import Operator

MAX_CRASHES = 3  # that an operator may take the process down before it counts as failed

Report = Callable[[float, float, str], None]


class _Visit(NamedTuple):
    """A finished stretch of measuring: the anchor beside it, and what it found."""

    anchor_ms: float | None
    value: Any


class ProfileRun:
    """One process's share of a profile; what earlier processes did comes out of the journal."""

    def __init__(
        self,
        space: MobileSpace,
        target: Target,
        log: Journal,
        seed: int,
        config: ProfileConfig,
        progress: Report | None,
    ) -> None:
        self.space, self.target, self.log, self.config = space, target, log, config
        self.seed, self.progress = seed, progress
        self.runner = target.runner
        self.operators = space.all_operators()
        by_macs = sorted(self.operators, key=lambda operator: (operator.macs, operator))
        # Large enough that the clock and the call weigh little, small enough to cost little.
        self.anchor = by_macs[int(0.9 * (len(by_macs) - 1))]
        rng = np.random.default_rng([seed, 1])
        self.networks = sample_networks(space, config.n_fit, config.n_validate, rng)
        self.workshop = Workshop(log.path.with_name(log.path.name + ".artifacts"), target.suffix)
        self.found: dict[Operator, list[_Visit]] = defaultdict(list)
        self.network_visits: dict[Architecture, list[_Visit]] = defaultdict(list)
        self.failures: dict[Operator, Failure] = {}
        self.failed_networks: set[Architecture] = set()
        # Apart, since a call is not alike in turns and in a loop.
        self.segment_anchors_ms: list[float] = []
        self.network_anchors_ms: list[float] = []
        self.seconds = 0.0
        self._started = time.monotonic()
        self._replay(log.records)

    def measure_all(self) -> None:
        """Measure until every operator and network has its visits, then what was tainted."""
        for number in range(self.config.passes + self.config.max_repeats):
            repeat = number >= self.config.passes
            operators, networks = self._due(min(number + 1, self.config.passes), clean=repeat)
            if repeat:  # as far as the limit on visits allows
                visits = sum(map(len, self.found.values()))
                operators = operators[: max(0, self.config.max_visits - visits)]
            if not operators and not networks:
                continue
            self._measure_pass(number, operators, networks)
            if operators and not any(self.found.values()):
                reason = next(iter(self.failures.values())).reason if self.failures else "no reason given"
                raise RuntimeFailureError(
                    f"{self.runner.version} ran none of the {len(operators)} operators of "
                    f"{self.space.name}; the first failed because: {reason}"
                )

    def _due(self, visits: int, *, clean: bool) -> tuple[list[Operator], list[NetworkSample]]:
        """Return what has fewer than ``visits`` visits; with ``clean``, fewer than one clean one."""

        def due(done: Sequence[_Visit]) -> bool:
            if not clean:
                return len(done) < visits
            return len(done) < visits + self.config.max_repeats and len(self._clean(done)) == 0

        return (
            [op for op in self.operators if op not in self.failures and due(self.found[op])],
            [
                network
                for network in self.networks
                if network.architecture not in self.failed_networks
                for _ in range(self._visits_due(network, visits, clean=clean))
            ],
        )

    def _visits_due(self, network: NetworkSample, visits: int, *, clean: bool) -> int:
        """Return how often a network is to be visited in a pass.

        Twice a pass: an operator's error averages out over a network's twenty, a network's does not.
        """
        done = self.network_visits[network.architecture]
        if not clean:
            return max(0, 2 * visits - len(done))
        return int(len(done) < 2 * visits + self.config.max_repeats and not self._clean(done))

    def _clean(self, visits: Sequence[_Visit]) -> list[_Visit]:
        """Return the visits whose anchor was near its median and whose core nobody slowed."""
        return [
            visit
            for visit in visits
            if not _is_slowed(visit)
            and (
                visit.anchor_ms is None
                or abs(visit.anchor_ms / self._reference(visit) - 1) <= self.config.taint
            )
        ]

    def _reference(self, visit: _Visit) -> float:
        of_network = isinstance(visit.value, Measurement)
        return float(np.median(self.network_anchors_ms if of_network else self.segment_anchors_ms))

    def _measure_pass(self, number: int, operators: list[Operator], networks: list[NetworkSample]) -> None:
        """Visit each once: segments of operators with networks in between."""
        rng = np.random.default_rng([self.seed, 2, number, len(self.segment_anchors_ms)])
        dealt = [operators[i] for i in rng.permutation(len(operators))]
        size = self.config.segment
        segments = [dealt[start : start + size] for start in range(0, len(dealt), size)] or [[]]
        queue = [networks[i] for i in rng.permutation(len(networks))]
        shares = np.linspace(0, len(queue), len(segments) + 1).round().astype(int)
        for segment, start, stop in zip(segments, shares, shares[1:], strict=False):
            if segment:
                self._visit_segment(segment, rng)
            for network in queue[start:stop]:
                self._visit_network(network, rng)

    def _visit_segment(self, segment: Sequence[Operator], rng: np.random.Generator) -> None:
        self._report(f"{len(segment)} operators")
        built: list[Operator] = []
        paths: list[Path] = []
        for operator in [*segment, self.anchor]:
            try:
                paths.append(self._artifact(operator))
            except FATAL:
                raise
            except SDKError as error:
                self._fail(operator, str(error))
            else:
                built.append(operator)
        if not built:
            return
        results = self.runner.time_in_turns(
            paths,
            seed=_draw(rng),
            rounds=self.config.rounds,
            warm_ms=self.config.warm_ms,
            opening=lambda index: self._try(built[index]),
        )
        measured: list[tuple[Operator, Interleaved]] = []
        for operator, result in zip(built, results, strict=True):
            if isinstance(result, Refusal):
                self._fail(operator, result.reason)
            else:
                measured.append((operator, result))
        if not measured:
            return
        anchored = measured[-1][0] == self.anchor
        # The anchor sits behind its segment; where the deal put it inside too, that one is its visit.
        own = measured[:-1] if anchored else measured
        self._finish(
            {
                "kind": "segment",
                "anchor_ms": measured[-1][1].warm.median_ms if anchored else None,
                "operators": [
                    {"operator": op.to_json(), "warm": r.warm.to_json(), "cold": r.cold.to_json()}
                    for op, r in own
                ],
            }
        )
        for operator in built:
            if operator != self.anchor:
                self.workshop.release(operator.key)

    def _artifact(self, operator: Operator) -> Path:
        return self.workshop.artifact(operator.key, lambda path: self.target.build(operator, path))

    def _try(self, operator: Operator) -> None:
        """Note which operator is opened, so that a crash is laid at its door."""
        self.log.append({"kind": "trying", "key": operator.key}, sync=False)

    def _visit_network(self, network: NetworkSample, rng: np.random.Generator) -> None:
        self._report("a whole network")
        arch = network.architecture
        key = repr(arch)
        try:
            path = self.workshop.artifact(key, lambda path: self.target.build_network(arch, path))
            timing = self.runner.time_network(
                path, anchor=self._artifact(self.anchor), seed=_draw(rng), network_ms=self.config.network_ms
            )
        except FATAL:
            raise
        except SDKError as error:
            record: Record = {"kind": "network", "architecture": arch.to_json(), "reason": str(error)}
        else:
            record = {
                "kind": "network",
                "architecture": arch.to_json(),
                "anchor_ms": timing.anchor_ms,
                "measurement": timing.measurement.to_json(),
            }
            self.workshop.release(key)
        self._finish(record)

    def _fail(self, operator: Operator, reason: str) -> None:
        self._finish({"kind": "failure", "operator": operator.to_json(), "reason": reason})

    def _finish(self, record: Record) -> None:
        """Make a result permanent, then take it up."""
        record = {**record, "seconds": round(time.monotonic() - self._started, 3)}
        self._started = time.monotonic()
        self.log.append(record)
        self._take(record)

    def _replay(self, records: Iterable[Record]) -> None:
        for record in records:
            self._take(record)
        for key, crashes in _crashes(records).items():
            operator = next((op for op in self.operators if op.key == key), None)
            if crashes >= MAX_CRASHES and operator is not None and operator not in self.failures:
                self._fail(operator, f"the runtime took the process down {crashes} times")

    def _take(self, record: Record) -> None:
        """Take up what a record of the journal says."""
        self.seconds += float(record.get("seconds", 0.0))
        if record["kind"] == "failure":
            self.failures[Operator.from_json(record["operator"])] = Failure(record["reason"])
        elif record["kind"] == "segment":
            anchor_ms = record["anchor_ms"]
            if anchor_ms is not None:
                self.segment_anchors_ms.append(anchor_ms)
            for item in record["operators"]:
                found = Interleaved(
                    cold=Measurement.from_json(item["cold"]), warm=Measurement.from_json(item["warm"])
                )
                self.found[Operator.from_json(item["operator"])].append(_Visit(anchor_ms, found))
        elif record["kind"] == "network":
            arch = architecture_from_json(record["architecture"])
            if "reason" in record:
                self.failed_networks.add(arch)
            else:
                measurement = Measurement.from_json(record["measurement"])
                self.network_anchors_ms.append(record["anchor_ms"])
                self.network_visits[arch].append(_Visit(record["anchor_ms"], measurement))

    def _report(self, what: str) -> None:
        if self.progress is None:
            return
        counts = [
            min(len(v), self.config.passes) for v in (*self.found.values(), *self.network_visits.values())
        ]
        n_ok = len(self.operators) - len(self.failures) + len(self.networks) - len(self.failed_networks)
        self.progress(float(sum(counts)), float(n_ok * self.config.passes), what)

    def table(self, fingerprint: Fingerprint) -> LatencyTable:
        """Return the table without correction."""
        target, runner = self.target, self.runner
        return LatencyTable(
            device=target.device,
            runtime=runner.name,
            runtime_version=runner.version,
            runtime_conditions=dict(runner.settings()),
            precision=target.precision,
            threads=runner.threads,
            space_name=self.space.name,
            space_version=self.space.version,
            space_digest=self.space.digest,
            fingerprint=fingerprint,
            conditions_before=Conditions.from_json(self.log.facts["before"]),
            conditions_after=runner.conditions(),
            created_utc=self.log.facts["created_utc"],
            edgewright_version=edgewright.__version__,
            seconds=round(self.seconds, 1),
            settings={"seed": self.seed, **asdict(self.config), **self._gauge_settings()},
            entries={
                operator: Entry(
                    warm=Measurement.merge([visit.value.warm for visit in self._usable(visits)]),
                    cold=Measurement.merge([visit.value.cold for visit in self._usable(visits)]),
                )
                for operator in self.operators
                if operator not in self.failures and (visits := self.found[operator])
            },
            failures=dict(self.failures),
            anchor=Anchor(self.anchor, tuple(self.segment_anchors_ms)),
            networks=tuple(
                NetworkRecord(arch, Measurement.merge([v.value for v in self._usable(visits)]), role)
                for arch, role in self.networks
                if (visits := self.network_visits[arch])
            ),
        )

    def _gauge_settings(self) -> dict[str, float]:
        """Return the speed that this machine was seen at, by which later measurements can be judged."""
        gauge_ns = self.runner.gauge_ns
        return {} if gauge_ns is None else {"gauge_ns": gauge_ns}

    def _usable(self, visits: Sequence[_Visit]) -> Sequence[_Visit]:
        """Return the clean visits; where none is clean, which the verdict then shows, the fastest half.

        What disturbs a visit only ever adds time.
        """
        steady = [visit for visit in visits if not _is_slowed(visit)]
        fastest = sorted(visits, key=_median_ms)[: -(-len(visits) // 2)]
        return self._clean(visits) or steady or fastest


def _draw(rng: np.random.Generator) -> list[int]:
    """Return a seed for a runner, which may be elsewhere."""
    return [int(value) for value in rng.integers(0, 2**31, 4)]


def _is_slowed(visit: _Visit) -> bool:
    value = visit.value
    measurement: Measurement = value if isinstance(value, Measurement) else value.warm
    return measurement.n_slowed + measurement.n_cpu_time > 0


def _crashes(records: Iterable[Record]) -> dict[str, int]:
    """Return how often each operator was the last that was tried before a process ended."""
    counts: dict[str, int] = defaultdict(int)
    last: str | None = None
    for record in _with_end(records):
        if record["kind"] == "started" and last is not None:
            counts[last] += 1
        last = record["key"] if record["kind"] == "trying" else None
    return counts


def _with_end(records: Iterable[Record]) -> Iterator[Record]:
    yield from records
    yield {"kind": "started"}


def _median_ms(visit: _Visit) -> float:
    value = visit.value
    return value.median_ms if isinstance(value, Measurement) else value.warm.median_ms

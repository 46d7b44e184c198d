"""The work of a profile: what is due, and measuring it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

import edgewright
from edgewright.backends.cross_check import CrossCheck, NoCrossCheck
from edgewright.devices.conditions import Conditions
from edgewright.devices.probe import Fingerprint
from edgewright.errors import RuntimeFailureError, SDKError
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.journal import Journal, Record
from edgewright.latency.ledger import (
    MAX_CRASHES,
    Ledger,
    Subject,
    crashes,
    is_slowed,
    subject_key,
    subject_to_json,
)
from edgewright.latency.measure import Interleaved, MeasureConfig, Measurement
from edgewright.latency.records import Anchor, Entry, Failure, NetworkRecord
from edgewright.latency.runner import FATAL, Refusal
from edgewright.latency.sampling import NetworkSample, sample_networks
from edgewright.latency.table import LatencyTable
from edgewright.latency.taken import NOTHING_TAKEN, taken_from
from edgewright.latency.target import ProfileConfig, Target
from edgewright.latency.workshop import Workshop
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import Operator, with_leads

NETWORK_SETTLE = 4  # calls after which a network's latency in turns stops falling
# Our own side of the cross-check: before the vendor's tool runs, and once more after it.
BESIDE_TOOL = MeasureConfig(min_samples=20, max_samples=60, max_time_ms=400.0, max_warmup_ms=200.0)
_CROSS_CHECK = "cross-check"  # kind of its record, and what a process was at that ended meanwhile
Report = Callable[[float, float, str], None]
_Some = TypeVar("_Some", Operator, Architecture)


class _Turn(NamedTuple):
    """How something is timed when its turn comes; see ``Runner.time_in_turns``."""

    rounds: int
    warm_ms: float
    samples: int
    settle: int


class ProfileRun:
    """One process's share of a profile; what earlier processes did comes out of the journal.

    With ``networks`` only these whole networks are measured, with the anchor beside them. Operators of
    the table ``known`` are taken from there, and so are its networks where that leaves nothing to measure.
    """

    def __init__(
        self,
        space: MobileSpace,
        target: Target,
        log: Journal,
        seed: int,
        config: ProfileConfig,
        progress: Report | None,
        networks: Sequence[NetworkSample] | None = None,
        known: LatencyTable | None = None,
    ) -> None:
        self.space, self.target, self.log, self.config = space, target, log, config
        self.seed, self.progress = seed, progress
        self.runner = target.runner
        operators = with_leads(space.all_operators())
        self.known = (
            {} if known is None else {op: known.entries[op] for op in operators if op in known.entries}
        )
        self.taken_from = "" if known is None else known.table_id
        self.operators = tuple(op for op in operators if op not in self.known) if networks is None else ()
        by_macs = sorted(operators, key=lambda operator: (operator.macs, operator))
        # Large enough that the clock and the call weigh little, small enough to cost little.
        self.anchor = by_macs[int(0.9 * (len(by_macs) - 1))]
        rng = np.random.default_rng([seed, 1])
        # Operators and networks of one table belong to the same hours: both are taken, or networks neither.
        complete = known if networks is None and not self.operators else None
        self.taken = NOTHING_TAKEN if complete is None else taken_from(complete, space, config)
        if self.taken.networks:
            networks = ()
        if networks is None:
            networks = sample_networks(space, config.n_fit, config.n_validate, rng)
        self.roles = {network.architecture: network.role for network in networks}
        self.workshop = Workshop(log.path.with_name(log.path.name + ".artifacts"), target.suffix)
        self.ledger = Ledger(config.taint)
        self._started = time.monotonic()
        self._wait_s = config.wait_s
        self._n_starts = sum(record["kind"] == "started" for record in log.records) + log.resumed
        self._replay(log.records)

    def measure_all(self) -> None:
        """Measure until every operator and network has its visits, then what was tainted."""
        repeating_since: float | None = None
        for number in range(self.config.passes + self.config.max_repeats):
            if number < self.config.passes:
                operators = self._due(self.operators, number + 1)
                wanted = -(-self.config.network_visits * (number + 1) // self.config.passes)
                networks = self._due_networks(wanted)
            else:
                repeating_since = repeating_since or time.monotonic()
                if time.monotonic() - repeating_since > self.config.repeat_s:
                    break
                operators = self._tainted(self.operators, self.config.passes)
                networks = [self._tainted(tuple(self.roles), self.config.network_visits)]
            if not operators and not any(networks):
                continue
            self._measure_pass(number, operators, networks)
            own = [operator for operator in self.operators if operator.kind != "lead"]
            planned: Sequence[Subject] = own or tuple(self.roles)
            if not self.known and not any(self.ledger.visits[subject] for subject in planned):
                failures = self.ledger.failures
                reason = next(iter(failures.values())) if failures else "no reason given"
                what = "operators" if self.operators else "networks"
                raise RuntimeFailureError(
                    f"{self.runner.version} ran none of the {len(planned)} {what} of "
                    f"{self.space.name}; the first failed because: {reason}"
                )

    def cross_check(self) -> NetworkCrossCheck:
        """Have the vendor's tool measure the network of middle latency; what fails is told as the reason.

        An answer is in the journal before anything else is done, so it is asked for once.
        """
        tool = self.target.vendor
        if self.ledger.cross_check is not None:
            return self.ledger.cross_check
        if self.taken.cross_check is not None:
            return self.taken.cross_check
        if isinstance(tool, NoCrossCheck):
            return NetworkCrossCheck(found=tool)
        self._report("the vendor's tool")
        measured = sorted(self.records(), key=lambda record: record.measurement.median_ms)
        found = NetworkCrossCheck(found=NoCrossCheck("no whole network was measured"))
        if measured:
            self.log.append({"kind": "trying", "key": _CROSS_CHECK}, sync=False)
            found = self._asked(tool, measured[len(measured) // 2])
        self._finish({"kind": _CROSS_CHECK, "found": found.to_json()})
        return found

    def _asked(
        self, tool: Callable[[Path], CrossCheck | NoCrossCheck], record: NetworkRecord
    ) -> NetworkCrossCheck:
        """Return what the tool says of a network, beside what we measure before and after it."""
        network = record.architecture
        try:
            path = self._artifact(network)
            before = self._timed_alone(path)
            found = tool(path)
            if isinstance(found, NoCrossCheck):
                return NetworkCrossCheck(found=found)
            own = [each for each in (before, self._timed_alone(path)) if each is not None]
            ours = Measurement.merge(own) if own else record.measurement
            asked = NetworkCrossCheck(found=found, network=network, measured_ms=ours.median_ms)
            return NetworkCrossCheck.from_json(asked.to_json())  # what makes no sense is not stored
        except Exception as error:  # a second witness: whatever it dies of, the table is worth as much
            return NetworkCrossCheck(found=NoCrossCheck(f"the vendor's tool failed: {error}"))

    def _timed_alone(self, path: Path) -> Measurement | None:
        """Return samples in a tight loop; ``None`` where the machine leaves none undisturbed."""
        try:
            return self.runner.time_alone(path, seed=[self.seed, 4], config=BESIDE_TOOL)
        except RuntimeFailureError:
            return None

    def _due(self, subjects: Sequence[_Some], visits: int) -> list[_Some]:
        """Return what can be measured and has fewer than so many visits."""
        found = self.ledger
        return [s for s in subjects if s not in found.failures and len(found.visits[s]) < visits]

    def _due_networks(self, visits: int) -> list[list[Architecture]]:
        """Return the networks of each round of visits that is still to be made."""
        least = min((len(self.ledger.visits[arch]) for arch in self.roles), default=visits)
        return [self._due(tuple(self.roles), number) for number in range(least + 1, visits + 1)]

    def _tainted(self, subjects: Sequence[_Some], visits: int) -> list[_Some]:
        """Return what was visited and never clean, unless it had its repeats."""
        found, limit = self.ledger, visits + self.config.max_repeats
        return [s for s in subjects if 0 < len(found.visits[s]) < limit and not found.clean(s)]

    def _measure_pass(
        self, number: int, operators: list[Operator], networks: Sequence[list[Architecture]]
    ) -> None:
        """Visit operators once and networks once a list, segments of the ones between the others'."""
        # A process that goes on deals anew: kills then fall on other operators each time, crashes do not.
        rng = np.random.default_rng([self.seed, 2, number, self._n_starts])
        config = self.config
        segments = _deal(operators, config.segment, rng) or [[]]
        queue = [group for some in networks for group in _deal(some, config.network_segment, rng)]
        shares = np.linspace(0, len(queue), len(segments) + 1).round().astype(int)
        for segment, start, stop in zip(segments, shares, shares[1:], strict=False):
            if segment:
                self._report(f"{len(segment)} operators")
                self._visit(segment, rng, _Turn(config.rounds, config.warm_ms, 1, 1))
            for group in queue[start:stop]:
                self._report("whole networks")
                turn = _Turn(config.network_rounds, 0.0, config.network_samples, NETWORK_SETTLE)
                self._visit(group, rng, turn)

    def _visit(self, subjects: Sequence[Subject], rng: np.random.Generator, turn: _Turn) -> None:
        """Time operators in turns, the anchor behind them, or networks, each beside the reference."""
        reference = None if isinstance(subjects[0], Operator) else self._reference()
        last: Subject = reference or self.anchor
        built, extra = self._built(subjects), self._built([last])
        opened = [subject for subject, _ in [*built, *extra]]
        self._wait_s -= self.runner.wait_until_steady(max(0.0, self._wait_s))
        results = self.runner.time_in_turns(
            [path for _, path in [*built, *extra]],
            seed=[int(value) for value in rng.integers(0, 2**31, 4)],
            rounds=turn.rounds,
            warm_ms=turn.warm_ms,
            samples=turn.samples,
            settle=turn.settle,
            opening=lambda index: self._try(opened[index] if index < len(opened) else None),
            paired=bool(reference and extra),
        )
        measured: list[tuple[Subject, Interleaved]] = []
        for subject, result in zip(opened, results, strict=True):
            if isinstance(result, Refusal):
                self._fail(subject, result.reason)
            else:
                measured.append((subject, result))
        # Where the deal put the anchor or the reference among the subjects too, that one is its visit.
        is_anchored = bool(extra) and not isinstance(results[-1], Refusal)
        own = measured[:-1] if is_anchored else measured
        if own:
            anchor = measured[-1][1].warm
            self._finish(
                {
                    "kind": "segment",
                    "anchor_ms": anchor.median_ms if is_anchored else None,
                    "anchor_slowed": is_slowed(anchor),
                    **({"reference": subject_key(reference)} if reference else {}),
                    "visits": [{"subject": subject_to_json(s), **r.to_json()} for s, r in own],
                }
            )
        for subject, _ in built:
            if subject != last:
                self.workshop.release(subject_key(subject))

    def _built(self, subjects: Sequence[Subject]) -> list[tuple[Subject, Path]]:
        """Return the artifacts of those that can be built; what cannot is a failure with its reason."""
        built = list[tuple[Subject, Path]]()
        for subject in subjects:
            try:
                built.append((subject, self._artifact(subject)))
            except FATAL:
                raise
            except SDKError as error:
                self._fail(subject, str(error))
        return built

    def _reference(self) -> Architecture | None:
        """Return the network that others are timed beside: of those that run, the one of median cost."""
        running = [arch for arch in self.roles if arch not in self.ledger.failures]
        running.sort(key=lambda arch: sum(op.macs for op in self.space.operators(arch)))
        return running[len(running) // 2] if running else None

    def _artifact(self, subject: Subject) -> Path:
        if isinstance(subject, Operator):
            operator = subject
            return self.workshop.artifact(operator.key, lambda path: self.target.build(operator, path))
        arch = subject
        return self.workshop.artifact(repr(arch), lambda path: self.target.build_network(arch, path))

    def _try(self, subject: Subject | None) -> None:
        """Note what is opened, so that a crash is laid at its door, and that all of it is open."""
        opened: Record = {"kind": "opened"}
        self.log.append(
            opened if subject is None else {"kind": "trying", "key": subject_key(subject)}, sync=False
        )

    def _fail(self, subject: Subject, reason: str) -> None:
        if subject not in self.ledger.failures:
            self._finish({"kind": "failure", "subject": subject_to_json(subject), "reason": reason})

    def _finish(self, record: Record) -> None:
        """Make a result permanent, then take it up."""
        record = {**record, "seconds": round(time.monotonic() - self._started, 3)}
        self._started = time.monotonic()
        self.log.append(record)
        self.ledger.take(record)

    def _replay(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ledger.take(record)
        subjects = {subject_key(subject): subject for subject in self._subjects()}
        for key, count in crashes(records).items():
            if count >= MAX_CRASHES and key in subjects:
                self._fail(subjects[key], f"the runtime took the process down {count} times")
            elif count >= MAX_CRASHES and key == _CROSS_CHECK and self.ledger.cross_check is None:
                reason = NoCrossCheck(f"the vendor's tool took the process down {count} times")
                found = NetworkCrossCheck(found=reason)
                self._finish({"kind": _CROSS_CHECK, "found": found.to_json()})

    def _subjects(self) -> list[Subject]:
        return [*self.operators, *self.roles]

    def _report(self, what: str) -> None:
        if self.progress is None:
            return
        found, config = self.ledger, self.config
        wanted = {
            subject: config.passes if isinstance(subject, Operator) else config.network_visits
            for subject in self._subjects()
            if subject not in found.failures
        }
        done = sum(min(len(found.visits[subject]), visits) for subject, visits in wanted.items())
        self.progress(float(done), float(sum(wanted.values())), what)

    def table(self, fingerprint: Fingerprint, cross_check: NetworkCrossCheck | None = None) -> LatencyTable:
        """Return the table without correction."""
        target, runner, found = self.target, self.runner, self.ledger
        gauge_ns = runner.gauge_ns
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
            seconds=round(found.seconds, 1),
            # The speed that the machine was seen at: later measurements can be judged by it.
            settings={
                "seed": self.seed,
                **asdict(self.config),
                **({} if gauge_ns is None else {"gauge_ns": gauge_ns}),
                **({"taken_from": self.taken_from, "n_taken": len(self.known)} if self.known else {}),
                **({"n_networks_taken": len(self.taken.networks)} if self.taken.networks else {}),
            },
            entries=self.known
            | {
                operator: Entry(warm=found.warm(operator), cold=found.cold(operator))
                for operator in self.operators
                if operator not in found.failures and found.visits[operator]
            },
            failures={
                subject: Failure(reason)
                for subject, reason in found.failures.items()
                if isinstance(subject, Operator)
            },
            anchor=self.taken.anchor or Anchor(self.anchor, tuple(ms for ms, _ in found.anchors[None])),
            networks=self.records(),
            cross_check=cross_check,
            affinity=runner.affinity,
        )

    def records(self) -> tuple[NetworkRecord, ...]:
        """Return the whole networks that were measured."""
        found = self.ledger
        return self.taken.networks + tuple(
            NetworkRecord(arch, found.warm(arch), role)
            for arch, role in self.roles.items()
            if arch not in found.failures and found.visits[arch]
        )


def _deal(subjects: Sequence[_Some], size: int, rng: np.random.Generator) -> list[list[_Some]]:
    """Return the subjects in random order, in segments of at most ``size``."""
    dealt = [subjects[i] for i in rng.permutation(len(subjects))]
    return [dealt[start : start + size] for start in range(0, len(dealt), size)]

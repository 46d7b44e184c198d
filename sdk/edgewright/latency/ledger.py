"""What a profile has measured so far, taken up from its journal record by record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgewright.latency.journal import Record
from edgewright.latency.measure import Interleaved, Measurement
from edgewright.latency.records import architecture_from_json
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.operator import Operator

Subject = Operator | Architecture
MAX_CRASHES = 3  # that something may take the process down before it counts as failed


class Visit(NamedTuple):
    """One stay at an operator or a network: the anchor of its segment, and what was found."""

    anchor_ms: float | None
    found: Interleaved

    @property
    def is_slowed(self) -> bool:
        """Whether samples had to be kept beside which others slowed the core."""
        return is_slowed(self.found.warm)

    def scaled(self, factor: float) -> Visit:
        """Return the visit as it would be on a core that is ``1 / factor`` times as slow."""
        return Visit(self.anchor_ms, Interleaved(*(part.scaled(factor) for part in self.found)))


class Ledger:
    """Visits, failures and anchors of a profile.

    Args:
        taint: relative distance of a visit's anchor from the anchors' median at which it is tainted.

    Attributes:
        visits: to each operator and network, in order of time.
        failures: reasons of what could not be built or run.
        anchors: the anchor's latency and whether it was slowed, in order of time; apart for operators
            and networks, since a call is not alike in turns with small things and with large ones.
        seconds: that measuring took, over all processes.
    """

    def __init__(self, taint: float) -> None:
        self.taint = taint
        self.visits: dict[Subject, list[Visit]] = defaultdict(list)
        self.failures: dict[Subject, str] = {}
        self.anchors: dict[type[Subject], list[tuple[float, bool]]] = {Operator: [], Architecture: []}
        self.seconds = 0.0

    def take(self, record: Record) -> None:
        """Take up what a record of the journal says."""
        self.seconds += float(record.get("seconds", 0.0))
        if record["kind"] == "failure":
            self.failures[_subject(record["subject"])] = record["reason"]
        elif record["kind"] == "segment":
            anchor_ms = record["anchor_ms"]
            subjects = [_subject(item["subject"]) for item in record["visits"]]
            if anchor_ms is not None and subjects:
                self.anchors[type(subjects[0])].append((anchor_ms, record["anchor_slowed"]))
            for subject, item in zip(subjects, record["visits"], strict=True):
                found = Interleaved(
                    cold=Measurement.from_json(item["cold"]), warm=Measurement.from_json(item["warm"])
                )
                self.visits[subject].append(Visit(anchor_ms, found))

    def clean(self, subject: Subject) -> list[Visit]:
        """Return the visits whose anchor was near its median and whose core nobody slowed."""
        return [
            visit
            for visit in self.visits[subject]
            if not visit.is_slowed
            and (visit.anchor_ms is None or abs(visit.anchor_ms / self._reference(subject) - 1) <= self.taint)
        ]

    def usable(self, subject: Subject) -> Sequence[Visit]:
        """Return the clean visits; where there is none, all of them, scaled to the anchor's clean speed.

        What slows a core slows its anchor too, though not quite alike: such a visit keeps its count of
        slowed samples, and its verdict is ``noisy``.
        """
        return self.clean(subject) or [
            visit
            if visit.anchor_ms is None
            else visit.scaled(min(1.0, self._reference(subject) / visit.anchor_ms))
            for visit in self.visits[subject]
        ]

    def warm(self, subject: Subject) -> Measurement:
        """Return the warm samples of the usable visits."""
        return Measurement.merge([visit.found.warm for visit in self.usable(subject)])

    def cold(self, subject: Subject) -> Measurement:
        """Return the cold samples of the usable visits."""
        return Measurement.merge([visit.found.cold for visit in self.usable(subject)])

    def _reference(self, subject: Subject) -> float:
        anchors = self.anchors[type(subject)]
        clean = [ms for ms, slowed in anchors if not slowed]
        return float(np.median(clean or [ms for ms, _ in anchors]))


def is_slowed(measurement: Measurement) -> bool:
    """Return whether others slowed the core beside kept samples, or the machine held itself back."""
    return measurement.n_slowed + measurement.n_cpu_time > 0 or bool(measurement.throttled)


def subject_to_json(subject: Subject) -> dict[str, Any]:
    """Return an operator or an architecture as the journal keeps it."""
    return {type(subject).__name__.lower(): subject.to_json()}


def subject_key(subject: Subject) -> str:
    """Return a readable name, unique among operators and architectures."""
    return subject.key if isinstance(subject, Operator) else repr(subject)


def crashes(records: Iterable[Record]) -> dict[str, int]:
    """Return what the last processes ended at, one after another without progress, and how many they were.

    What crashes a runtime does so each time, at the same place, and nothing gets further; a user's
    own kills fall anywhere. One key at most.
    """
    counts: dict[str, int] = {}
    last: str | None = None
    for record in _with_end(records):
        if record["kind"] == "started" and last is not None:
            counts = {last: counts.get(last, 0) + 1}
        elif record["kind"] in ("opened", "segment", "failure"):
            counts = {}
        last = record["key"] if record["kind"] == "trying" else None
    return counts


def _subject(data: Record) -> Subject:
    if "operator" in data:
        return Operator.from_json(data["operator"])
    return architecture_from_json(data["architecture"])


def _with_end(records: Iterable[Record]) -> Iterator[Record]:
    yield from records
    yield {"kind": "started"}

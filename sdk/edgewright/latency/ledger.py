"""What a profile has measured so far, taken up from its journal record by record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.journal import Record
from edgewright.latency.measurement import Interleaved, Measurement, rounded_ms
from edgewright.latency.records import architecture_from_json
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.operator import Operator

Subject = Operator | Architecture
MAX_CRASHES = 3  # that something may take the process down before it counts as failed


class Visit(NamedTuple):
    """One stay at an operator or a network.

    Attributes:
        anchor_ms: of its segment; None where there was none.
        found: its samples.
        reference: key of the network that is its segment's anchor; None where an operator is.
    """

    anchor_ms: float | None
    found: Interleaved
    reference: str | None = None

    @property
    def is_slowed(self) -> bool:
        """Whether samples had to be kept that others disturbed and no reference can mend."""
        return bool(self.found.warm.throttled) if self.is_paired else is_slowed(self.found.warm)

    @property
    def is_paired(self) -> bool:
        """Whether a reference network took turns with it."""
        return bool(self.found.beside_ms)

    def scaled(self, factor: float) -> Visit:
        """Return the visit as it would be on a core that is ``1 / factor`` times as slow."""
        found = self.found
        return self._replace(found=Interleaved(found.cold.scaled(factor), found.warm.scaled(factor)))

    def beside(self, reference_ms: float) -> Visit:
        """Return the visit as it would be while the reference takes ``reference_ms``."""
        cold, warm, beside = self.found
        factors = [reference_ms / ms for ms in beside]
        samples = [factor * ms for factor, ms in zip(factors, warm.samples_ms, strict=True)]
        warm = replace(warm, samples_ms=tuple(map(rounded_ms, samples)))
        return self._replace(found=Interleaved(cold.scaled(float(np.median(factors))), warm))


class Ledger:
    """Visits, failures and anchors of a profile.

    Args:
        taint: relative distance of a visit's anchor from the anchors' median at which it is tainted.

    Attributes:
        visits: to each operator and network, in order of time.
        failures: reasons of what could not be built or run.
        anchors: the anchor's latency in each segment and whether it was slowed, in order of time; under
            a reference network's key, that network's.
        cross_check: what the vendor's tool said; ``None`` before it was asked.
        seconds: that measuring took, over all processes.
    """

    def __init__(self, taint: float) -> None:
        self.taint = taint
        self.visits: dict[Subject, list[Visit]] = defaultdict(list)
        self.failures: dict[Subject, str] = {}
        self.anchors: dict[str | None, list[tuple[float, bool]]] = defaultdict(list)
        self.cross_check: NetworkCrossCheck | None = None
        self.seconds = 0.0

    def take(self, record: Record) -> None:
        """Take up what a record of the journal says."""
        self.seconds += float(record.get("seconds", 0.0))
        if record["kind"] == "failure":
            self.failures[_subject(record["subject"])] = record["reason"]
        elif record["kind"] == "cross-check":
            self.cross_check = NetworkCrossCheck.from_json(record["found"])
        elif record["kind"] == "segment":
            anchor_ms, reference = record["anchor_ms"], record.get("reference")
            if anchor_ms is not None:
                self.anchors[reference].append((anchor_ms, record["anchor_slowed"]))
            for item in record["visits"]:
                visit = Visit(anchor_ms, Interleaved.from_json(item), reference)
                self.visits[_subject(item["subject"])].append(visit)

    def clean(self, subject: Subject) -> list[Visit]:
        """Return the visits whose anchor was near its median and whose core nobody slowed.

        Beside a reference network, only what held the whole machine back taints a visit.
        """
        return [
            visit
            for visit in self.visits[subject]
            if not visit.is_slowed
            and (
                visit.anchor_ms is None
                or visit.is_paired
                or abs(visit.anchor_ms / self._anchor_ms(visit) - 1) <= self.taint
            )
        ]

    def usable(self, subject: Subject) -> Sequence[Visit]:
        """Return the clean visits; where there is none, all of them, scaled to the anchor's clean speed.

        What slows a core slows its anchor too, though not quite alike: such a visit keeps its count of
        slowed samples, and its verdict is ``noisy``. Visits beside a reference network are always scaled
        to the reference's clean speed.
        """
        kept = self.clean(subject) or [
            visit
            if visit.anchor_ms is None
            else visit.scaled(min(1.0, self._anchor_ms(visit) / visit.anchor_ms))
            for visit in self.visits[subject]
            if not visit.is_paired
        ]
        kept = kept or self.visits[subject]
        return [visit.beside(self._anchor_ms(visit)) if visit.is_paired else visit for visit in kept]

    def warm(self, subject: Subject) -> Measurement:
        """Return the warm samples of the usable visits; those of the others count as dropped."""
        found = Measurement.merge([visit.found.warm for visit in self.usable(subject)])
        return found.beside_tainted([visit.found.warm for visit in self._tainted(subject)])

    def cold(self, subject: Subject) -> Measurement:
        """Return the cold samples of the usable visits; those of the others count as dropped."""
        found = Measurement.merge([visit.found.cold for visit in self.usable(subject)])
        return found.beside_tainted([visit.found.cold for visit in self._tainted(subject)])

    def _tainted(self, subject: Subject) -> list[Visit]:
        """Return the visits that clean ones stand in for."""
        clean = {id(visit) for visit in self.clean(subject)}
        return [visit for visit in self.visits[subject] if id(visit) not in clean] if clean else []

    def _anchor_ms(self, visit: Visit) -> float:
        anchors = self.anchors[visit.reference]
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
    """Return how many processes ended while they opened a subject, by its key.

    What was opened without harm is cleared of all earlier ends: a crash comes every time, and a
    user's own kills fall anywhere.
    """
    counts = dict[str, int]()
    tried = list[str]()
    for record in _with_end(records):
        kind = record["kind"]
        if kind == "trying":
            tried.append(record["key"])
            continue
        if kind == "started" and tried:
            counts[tried[-1]] = counts.get(tried[-1], 0) + 1
        elif kind == "opened":
            counts = {key: count for key, count in counts.items() if key not in tried}
        tried = []
    return counts


def _subject(data: Record) -> Subject:
    if "operator" in data:
        return Operator.from_json(data["operator"])
    return architecture_from_json(data["architecture"])


def _with_end(records: Iterable[Record]) -> Iterator[Record]:
    yield from records
    yield {"kind": "started"}

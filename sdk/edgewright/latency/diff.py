"""What changed between two latency tables, and what of it is beyond noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgewright.errors import UsageError
from edgewright.latency.measurement import Measurement
from edgewright.latency.noise import (
    NORMAL_95,
    Between,
    between_visits,
    difference_p,
    discoveries,
    spread_of,
)
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space
from edgewright.spaces.architecture import FloatArray
from edgewright.spaces.operator import Operator

N_NETWORKS = 500  # whose predictions are compared
MIN_THINGS = 5  # below that a bootstrap knows nothing of a spread
_N_RESAMPLED = 2000  # times that operators are drawn anew for the interval of their shift
_PROVENANCE = (
    "device",
    "runtime_version",
    "precision",
    "threads",
    "batch",
    "affinity",
    "space_name",
    "space_version",
    "edgewright_version",
    "created_utc",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An operator in both tables.

    Attributes:
        operator: which.
        a_ms: warm median in the first table.
        b_ms: in the second.
        p: probability of so large a ratio where nothing has changed.
        beyond_noise: whether it holds among all operators (5 % false discoveries).
    """

    operator: Operator
    a_ms: float
    b_ms: float
    p: float
    beyond_noise: bool

    @property
    def ratio(self) -> float:
        """Second over first."""
        return self.b_ms / self.a_ms

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, the operator by its key."""
        values = {name: getattr(self, name) for name in ("a_ms", "b_ms", "ratio", "p", "beyond_noise")}
        return {"key": self.operator.key, "kind": self.operator.kind, **values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How many things moved together.

    Attributes:
        n: of them.
        median_ratio: second over first.
        low: of the 95 % interval of the median ratio: bootstrap over the things, seed 0, widened by
            how far the state of both machines is known, which moves all of them alike. ``None`` for
            fewer than :data:`MIN_THINGS`.
        high: likewise.
    """

    n: int
    median_ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """Two tables beside each other.

    Attributes:
        provenance: what was measured where, as ``name: (first, second)``, differing facts only.
        only_a: operators of the first table alone.
        only_b: of the second alone.
        failed: operators measured in one and failed in the other, as ``key: reason``.
        changes: operators of both, largest change first.
        overall: of all common operators; ``None`` without any.
        by_kind: of each kind of operator.
        measured_networks: of whole networks measured in both tables; ``None`` without any.
        predicted_networks: of corrected predictions for the same random networks; ``None`` where
            the tables share no space.
        tested: whether noise is known; an imported table has no samples.
    """

    provenance: Mapping[str, tuple[str, str]]
    only_a: tuple[Operator, ...]
    only_b: tuple[Operator, ...]
    failed: Mapping[str, str]
    changes: tuple[Change, ...]
    overall: Shift | None
    by_kind: Mapping[str, Shift]
    measured_networks: Shift | None
    predicted_networks: Shift | None
    tested: bool

    @property
    def n_beyond_noise(self) -> int:
        """Common operators whose change is beyond noise."""
        return sum(change.beyond_noise for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""

        def shift(value: Shift | None) -> dict[str, Any] | None:
            return None if value is None else asdict(value)

        return {
            "provenance": {name: list(pair) for name, pair in self.provenance.items()},
            "only_a": [operator.key for operator in self.only_a],
            "only_b": [operator.key for operator in self.only_b],
            "failed": dict(self.failed),
            "n_common": len(self.changes),
            "noise_tested": self.tested,
            "n_beyond_noise": self.n_beyond_noise,
            "overall": shift(self.overall),
            "by_kind": {kind: shift(value) for kind, value in self.by_kind.items()},
            "measured_networks": shift(self.measured_networks),
            "predicted_networks": shift(self.predicted_networks),
            "changes": [change.to_json() for change in self.changes],
        }


def diff_tables(a: LatencyTable, b: LatencyTable) -> TableDiff:
    """Return what changed from table ``a`` to table ``b``."""
    changes = common_changes(a, b)
    kinds = sorted({change.operator.kind for change in changes})
    both = a.entries.keys() & b.entries.keys()
    failed = {
        op.key: f"{where}: {failure.reason}"
        for where, here, there in (("first", a, b), ("second", b, a))
        for op, failure in here.failures.items()
        if op in there.entries
    }
    return TableDiff(
        provenance=provenance_differences(a, b),
        only_a=tuple(sorted(a.entries.keys() - both - b.failures.keys())),
        only_b=tuple(sorted(b.entries.keys() - both - a.failures.keys())),
        failed=failed,
        changes=tuple(sorted(changes, key=lambda c: -abs(np.log(c.ratio)))),
        overall=_shift([change.ratio for change in changes], a, b),
        by_kind={
            kind: shift
            for kind in kinds
            if (shift := _shift([c.ratio for c in changes if c.operator.kind == kind], a, b)) is not None
        },
        measured_networks=_measured_networks(a, b),
        predicted_networks=_predicted_networks(a, b),
        tested=not (a.is_imported or b.is_imported),
    )


def common_changes(a: LatencyTable, b: LatencyTable) -> list[Change]:
    """Return the operators of both tables in order, each tested against noise."""
    operators = sorted(a.entries.keys() & b.entries.keys())
    visits_a, visits_b = _between(a), _between(b)

    def p_of(x: Measurement, y: Measurement) -> float:
        if a.is_imported or b.is_imported:
            return 1.0
        return difference_p(x.median_ms, y.median_ms, spread_of(x, visits_a), spread_of(y, visits_b))

    p = [p_of(a.entries[operator].warm, b.entries[operator].warm) for operator in operators]
    return [
        Change(
            operator=operator,
            a_ms=a.entries[operator].median_ms,
            b_ms=b.entries[operator].median_ms,
            p=probability,
            beyond_noise=beyond,
        )
        for operator, probability, beyond in zip(operators, p, discoveries(p), strict=True)
    ]


def provenance_differences(a: LatencyTable, b: LatencyTable) -> dict[str, tuple[str, str]]:
    """Return the facts in which two tables differ: names, versions, settings, the machine."""
    found = {name: (str(getattr(a, name)), str(getattr(b, name))) for name in _PROVENANCE}
    for name in sorted({*a.runtime_conditions, *b.runtime_conditions}):
        pair = (a.runtime_conditions.get(name, "-"), b.runtime_conditions.get(name, "-"))
        found[f"runtime {name}"] = (str(pair[0]), str(pair[1]))
    here, there = a.fingerprint.to_json(), b.fingerprint.to_json()
    for name in here:
        if name != "digest":
            found[f"machine {name}"] = (_text(here[name]), _text(there[name]))
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def _between(table: LatencyTable) -> Between:
    passes = table.settings.get("passes", 1)
    return between_visits(table.anchor.medians_ms, int(passes) if isinstance(passes, (int, float)) else 1)


def _measured_networks(a: LatencyTable, b: LatencyTable) -> Shift | None:
    if a.space_digest != b.space_digest and _base(a) != _base(b):
        return None  # the same numbers mean other networks
    first = {record.architecture: record.measurement.median_ms for record in a.networks}
    second = {record.architecture: record.measurement.median_ms for record in b.networks}
    return _shift([second[arch] / first[arch] for arch in first if arch in second], a, b)


def _predicted_networks(a: LatencyTable, b: LatencyTable) -> Shift | None:
    for name in (a.space_name, b.space_name):
        try:
            space = find_space(name)
            predictors = [LatencyPredictor(table, space) for table in (a, b)]
        except UsageError:  # neither table may cover the other's space, or it is unknown here
            continue
        X = space.sample(np.random.default_rng(0), N_NETWORKS)
        first, second = (predictor.predict_ms(X) for predictor in predictors)
        return _shift(list(second / first), a, b)
    return None


def _base(table: LatencyTable) -> tuple[str, str, int]:
    """Return name, classes and version of a table's space, whatever its resolutions."""
    name, _, classes = table.space_name.partition(":")
    return name.partition("@")[0], classes, table.space_version


def _shift(ratios: list[float], a: LatencyTable, b: LatencyTable) -> Shift | None:
    if not ratios:
        return None
    logs: FloatArray = np.log(ratios)
    middle = float(np.median(logs))
    if len(logs) < MIN_THINGS:
        return Shift(n=len(logs), median_ratio=float(np.exp(middle)), low=None, high=None)
    rng = np.random.default_rng(0)
    drawn = np.median(logs[rng.integers(0, len(logs), (_N_RESAMPLED, len(logs)))], axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    common = NORMAL_95 * float(np.hypot(_between(a).common, _between(b).common))
    return Shift(
        n=len(logs),
        median_ratio=float(np.exp(middle)),
        low=float(np.exp(middle - np.hypot(middle - low, common))),
        high=float(np.exp(middle + np.hypot(high - middle, common))),
    )


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)

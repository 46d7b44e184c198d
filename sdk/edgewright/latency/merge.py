"""One table out of several of the same device: more resolutions, more operators, more samples.

1. What was measured how must agree: device, runtime with version and settings, precision, threads,
   fingerprint. Every difference is named.
2. An operator in several tables is pooled, sample by sample, where the medians differ by no more
   than noise (:mod:`edgewright.latency.noise`) or by :data:`TOLERANCE`. Where they differ by more
   nothing is merged, unless the newest table is to win.
3. Whole networks are kept of the tables of one space, and the correction and its error are made
   anew from all of them. The newest of their cross-checks with figures is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgewright.devices.conditions import now_utc
from edgewright.errors import ForeignTableError, TableError, UsageError
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.diff import Change, common_changes, provenance_differences
from edgewright.latency.measurement import NOISY_SHARE, Measurement
from edgewright.latency.predictor import corrected
from edgewright.latency.records import Anchor, Entry, Failure, NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import Operator

# What a profile calls a median that it knows well enough: smaller differences are no conflict.
TOLERANCE = NOISY_SHARE
# Facts that may differ between tables of one machine.
_FREE = ("space_name", "space_version", "edgewright_version", "created_utc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merged table and what became of its parts.

    Attributes:
        table: with its correction fitted and judged anew.
        n_pooled: operators with samples of several tables.
        n_newest: operators where the newest table won.
        n_networks_left_out: whole networks of tables of another space.
    """

    table: LatencyTable
    n_pooled: int
    n_newest: int
    n_networks_left_out: int


def merge_tables(tables: Sequence[LatencyTable], *, prefer_newest: bool = False) -> Merged:
    """Return one table of all that ``tables`` measured.

    Args:
        tables: two or more of the same device; the order does not matter.
        prefer_newest: where two tables contradict each other, take the newest one's measurement.

    Raises:
        UsageError: fewer than two tables, or one of them twice.
        ForeignTableError: they were not measured alike.
        TableError: they contradict each other.
    """
    parts = sorted(tables, key=lambda table: (table.created_utc, table.table_id))
    _require_alike(parts)
    pooled = newest = 0
    entries, failures = dict(parts[0].entries), dict(parts[0].failures)
    so_far = parts[0]
    for part in parts[1:]:
        conflicts = [change for change in common_changes(so_far, part) if _is_conflict(change)]
        states = [op for op in part.failures if op in entries] + [op for op in part.entries if op in failures]
        if (conflicts or states) and not prefer_newest:
            raise _contradiction(so_far, part, conflicts, states)
        common = entries.keys() & part.entries.keys()
        contradicted = {change.operator for change in conflicts}
        newest += len(conflicts) + len(states)
        pooled += len(common - contradicted)
        for op, entry in part.entries.items():
            together = op in common and op not in contradicted
            entries[op] = _pooled(entries[op], entry) if together else entry
            failures.pop(op, None)
        for op in part.failures:
            entries.pop(op, None)
        failures |= dict(part.failures)
        so_far = replace(so_far, entries=entries, failures=failures)
    space, families = _space_of(parts)
    networks, n_left_out = _networks(parts, families)
    shell = _shell(parts, entries, failures, space)
    table = replace(shell, networks=networks, cross_check=_cross_check(families))
    return Merged(
        table=corrected(table, space), n_pooled=pooled, n_newest=newest, n_networks_left_out=n_left_out
    )


def _require_alike(parts: Sequence[LatencyTable]) -> None:
    if len(parts) < 2:
        raise UsageError(f"merging needs two tables or more, got {len(parts)}")
    ids = [part.table_id for part in parts]
    if twice := next((part for part in parts if ids.count(part.table_id) > 1), None):
        raise UsageError(f"the table {_name(twice.path)} is given twice (as {twice.table_id}); give it once")
    if imported := next((part for part in parts if part.is_imported), None):
        raise ForeignTableError(
            f"{_name(imported.path)} was imported: it has no samples to be pooled and nobody knows its "
            "machine; keep it as a table of its own"
        )
    first = parts[0]
    for part in parts[1:]:
        found = provenance_differences(first, part)
        wrong = [
            f"{name}: {x}, {y}"
            for name, (x, y) in found.items()
            if name not in _FREE and not name.startswith("machine ")
        ]
        if wrong := [*wrong, *first.fingerprint.differences(part.fingerprint)]:
            raise ForeignTableError(
                f"{_name(first.path)} and {_name(part.path)} were not measured alike ({'; '.join(wrong)}); "
                f"measure one of them anew with `edgewright profile {first.device} --again`, or compare "
                "them with `edgewright table diff`"
            )


def _is_conflict(change: Change) -> bool:
    return change.beyond_noise and abs(change.ratio - 1) > TOLERANCE


def _contradiction(
    a: LatencyTable, b: LatencyTable, conflicts: Sequence[Change], states: Sequence[Operator]
) -> TableError:
    worst = sorted(conflicts, key=lambda change: -abs(change.ratio - 1))[:3]
    listed = [f"{c.operator.key} {c.a_ms:.3g} and {c.b_ms:.3g} ms" for c in worst]
    listed += [f"{operator.key} failed in one of them" for operator in states[:3]]
    n = len(conflicts) + len(states)
    return TableError(
        f"{_name(a.path)} and {_name(b.path)} contradict each other on {n} operators by more than noise: "
        f"{'; '.join(listed)}; take the newer measurements with --prefer newest, or measure again with "
        f"`edgewright profile {a.device} --again`"
    )


def _pooled(a: Entry, b: Entry) -> Entry:
    return Entry(warm=Measurement.merge([a.warm, b.warm]), cold=Measurement.merge([a.cold, b.cold]))


def _space_of(parts: Sequence[LatencyTable]) -> tuple[MobileSpace, list[LatencyTable]]:
    """Return the space of the merged table, and the parts whose networks are networks of it.

    Parts of one family and number of classes give the space with all their resolutions; where there
    are several, that with the most operators names the table, and the others' operators come along.
    """
    spaces = [find_space(part.space_name) for part in parts]
    groups: dict[tuple[str, int], list[int]] = {}
    for index, space in enumerate(spaces):
        groups.setdefault((space.base_name, space.n_classes), []).append(index)
    chosen = max(groups.values(), key=lambda group: sum(len(parts[i].entries) for i in group))
    sides = sorted({side for i in chosen for side in spaces[i].resolutions})
    return spaces[chosen[0]].restrict(sides), [parts[i] for i in chosen]


def _networks(
    parts: Sequence[LatencyTable], family: Sequence[LatencyTable]
) -> tuple[tuple[NetworkRecord, ...], int]:
    """Return the whole networks of one family, those measured twice pooled.

    What one table's correction has seen stays seen: a network is held out only where all held it out.
    """
    found: dict[Architecture, NetworkRecord] = {}
    for part in family:
        for record in part.networks:
            earlier = found.get(record.architecture)
            if earlier is not None:
                role = "validate" if earlier.role == record.role == "validate" else "fit"
                both = Measurement.merge([earlier.measurement, record.measurement])
                record = NetworkRecord(record.architecture, both, role)
            found[record.architecture] = record
    kept = {part.table_id for part in family}
    return tuple(found.values()), sum(len(part.networks) for part in parts if part.table_id not in kept)


def _cross_check(family: Sequence[LatencyTable]) -> NetworkCrossCheck | None:
    """Return what the vendor's tool said last, where it gave figures."""
    found = [part.cross_check for part in reversed(family) if part.cross_check is not None]
    told = [each for each in found if each.ratio is not None]
    return next(iter(told or found), None)


def _shell(
    parts: Sequence[LatencyTable],
    entries: dict[Operator, Entry],
    failures: dict[Operator, Failure],
    space: MobileSpace,
) -> LatencyTable:
    """Return the merged table but for its networks."""
    newest = parts[-1]
    agreed = {k: v for k, v in newest.settings.items() if all(part.settings.get(k) == v for part in parts)}
    anchors = [part.anchor for part in parts if part.anchor.operator == newest.anchor.operator]
    return replace(
        newest,
        space_name=space.name,
        space_version=space.version,
        space_digest=space.digest,
        conditions_before=parts[0].conditions_before,
        created_utc=now_utc(),
        seconds=round(sum(part.seconds for part in parts), 1),
        settings={
            **agreed,
            "merged_from": " ".join(part.table_id for part in parts),
            "measured_utc": f"{parts[0].created_utc} to {newest.created_utc}",
        },
        entries=entries,
        failures=failures,
        anchor=Anchor(newest.anchor.operator, tuple(ms for anchor in anchors for ms in anchor.medians_ms)),
        path=None,
    )


def _name(path: Path | None) -> str:
    return str(path) if path else "a table"

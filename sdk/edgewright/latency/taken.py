"""Whole networks of an earlier table that a profile need not measure again."""

from __future__ import annotations

from typing import NamedTuple

from edgewright.errors import ArchitectureError
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.records import Anchor, NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.mobile import MobileSpace


class Taken(NamedTuple):
    """What is taken from an earlier table beside its operators.

    Attributes:
        networks: with the roles that they had: what a correction was fitted on judges no other one.
        anchor: of the earlier profile; ``None`` where no network is taken.
        cross_check: of one of the networks; ``None`` where there is none.
    """

    networks: tuple[NetworkRecord, ...] = ()
    anchor: Anchor | None = None
    cross_check: NetworkCrossCheck | None = None


NOTHING_TAKEN = Taken()


def taken_from(known: LatencyTable, space: MobileSpace, config: ProfileConfig) -> Taken:
    """Return the networks of a table that are networks of ``space``, if they suffice for it.

    They suffice where they are as many of each role as would be measured, and of every resolution.
    Nothing is taken where the same numbers mean other networks: another version or number of classes.
    """
    base, _, classes = known.space_name.partition(":")
    there = (base.partition("@")[0], known.space_version, classes)
    if there != (space.base_name, space.version, space.name.partition(":")[2]):
        return NOTHING_TAKEN
    found = tuple(record for record in known.networks if _is_in(space, record.architecture))
    roles = [record.role for record in found]
    sides = {record.architecture.resolution for record in found}
    few = roles.count("fit") < config.n_fit or roles.count("validate") < config.n_validate
    if few or sides != set(space.resolutions):
        return NOTHING_TAKEN
    check = known.cross_check
    if check is not None and check.network not in {record.architecture for record in found}:
        check = None
    return Taken(found, known.anchor, check)


def _is_in(space: MobileSpace, arch: Architecture) -> bool:
    try:
        space.encode(arch)
    except ArchitectureError:
        return False
    return True

"""Earlier tables of a device: what they hold of a space need not be measured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import TableError, UsageError
from edgewright.latency.runner import Runner
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.tables import require_made_for
from edgewright.spaces import MobileSpace
from edgewright.spaces.operator import with_leads


class Earlier(NamedTuple):
    """A table whose operators are taken as they are.

    Attributes:
        table: of the same device, machine, runtime and precision.
        n: operators of the wanted space that it holds.
        n_wanted: operators that the space has.
    """

    table: LatencyTable
    n: int
    n_wanted: int

    def text(self) -> str:
        """Return what is taken from where, in a line."""
        return (
            f"taking {self.n} of {self.n_wanted} operators from {self.table.path}, measured "
            f"{self.table.created_utc}; --again measures all anew"
        )


def usable_table(path: Path, profile: DeviceProfile, precision: str, runner: Runner) -> LatencyTable:
    """Return a table whose operators may be taken. Raises ``TableError`` where they may not."""
    table = LatencyTable.load(path)
    require_made_for(table, profile, precision)
    if table.is_imported:
        raise TableError(f"{path} was imported: operators are taken from tables that were measured here")
    table.require_device(runner.fingerprint())
    table.require_runtime(runner.version)
    return table


def find_earlier(
    profile: DeviceProfile, space: MobileSpace, precision: str, runner: Runner, journal: Path
) -> Earlier | None:
    """Return the table of another part of a space's family that holds most of its operators, if any does.

    A table that cannot be read, or was measured elsewhere or otherwise, is passed over. A profile that was
    killed goes on with the table that it began with, or with none where it began with none.

    Args:
        profile: of the device.
        space: that is to be measured.
        precision: of the artifacts.
        runner: on the device.
        journal: of the profile, whether it exists or not; the device's tables lie beside it.
    """
    began, with_table = _began_with(journal)
    if began and not with_table:
        return None
    wanted = with_leads(space.all_operators())
    best: Earlier | None = None
    for path in sorted(journal.parent.glob(f"{space.base_name}*-{profile.runtime}-{precision}.json")):
        try:
            table = usable_table(path, profile, precision, runner)
        except UsageError:
            continue
        if table.space_name.partition(":")[0].partition("@")[0] != space.base_name:
            continue
        n = sum(operator in table.entries for operator in wanted)
        right = table.space_version == space.version and (not began or table.table_id == with_table)
        if right and n > (best.n if best else 0):
            best = Earlier(table, n, len(wanted))
    return best


def _began_with(journal: Path) -> tuple[bool, str]:
    """Return whether a journal has begun, and the table that its profile takes operators from."""
    try:
        with journal.open("rb") as stream:
            line = stream.readline()
        identity = json.loads(line)["identity"]
        return True, str(identity.get("taken from", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False, ""  # none, or one that the profile itself will say is damaged

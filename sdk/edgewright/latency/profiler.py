"""Measuring a space on this device: every operator, then whole networks, into a latency table.

1. Operators are dealt at random into segments. A segment's artifacts are built and opened, and all
   of them, with the anchor operator among them, are timed in turns (:mod:`edgewright.latency.measure`).
2. Between segments whole networks are timed, each in turns with a reference network
   (:mod:`edgewright.latency.paired`), so that operators and networks see the same weather.
3. All of this is done in several passes with new deals. A visit whose anchor is off its median is
   tainted: it is measured again, and not used where a clean visit exists.
4. Every finished visit is in the journal before the next begins; a killed profile goes on there.
5. The vendor's own tool measures one of the networks too (:mod:`edgewright.latency.cross_check`).
6. A correction is fitted on some networks and judged on the others (:mod:`edgewright.latency.predictor`).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import edgewright
from edgewright.devices.conditions import now_utc
from edgewright.devices.probe import Fingerprint
from edgewright.errors import UsageError
from edgewright.latency.journal import Journal
from edgewright.latency.predictor import corrected
from edgewright.latency.profile_run import ProfileRun, Report
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import PRESETS, ProfileConfig, Target
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import with_leads


def profile_space(
    space: MobileSpace,
    target: Target,
    *,
    journal: Path,
    seed: int = 0,
    config: ProfileConfig | None = None,
    progress: Report | None = None,
    known: LatencyTable | None = None,
) -> LatencyTable:
    """Measure every operator of ``space`` and return the table, corrected and validated.

    The journal stays: delete it once the table is saved. Artifacts lie in a folder beside it, which
    is removed at the end.

    Args:
        space: whose operators are measured.
        target: device, runtime and how artifacts are made.
        journal: file that a killed profile goes on from.
        seed: of segments, orders, networks and inputs.
        config: how thoroughly; default ``PRESETS["default"]``.
        progress: called with visits done, visits planned and what is being measured.
        known: a table of the same machine, runtime and precision whose operators are taken as they are;
            only the others, and networks, are measured.

    Raises:
        RunError: the journal belongs to another profile.
        RuntimeFailureError: no operator could be measured; the first reason is named.
        StorageError: the disk is full.
    """
    config, runner = config or PRESETS["default"], target.runner
    if config.passes < 1 or config.rounds < 2 or config.segment < 1:
        raise UsageError("a profile needs at least one pass, two rounds and one operator a segment")
    config = config.for_operators(len(with_leads(space.all_operators())))
    fingerprint = runner.fingerprint()
    facts = {"before": runner.conditions().to_json(), "created_utc": now_utc()}
    identity = _identity(space, target, fingerprint, seed, config)
    if known is not None:
        identity["taken from"] = known.table_id
    with Journal(journal, identity, facts) as log:
        run = ProfileRun(space, target, log, seed, config, progress, known=known)
        run.measure_all()
        table = run.table(fingerprint, run.cross_check())
        run.workshop.close()
    return corrected(table, space)


def _identity(
    space: MobileSpace, target: Target, fingerprint: Fingerprint, seed: int, config: ProfileConfig
) -> dict[str, Any]:
    """Return what must agree before the results of a killed profile may be used."""
    affinity = list(target.runner.affinity)
    return {
        **({"affinity": affinity} if affinity else {}),
        "device": target.device,
        "space": space.name,
        "space digest": space.digest,
        "machine": fingerprint.digest,
        "runtime": target.runner.version,
        "runtime settings": dict(target.runner.settings()),
        "precision": target.precision,
        "seed": seed,
        "settings": asdict(config),
        "edgewright": edgewright.__version__,
    }

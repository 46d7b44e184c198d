"""Making a latency model of a device: few whole networks measured, other devices' tables behind them.

1. A pool of networks, spread over cost and resolution, stands for the space.
2. The sources' tables teach the prior (:func:`edgewright.latency.encoding_predictor.prior_of`).
3. The networks that lower the prior's variance over the pool most are measured, and others, drawn at
   random, to judge: in turns, with an anchor, journalled, as in a profile.
4. The model states its error: on each measured network from the others, and on those held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import edgewright
from edgewright.devices.conditions import Conditions, now_utc
from edgewright.devices.probe import Fingerprint
from edgewright.errors import RuntimeFailureError, UsageError
from edgewright.latency.encoding_features import EncodingFeatures
from edgewright.latency.encoding_predictor import SourceModel, judged, prior_of, source_costs
from edgewright.latency.journal import Journal, Record
from edgewright.latency.model import LatencyModel, MeasuredNetwork, SourceCosts
from edgewright.latency.profile_run import ProfileRun, Report
from edgewright.latency.sampling import NetworkSample, sample_networks
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig, Target
from edgewright.regression.base import FloatArray
from edgewright.regression.transfer import Frame, choose
from edgewright.spaces.mobile import MobileSpace

POOL = 300  # networks that stand for the space
MIN_SAMPLES = 4  # with sources
MIN_ALONE = 10  # without
NETWORKS = ProfileConfig()  # whole networks are visited as thoroughly as in a profile


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured, and what is known before.

    Attributes:
        networks: to measure; those with role ``fit`` in the order of what they tell.
        sources: other devices.
        frame: scale of features and sources.
        weights: of the prior's kernels.
    """

    networks: tuple[NetworkSample, ...]
    sources: tuple[SourceCosts, ...]
    frame: Frame
    weights: FloatArray


def plan_transfer(
    space: MobileSpace,
    tables: Sequence[LatencyTable],
    *,
    n_samples: int,
    n_validate: int,
    seed: int = 0,
    more: Sequence[SourceCosts] = (),
) -> Plan:
    """Return which networks to measure on a new device.

    Args:
        space: whose networks the device shall be known for.
        tables: of other devices; without any, the measured networks stand alone.
        n_samples: networks that are learned from.
        n_validate: further networks that judge.
        seed: of the pool and of the networks that judge.
        more: costs of the space's operators on devices whose tables are not at hand.

    Raises:
        MissingEntryError: a table does not cover the space.
        UsageError: too few samples.
        TableError: operators of the space failed on a source.
    """
    least = MIN_SAMPLES if tables or more else MIN_ALONE
    if n_samples < least or n_validate < 0:
        behind = "latency tables behind them" if tables or more else "no latency table behind them"
        raise UsageError(
            f"{n_samples} measured networks with {behind} say too little, at least {least} are needed; give "
            f"--samples {least}"
        )
    if n_samples + n_validate > POOL:
        raise UsageError(
            f"{n_samples + n_validate} networks are more than the {POOL} that are chosen from; give fewer "
            "with --samples and --validate"
        )
    rng = np.random.default_rng([seed, 3])
    pool = np.stack([space.encode(network.architecture) for network in sample_networks(space, POOL, 0, rng)])
    sources = (*(source_costs(table, space) for table in tables), *more)
    frame, weights = prior_of(space, pool, sources, tables)
    points = frame.points(EncodingFeatures(space)(pool), SourceModel(space, sources)(pool))
    chosen = choose(points, weights, n_samples)
    others = np.setdiff1d(np.arange(len(pool)), chosen)
    held_out = rng.permutation(others)[:n_validate]
    networks = [NetworkSample(space.decode(pool[row]), "fit") for row in chosen]
    networks += [NetworkSample(space.decode(pool[row]), "validate") for row in held_out]
    return Plan(tuple(networks), sources, frame, weights)


def measure_transfer(
    space: MobileSpace,
    target: Target,
    plan: Plan,
    *,
    journal: Path,
    seed: int = 0,
    config: ProfileConfig = NETWORKS,
    progress: Report | None = None,
) -> LatencyModel:
    """Measure the networks of a plan and return the model, judged.

    The journal stays: delete it once the model is saved.

    Args:
        space: of the networks.
        target: device, runtime and how artifacts are made.
        plan: what is measured.
        journal: file that a killed run goes on from.
        seed: of orders and inputs.
        config: how thoroughly.
        progress: called with visits done, visits planned and what is being measured.

    Raises:
        RunError: the journal belongs to other measurements.
        RuntimeFailureError: too few networks could be measured; the first reason is named.
        StorageError: the disk is full.
    """
    runner = target.runner
    fingerprint = runner.fingerprint()
    identity = identity_of(space, target, plan, fingerprint, seed) | {"settings": asdict(config)}
    facts = {"before": runner.conditions().to_json(), "created_utc": now_utc()}
    with Journal(journal, identity, facts) as log:
        run = ProfileRun(space, target, log, seed, config, progress, networks=plan.networks)
        run.measure_all()
        records = run.records()
        run.workshop.close()
        begun = log.facts
    require_enough(plan, records, run.ledger.failures.values(), runner.version)
    model = LatencyModel(
        **provenance(space, target, plan, begun),
        fingerprint=fingerprint,
        seconds=round(run.ledger.seconds, 1),
        settings={
            "seed": seed,
            **asdict(config),
            **({} if runner.gauge_ns is None else {"gauge_ns": runner.gauge_ns}),
        },
        networks=records,
    )
    return judged(model, space)


def identity_of(
    space: MobileSpace, target: Target, plan: Plan, fingerprint: Fingerprint, seed: int
) -> dict[str, Any]:
    """Return what must agree before what a killed run measured may be used."""
    affinity = target.runner.affinity
    return {
        **({"affinity": list(affinity)} if affinity else {}),
        "device": target.device,
        "space digest": space.digest,
        "machine": fingerprint.digest,
        "runtime": target.runner.version,
        "runtime settings": dict(target.runner.settings()),
        "precision": target.precision,
        "networks": [repr(network) for network in plan.networks],
        "seed": seed,
        "edgewright": edgewright.__version__,
    }


def provenance(space: MobileSpace, target: Target, plan: Plan, begun: Record) -> dict[str, Any]:
    """Return the fields of a model that say where, by what and beside what it was measured.

    Args:
        space: of the networks.
        target: device, runtime and how artifacts are made.
        plan: what was measured.
        begun: facts of the journal: conditions and time when measuring began.
    """
    runner = target.runner
    return {
        "device": target.device,
        "runtime": runner.name,
        "runtime_version": runner.version,
        "runtime_conditions": dict(runner.settings()),
        "precision": target.precision,
        "threads": runner.threads,
        "space_name": space.name,
        "space_version": space.version,
        "space_digest": space.digest,
        "conditions_before": Conditions.from_json(begun["before"]),
        "conditions_after": runner.conditions(),
        "created_utc": begun["created_utc"],
        "edgewright_version": edgewright.__version__,
        "sources": plan.sources,
        "frame": plan.frame,
        "weights": tuple(map(float, plan.weights)),
    }


def require_enough(
    plan: Plan, records: Sequence[MeasuredNetwork], failures: Iterable[str], version: str
) -> None:
    """Raise ``RuntimeFailureError`` where too many networks failed to learn from the rest."""
    n_fit = sum(record.role == "fit" for record in records)
    least = MIN_SAMPLES if plan.sources else MIN_ALONE
    if n_fit < least:
        reason = next(iter(failures), "no reason given")
        raise RuntimeFailureError(
            f"{version} ran {n_fit} of the networks to learn from, at least {least} are needed; "
            f"the first failed because: {reason}"
        )

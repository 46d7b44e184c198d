"""A latency model of a device from few measurements on it and other devices' tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgewright.devices.conditions import require_gates
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import TableError, UsageError
from edgewright.latency.model import LatencyModel, is_model
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.latency.transfer import NETWORKS, measure_transfer, plan_transfer
from edgewright.pipeline.card import require_builder
from edgewright.pipeline.model_result import ModelResult
from edgewright.pipeline.profile import make_target
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import require_attached, runner_on
from edgewright.pipeline.tables import (
    MAX_ERROR,
    choose_precision,
    emulated_lines,
    model_path,
    present,
)
from edgewright.spaces import MobileSpace


@dataclass(frozen=True, slots=True)
class TransferResult(ModelResult[LatencyModel]):
    """A latency model and where it lies."""

    def text(self) -> str:
        """Return lines for a terminal."""
        behind = ", ".join(source.device for source in self.model.sources)
        lines = [
            self.headline(behind or "no other device"),
            *self.error_lines(),
            *emulated_lines(self.model),
        ]
        if self.model.error > MAX_ERROR:
            lines.append(
                f"that is more than the {MAX_ERROR:.0%} that search takes; give more --samples, or sources "
                "that resemble the device"
            )
        return "\n".join(lines)


def transfer_table(
    sources: Sequence[Path],
    device: str | DeviceProfile,
    space: MobileSpace,
    *,
    samples: int,
    validate: int = 0,
    alone: bool = False,
    precision: str | None = None,
    tables: Path = Path("latency_tables"),
    out: Path | None = None,
    seed: int = 0,
    again: bool = False,
    config: ProfileConfig = NETWORKS,
    progress: Progress = SILENT,
) -> TransferResult:
    """Measure few whole networks of a space on a device and write its latency model.

    A model of the same space, machine and runtime that is there already is returned as it is.

    Args:
        sources: latency tables of other devices that cover the space.
        device: a profile, or its name, alias or path.
        space: whose networks search may ask for.
        samples: networks that are measured and learned from.
        validate: further networks that are measured and judge.
        alone: without any source.
        precision: the profile's first where ``None``.
        tables: folder of tables; the file is ``<device>/<space>-<runtime>-<precision>.model.json``.
        out: the file, instead.
        seed: of the networks, orders and inputs.
        again: measure anew and replace a model that is there.
        config: how thoroughly whole networks are measured.
        progress: told what is measured.

    Raises:
        UsageError: no source, one twice, or too few samples.
        TableError: a source is no table, or does not cover the space.
        DeviceUnavailableError: the device is not attached or cannot be reached, its entry gates are not
            met, or its engines can only be built on itself.
        OutputExistsError: the file holds a model of something else.
        MissingExtraError: the runtime is not installed.
        StorageError: the disk is full; what was measured is in the journal.
    """
    profile = device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)
    chosen = choose_precision(profile, precision)
    known = _load(sources, profile, chosen, alone=alone)
    # Before the device is looked at: what is wrong with the request is told wherever it is made.
    plan = plan_transfer(space, known, n_samples=samples, n_validate=validate, seed=seed)
    path = out or model_path(tables, profile, space, chosen)
    require_attached(profile)
    require_builder(profile)
    with runner_on(profile, progress=progress) as runner:
        if path.exists() and not again:
            found = present(
                LatencyModel, path, profile, chosen, space, runner, elsewhere="--out for another place"
            )
            return TransferResult(path, found, reused=True)
        require_gates(profile, runner.conditions())
        journal = path.with_name(f".{path.stem}.journal")
        with progress.task(f"measuring {len(plan.networks)} networks on {profile.name}") as task:
            model = measure_transfer(
                space,
                make_target(profile, space, runner, chosen),
                plan,
                journal=journal,
                seed=seed,
                config=config,
                progress=lambda done, total, what: task.update(done, total, note=what),
            )
    model = model.save(path)
    journal.unlink(missing_ok=True)
    return TransferResult(path, model, reused=False)


def _load(
    paths: Sequence[Path], profile: DeviceProfile, precision: str, *, alone: bool
) -> list[LatencyTable]:
    """Return the sources' tables. Raises ``UsageError`` and ``TableError`` as above."""
    if alone and paths:
        raise UsageError(f"--alone takes no source, got --from {paths[0]}; leave one of them out")
    if not alone and not paths:
        raise UsageError(
            "no source: give --from TABLE once for each table of another device, or --alone to learn from "
            "this device's measurements only"
        )
    if models := [path for path in paths if is_model(path)]:
        raise TableError(
            f"{models[0]} is a latency model, which knows no operators; give --from a latency table"
        )
    known = [LatencyTable.load(path) for path in paths]
    seen: dict[str, Path] = {}
    for table, path in zip(known, paths, strict=True):
        if table.table_id in seen:
            raise UsageError(f"{path} is the table that {seen[table.table_id]} is too; give each source once")
        seen[table.table_id] = path
        if (table.device, table.runtime, table.precision) == (profile.name, profile.runtime, precision):
            raise UsageError(
                f"{path} is a table of {profile.name} itself, which search can use as it is; leave it out of "
                "--from"
            )
    return known

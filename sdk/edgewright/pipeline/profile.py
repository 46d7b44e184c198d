"""Measure a space on a device, into a latency table."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck, cross_check
from edgewright.devices.affinity import pinned
from edgewright.devices.conditions import require_gates
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import UsageError
from edgewright.latency.profiler import profile_space
from edgewright.latency.runner import Runner
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import PRESETS, ProfileConfig, Target
from edgewright.pipeline.card import require_builder
from edgewright.pipeline.compile import device_exporter
from edgewright.pipeline.earlier import find_earlier, usable_table
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import BEHIND_SSH, require_attached, runner_on
from edgewright.pipeline.tables import choose_precision, emulated_lines, present, table_path
from edgewright.spaces import Architecture, MobileSpace, Operator
from edgewright.supernet.plain import measured_module, network_from_architecture

N_CALIBRATION = 4  # random inputs for int8 ranges: latency does not depend on their values
# Converters redirect the process's output and keep global state: one artifact is built at a time.
_BUILDING = threading.Lock()


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """A latency table and where it lies.

    Attributes:
        path: the file.
        table: what was measured.
        reused: whether it was there already.
    """

    path: Path
    table: LatencyTable
    reused: bool

    def to_json(self) -> dict[str, Any]:
        """Return the main facts as JSON values."""
        taken = {name: self.table.settings.get(name, 0) for name in ("n_taken", "n_networks_taken")}
        source = self.table.settings.get("taken_from")
        return {
            "table": str(self.path),
            "reused": self.reused,
            **self.table.summary(),
            **taken,
            "taken_from": source,
        }

    def text(self) -> str:
        """Return lines for a terminal."""
        table, found = self.table, self.table.validation
        lines = [
            f"{self.path}: {table.n_operators} operators of {table.space_name} on {table.device} "
            f"({table.runtime_version}, {table.precision}, {table.threads} thread)"
            + (", measured earlier; --again measures anew" if self.reused else f" in {table.seconds:.0f} s")
        ]
        if "taken_from" in table.settings:
            n_networks = table.settings.get("n_networks_taken", 0)
            lines.append(
                f"{table.settings['n_taken']} operators, leads counted, and {n_networks} whole networks are "
                f"those of table {table.settings['taken_from']}, the others were measured"
            )
        if table.failures:
            first, failure = next(iter(table.failures.items()))
            lines.append(f"{len(table.failures)} operators failed, first {first.key}: {failure.reason}")
        if found is not None:
            lines.append(
                f"error on {found.n} networks that the table has not seen: "
                f"{found.mape_percent:.1f} % on average, "
                f"{found.within_10_percent:.0f} % of them within ±10 %, Spearman {found.spearman:.3f}"
            )
        if table.cross_check is not None:
            lines.append(f"the vendor's own tool: {table.cross_check.text()}")
        lines += emulated_lines(table)
        return "\n".join(lines)


def profile_device(
    device: str | DeviceProfile,
    space: MobileSpace,
    *,
    precision: str | None = None,
    tables: Path = Path("latency_tables"),
    out: Path | None = None,
    preset: str | ProfileConfig = "default",
    seed: int = 0,
    again: bool = False,
    known: Path | None = None,
    progress: Progress = SILENT,
) -> ProfileResult:
    """Measure every operator of a space on a device and write its latency table.

    A table of the same space, machine and runtime that is there already is returned as it is, and what one
    of another part of the same space holds is not measured again.

    Args:
        device: a profile, or its name, alias or path.
        space: whose operators are measured.
        precision: the profile's first where ``None``.
        tables: folder of tables; the file is ``<device>/<space>-<runtime>-<precision>.json``.
        out: the file, instead.
        preset: ``quick``, ``default`` or ``thorough``, or settings of one's own.
        seed: orders the measurements and chooses the networks.
        again: measure everything anew and replace a table that is there.
        known: a table of the same device, machine, runtime and precision: its operators are taken as
            they are, only the others and whole networks are measured, and these neither where enough of
            the table's are networks of the space. Where ``None`` and not ``again``, the table of another
            part of the same family that lies beside it and holds most of the operators.
        progress: told what is measured.

    Raises:
        DeviceUnavailableError: the device is not attached or cannot be reached, its entry gates are not
            met, or its engines can only be built on itself.
        PrecisionError: the device does not offer the precision.
        OutputExistsError: the file holds a table of another machine, or something else.
        MissingExtraError: the runtime is not installed.
        StorageError: the disk is full; what was measured is in the journal.
    """
    profile = device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)
    chosen = choose_precision(profile, precision)
    if isinstance(preset, str) and preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    path = out or table_path(tables, profile, space, chosen)
    require_attached(profile)
    require_builder(profile)
    with runner_on(profile, progress=progress) as runner:
        if path.exists() and not again:
            found = present(
                LatencyTable, path, profile, chosen, space, runner, elsewhere="--out for another place"
            )
            return ProfileResult(path, found, reused=True)
        require_gates(profile, runner.conditions())
        journal = path.with_name(f".{path.stem}.journal")
        if known is not None:
            taken: LatencyTable | None = usable_table(known, profile, chosen, runner)
        else:
            taken = None if again else _taken(profile, space, chosen, runner, journal, progress)
        with progress.task(f"measuring {space.name} on {profile.name}") as task:
            table = profile_space(
                space,
                make_target(profile, space, runner, chosen),
                journal=journal,
                seed=seed,
                config=PRESETS[preset] if isinstance(preset, str) else preset,
                progress=lambda done, total, what: task.update(done, total, note=what),
                known=taken,
            )
    table = table.save(path)
    journal.unlink(missing_ok=True)
    return ProfileResult(path, table, reused=False)


def _taken(
    profile: DeviceProfile,
    space: MobileSpace,
    precision: str,
    runner: Runner,
    journal: Path,
    progress: Progress,
) -> LatencyTable | None:
    """Return an earlier table whose operators are taken, and say so."""
    earlier = find_earlier(profile, space, precision, runner, journal)
    if earlier is None:
        return None
    progress.say(earlier.text())
    return earlier.table


def make_target(profile: DeviceProfile, space: MobileSpace, runner: Runner, precision: str) -> Target:
    """Return a device as the profiler sees it: its runner, and how artifacts for it are made."""
    writer = device_exporter(profile)

    def export(module: nn.Module, channels: int, side: int, path: Path) -> None:
        with _BUILDING:
            write(module, channels, side, path)

    def write(module: nn.Module, channels: int, side: int, path: Path) -> None:
        images = np.random.default_rng(0).standard_normal((N_CALIBRATION, channels, side, side))
        writer.export(
            module,
            (1, channels, side, side),
            path,
            precision=precision,
            calibration=images.astype(np.float32) if precision == "int8" else None,
        )

    def build(operator: Operator, path: Path) -> None:
        first = operator.lead or operator
        export(measured_module(operator), first.in_channels, first.in_size, path)

    def build_network(arch: Architecture, path: Path) -> None:
        export(network_from_architecture(space, arch), 3, arch.resolution, path)

    def vendor(artifact: Path) -> CrossCheck | NoCrossCheck:
        with pinned(profile.affinity):
            return cross_check(artifact, profile.runtime, profile.threads)

    return Target(
        device=profile.name,
        runner=runner,
        suffix=writer.suffix,
        precision=precision,
        build=build,
        build_network=build_network,
        vendor=vendor if profile.is_local else NoCrossCheck(BEHIND_SSH),
    )

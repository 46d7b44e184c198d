"""An energy model of a device: whole networks, measured by the device's own sensor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgewright.devices.conditions import require_gates
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import TableError
from edgewright.latency.encoding_predictor import source_costs
from edgewright.latency.energy_model import EnergyModel
from edgewright.latency.energy_run import measure_energies, require_sensor
from edgewright.latency.model import SourceCosts
from edgewright.latency.table import LatencyTable
from edgewright.latency.transfer import plan_transfer
from edgewright.pipeline.card import require_builder
from edgewright.pipeline.model_result import ModelResult
from edgewright.pipeline.profile import make_target
from edgewright.pipeline.progress import SILENT, Progress
from edgewright.pipeline.runners import require_attached, runner_on
from edgewright.pipeline.tables import (
    MAX_ERROR,
    choose_precision,
    emulated_lines,
    energy_path,
    present,
    search_predictor,
)
from edgewright.spaces import MobileSpace


@dataclass(frozen=True, slots=True)
class EnergyResult(ModelResult[EnergyModel]):
    """An energy model and where it lies."""

    def text(self) -> str:
        """Return lines for a terminal."""
        model = self.model
        energies = [record.value for record in model.networks]
        behind = ", ".join(f"the latency table of {source.device}" for source in model.sources)
        lines = [
            self.headline(f"measured by {model.sensor}, {behind or 'no latency table'}"),
            f"{min(energies):.3g} to {max(energies):.3g} mJ an inference, all that the sensor counts",
            *self.error_lines(),
        ]
        if model.error > MAX_ERROR:
            lines.append(
                f"search takes an error of at most {MAX_ERROR:.0%}: measure again while nothing else runs, "
                "or give more --samples"
            )
        return "\n".join([*lines, *emulated_lines(model)])


def measure_energy_model(
    device: str | DeviceProfile,
    space: MobileSpace,
    *,
    samples: int = 30,
    validate: int = 10,
    precision: str | None = None,
    tables: Path = Path("latency_tables"),
    seed: int = 0,
    again: bool = False,
    progress: Progress = SILENT,
) -> EnergyResult:
    """Measure the energy of whole networks by a device's sensor and write its energy model.

    The device's own latency table, where ``tables`` has one that covers the space, says beforehand how
    networks compare; its latency model lends the tables behind it. A model of the same space, machine and
    runtime that is there already is returned as it is.

    Args:
        device: a profile, or its name, alias or path.
        space: whose networks the energy shall be known of.
        samples: networks that are learned from.
        validate: further networks that judge.
        precision: the profile's first where ``None``.
        tables: folder of tables; the file is ``<device>/<space>-<runtime>-<precision>.energy.json``.
        seed: of the networks, their order and their inputs.
        again: measure anew and replace a model that is there.
        progress: told what is measured.

    Raises:
        DeviceUnavailableError: the device has no energy sensor, is not attached or cannot be reached, its
            entry gates are not met, or its engines can only be built on itself.
        UsageError: too few samples.
        TableError: the latency table that is there is faulty.
        OutputExistsError: the file holds a model of something else.
        MissingExtraError: the runtime is not installed.
        StorageError: the disk is full; what was measured is in the journal.
    """
    profile = device if isinstance(device, DeviceProfile) else DeviceProfile.find(device)
    chosen = choose_precision(profile, precision)
    path = energy_path(tables, profile, space, chosen)
    require_attached(profile)
    require_builder(profile)
    with runner_on(profile, progress=progress) as runner:
        if path.exists() and not again:
            found = present(EnergyModel, path, profile, chosen, space, runner, elsewhere="another --tables")
            return EnergyResult(path, found, reused=True)
        require_sensor(runner, profile.name)
        plan = plan_transfer(
            space,
            [],
            n_samples=samples,
            n_validate=validate,
            seed=seed,
            more=_sources(tables, profile, space, chosen, progress),
        )
        require_gates(profile, runner.conditions())
        journal = path.with_name(f".{path.stem}.journal")
        with progress.task(
            f"measuring the energy of {len(plan.networks)} networks on {profile.name}"
        ) as task:
            model = measure_energies(
                space,
                make_target(profile, space, runner, chosen),
                plan,
                journal=journal,
                seed=seed,
                progress=lambda done, total, what: task.update(done, total, note=what),
            )
    model = model.save(path)
    journal.unlink(missing_ok=True)
    return EnergyResult(path, model, reused=False)


def _sources(
    tables: Path, profile: DeviceProfile, space: MobileSpace, precision: str, progress: Progress
) -> tuple[SourceCosts, ...]:
    """Return what the device's latency table says of the space's operators, or the tables behind its model.

    Raises:
        TableError: what is there is faulty.
    """
    known = search_predictor(tables, profile, space, precision)
    if not isinstance(known, LatencyTable):
        return known.sources if known is not None and known.space_digest == space.digest else ()
    try:
        return (source_costs(known, space),)
    except TableError as error:
        progress.say(f"{error}: going on without it")
        return ()

"""`edgewright table energy`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import (
    DEFAULT_TABLES,
    AsJson,
    ModelAgain,
    Precision,
    Samples,
    Seed,
    Space,
    Tables,
    Validate,
)


def energy(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="Name or alias, or path to a profile.", show_default=False)],
    space: Space,
    samples: Samples = 30,
    validate: Validate = 10,
    precision: Precision = None,
    tables: Tables = DEFAULT_TABLES,
    seed: Seed = 0,
    again: ModelAgain = False,
    as_json: AsJson = False,
) -> None:
    """Measure the energy of whole networks by the device's sensor, into an energy model.

    `search` then takes DEVICE.energy as an objective and in budgets. RAPL, NVML and the INA3221 rails of a
    Jetson are read; the first sensor found counts, and all that it is wired to: let nothing else run. A
    killed run goes on where it stopped when the same command is given again.
    """
    from edgewright.pipeline.table_energy import measure_energy_model
    from edgewright.spaces import find_space

    console = Console(as_json, context.obj)
    result = measure_energy_model(
        device,
        find_space(space),
        samples=samples,
        validate=validate,
        precision=precision,
        tables=tables,
        seed=seed,
        again=again,
        progress=console,
    )
    console.result(result.to_json(), result.text())

"""`edgewright table transfer`."""

from __future__ import annotations

from pathlib import Path
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


def transfer(
    context: typer.Context,
    device: Annotated[
        str, typer.Option(help="The new device: a name or alias, or a path to a profile.", show_default=False)
    ],
    space: Space,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A latency table of another device; give it once for each."),
    ] = None,
    samples: Samples = 10,
    validate: Validate = 0,
    alone: Annotated[
        bool, typer.Option("--alone", help="Without any source; takes 10 samples or more.")
    ] = False,
    precision: Precision = None,
    tables: Tables = DEFAULT_TABLES,
    out: Annotated[Path | None, typer.Option(help="Where the model goes, instead of into --tables.")] = None,
    seed: Seed = 0,
    again: ModelAgain = False,
    as_json: AsJson = False,
) -> None:
    """Make a latency model of a new device from few measurements and other devices' tables.

    The networks to measure are chosen for what they tell. Search takes the model where the device has no
    table. A killed run goes on where it stopped when the same command is given again.
    """
    from edgewright.pipeline.table_transfer import transfer_table
    from edgewright.spaces import find_space

    console = Console(as_json, context.obj)
    result = transfer_table(
        sources or [],
        device,
        find_space(space),
        samples=samples,
        validate=validate,
        alone=alone,
        precision=precision,
        tables=tables,
        out=out,
        seed=seed,
        again=again,
        progress=console,
    )
    console.result(result.to_json(), result.text())

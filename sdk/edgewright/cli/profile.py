"""`edgewright profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, AsJson, Precision, Seed, Tables


def profile(
    device: Annotated[
        str, typer.Argument(help="A device's name or alias, or a path to a profile.", show_default=False)
    ],
    space: Annotated[
        str | None, typer.Option(help="Search space: NAME, or NAME@RES+RES:CLASSES for a part of it.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Take space and classes from a run folder.")] = None,
    precision: Precision = None,
    tables: Tables = DEFAULT_TABLES,
    out: Annotated[Path | None, typer.Option(help="Where the table goes, instead of into --tables.")] = None,
    preset: Annotated[str, typer.Option(help="quick, default or thorough.")] = "default",
    seed: Seed = 0,
    again: Annotated[bool, typer.Option("--again", help="Measure anew although the table is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure every operator of SPACE on DEVICE and write its latency table.

    A killed run goes on where it stopped when the same command is given again.
    """
    from edgewright.errors import UsageError
    from edgewright.pipeline.profile import profile_device
    from edgewright.pipeline.run import RunFolder
    from edgewright.spaces import find_space, list_spaces

    if (space is None) == (run is None):
        raise UsageError(f"give either --space (one of {', '.join(list_spaces())}) or --run RUN")
    chosen = find_space(space) if space is not None else RunFolder.open(run or Path()).space
    console = Console(as_json)
    result = profile_device(
        device,
        chosen,
        precision=precision,
        tables=tables,
        out=out,
        preset=preset,
        seed=seed,
        again=again,
        progress=console,
    )
    console.result(result.to_json(), result.text())

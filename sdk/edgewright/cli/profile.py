"""`edgewright profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, AsJson, Precision, Seed, TableOut, Tables


def profile(
    context: typer.Context,
    devices: Annotated[
        list[str],
        typer.Argument(
            metavar="DEVICE...", help="Names or aliases, or paths to profiles.", show_default=False
        ),
    ],
    space: Annotated[
        str | None, typer.Option(help="Search space: NAME, or NAME@RES+RES:CLASSES for a part of it.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Take space and classes from a run folder.")] = None,
    precision: Precision = None,
    tables: Tables = DEFAULT_TABLES,
    out: TableOut = None,
    preset: Annotated[str, typer.Option(help="quick, default or thorough.")] = "default",
    seed: Seed = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Measure all anew, whatever tables there are of the device.")
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option("--from", help="Take the operators of this table of the device, measure the others."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure every operator of SPACE on each DEVICE and write its latency table.

    Devices behind ssh are measured at the same time. A killed run goes on where it stopped when the same
    command is given again; one that a runtime crashed goes on by itself. What crashes it every time is
    left out, and the table says why. What the table of another part of SPACE holds is taken from there.
    """
    from edgewright.errors import UsageError
    from edgewright.pipeline.profile import profile_device
    from edgewright.pipeline.run import RunFolder
    from edgewright.spaces import find_space, list_spaces

    if (space is None) == (run is None):
        raise UsageError(f"give either --space (one of {', '.join(list_spaces())}) or --run RUN")
    chosen = find_space(space) if space is not None else RunFolder.open(run or Path()).space
    console = Console(as_json, context.obj)
    if len(devices) > 1:
        from edgewright.pipeline.profile_many import profile_devices

        if known is not None:
            raise UsageError("--from takes one device's table; name one device")
        if out is not None:
            raise UsageError(
                "--out is the file of one device's table; for several give a folder with --tables"
            )
        results = profile_devices(
            devices,
            chosen,
            precision=precision,
            tables=tables,
            preset=preset,
            seed=seed,
            again=again,
            progress=console,
        )
        console.result(results.to_json(), results.text(), results.require)
        return
    result = profile_device(
        devices[0],
        chosen,
        precision=precision,
        tables=tables,
        out=out,
        preset=preset,
        seed=seed,
        again=again,
        known=known,
        progress=console,
    )
    console.result(result.to_json(), result.text())

"""`edgewright compile`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, FineTune, Name, Precision, Run


def compile(
    run: Run,
    pick: Annotated[
        str,
        typer.Option(help="A network's id in `front show`, or smallest or largest.", show_default=False),
    ],
    device: Annotated[str, typer.Option("--for", help="The device that it will run on.", show_default=False)],
    precision: Precision = None,
    fine_tune: FineTune = 0,
    name: Name = "default",
    as_json: AsJson = False,
) -> None:
    """Compile a network for a device and check the file against torch on real images."""
    from edgewright.pipeline.compile import compile_pick

    console = Console(as_json)
    compiled = compile_pick(
        run, pick, device, precision=precision, name=name, fine_tune=fine_tune, progress=console
    )
    console.result(compiled.to_json(), compiled.text())

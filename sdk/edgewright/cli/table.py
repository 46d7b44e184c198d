"""`edgewright table show | validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson

app = typer.Typer(help="Latency tables.", no_args_is_help=True, rich_markup_mode=None)
File = Annotated[Path, typer.Argument(help="A latency table.", show_default=False)]


@app.command()
def show(file: File, as_json: AsJson = False) -> None:
    """Show what a table measured, where, and how far it is to be trusted."""
    from edgewright.pipeline.tables import describe_table

    value, text = describe_table(file)
    Console(as_json).result(value, text)


@app.command()
def validate(
    file: File,
    space: Annotated[str | None, typer.Option(help="Also demand that it covers this space.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a table: whole, unedited, sane, of this machine, covering its space."""
    from edgewright.pipeline.tables import validate_table

    value, text = validate_table(file, space)
    Console(as_json).result(value, text)

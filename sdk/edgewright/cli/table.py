"""`edgewright table …`: show and validate here, the others in modules of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli import table_assets, table_energy, table_transfer
from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Network, TableFile
from edgewright.cli.table_precision import precision

app = typer.Typer(help="Latency tables.", no_args_is_help=True, rich_markup_mode=None)
app.command("precision")(precision)


@app.command()
def show(
    file: TableFile,
    network: Network = None,
    pick: Annotated[
        str | None, typer.Option(help="Break down the smallest or the largest network of its space.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a table measured, where, and how far it is to be trusted."""
    from edgewright.pipeline.table_show import describe_table

    value, text = describe_table(file, network=network, pick=pick)
    Console(as_json).result(value, text)


@app.command()
def validate(
    file: TableFile,
    space: Annotated[str | None, typer.Option(help="Also demand that it covers this space.")] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--on", help="The device that it must be of: name, alias or path; found by its own name else."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a table: whole, unedited, sane, of its device as that is now, covering its space.

    A device behind ssh is asked what it is and which runtime it has.
    """
    from edgewright.pipeline.table_show import validate_table

    console = Console(as_json)
    value, text = validate_table(file, space, device, progress=console)
    console.result(value, text)


app.command("diff")(table_assets.diff)
app.command("merge")(table_assets.merge)
app.command("import")(table_assets.import_)
app.command("export")(table_assets.export)
app.command("plot")(table_assets.plot)
app.command("transfer")(table_transfer.transfer)
app.command("energy")(table_energy.energy)

"""`edgewright table diff | merge | import | export | plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, AsJson, Network, TableFile, TableOut, Tables

Again = Annotated[bool, typer.Option("--again", help="Replace the file that is there.")]


def diff(
    first: TableFile,
    second: Annotated[Path, typer.Argument(help="Another one.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show what changed from FIRST to SECOND, and what of it is beyond noise."""
    from edgewright.pipeline.table_assets import diff_files

    value, text = diff_files(first, second)
    Console(as_json).result(value, text)


def merge(
    files: Annotated[list[Path], typer.Argument(help="Tables of one device.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the merged table goes.", show_default=False)],
    prefer: Annotated[
        str | None, typer.Option(help="newest: its measurement wins where tables contradict each other.")
    ] = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Merge tables of one device, runtime and precision; correction and error are made anew.

    Operators in several tables are pooled where they agree within noise; where they do not, nothing
    is merged unless --prefer newest is given.
    """
    from edgewright.pipeline.table_assets import merge_files

    value, text = merge_files(files, out, prefer=prefer, again=again)
    Console(as_json).result(value, text)


def import_(
    file: Annotated[Path, typer.Argument(help="Somebody's lookup table.", show_default=False)],
    device: Annotated[
        str, typer.Option(help="The device's name; what its profile says holds.", show_default=False)
    ],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="csv, ofa, proxylessnas, fbnet, fasterseg or single-path-nas; told by the content.",
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Of the file's numbers: ns, us, ms or s; the format's own.")
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="That it was measured with.")] = None,
    precision: Annotated[str | None, typer.Option(help="Of what was measured.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of an inference.")] = None,
    source: Annotated[str, typer.Option(help="Where the file is from, for the record.")] = "",
    drop_faulty: Annotated[
        bool, typer.Option("--drop-faulty", help="Leave faulty entries out instead of refusing the file.")
    ] = False,
    tables: Tables = DEFAULT_TABLES,
    out: TableOut = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Import a lookup table of another project; it is marked as imported, its error unknown."""
    from edgewright.pipeline.table_assets import import_file

    value, text = import_file(
        file,
        device,
        format_name=format_name,
        unit=unit,
        runtime=runtime,
        precision=precision,
        threads=threads,
        source=source,
        drop_faulty=drop_faulty,
        tables=tables,
        out=out,
        again=again,
    )
    Console(as_json).result(value, text)


def export(
    file: TableFile,
    out: Annotated[Path, typer.Option("--csv", help="Where the CSV goes.", show_default=False)],
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Write a table's operators as CSV: shapes, medians, spreads, verdicts, corrected costs.

    `edgewright table import` reads it again; samples and provenance stay in the table alone.
    """
    from edgewright.pipeline.table_assets import export_table

    value, text = export_table(file, out, again=again)
    Console(as_json).result(value, text)


def plot(
    file: TableFile,
    out: Annotated[Path, typer.Option(help="Folder of the PNG files.", show_default=False)],
    network: Network = None,
    pick: Annotated[
        str | None,
        typer.Option(help="Break down the smallest or the largest (default) network of its space."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a table: its error against latency, what a network's operators cost, drift over time."""
    from edgewright.pipeline.table_plot import plot_table

    value, text = plot_table(file, out, network=network, pick=pick)
    Console(as_json).result(value, text)

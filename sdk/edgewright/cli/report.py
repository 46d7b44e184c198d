"""`edgewright report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Name, Run


def report(
    run: Run,
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes; RUN/report.html where not given.")
    ] = None,
    name: Name = "default",
    as_json: AsJson = False,
) -> None:
    """Write the run's report: one HTML file that opens offline."""
    from edgewright.pipeline.report import write_report

    path = write_report(run, name=name, out=out)
    Console(as_json).result({"report": str(path)}, f"report: {path}")

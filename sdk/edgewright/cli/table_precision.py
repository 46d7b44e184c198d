"""`edgewright table precision`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson


def precision(
    base: Annotated[Path, typer.Argument(help="The table compared against, of fp32.", show_default=False)],
    other: Annotated[Path, typer.Argument(help="A table of int8 or fp16.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show where a lower precision is faster on a device, and where it is slower."""
    from edgewright.pipeline.precision import describe_precisions

    value, text = describe_precisions(base, other)
    Console(as_json).result(value, text)

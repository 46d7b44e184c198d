"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Run = Annotated[Path, typer.Argument(help="A run folder, made by `edgewright train`.", show_default=False)]
Name = Annotated[str, typer.Option("--name", help="Which search of the run; a run may hold several.")]
Tables = Annotated[
    Path,
    typer.Option("--tables", help="Folder of latency tables: <device>/<space>-<runtime>-<precision>.json."),
]
AllowForeign = Annotated[
    bool, typer.Option("--allow-foreign", help="Accept a latency table that was measured on another machine.")
]
Space = Annotated[
    str,
    typer.Option(help="Search space: NAME, or NAME@RES+RES:CLASSES for a part of it.", show_default=False),
]
Samples = Annotated[int, typer.Option(help="Whole networks to measure and learn from.")]
Validate = Annotated[int, typer.Option(help="Further networks to measure, to judge it.")]
ModelAgain = Annotated[bool, typer.Option("--again", help="Measure anew although the model is there.")]
TableOut = Annotated[Path | None, typer.Option(help="Where the table goes, instead of into --tables.")]
OnDevice = Annotated[
    str, typer.Option("--on", help="A device's name or alias, or a path to a profile.", show_default=False)
]
TableFile = Annotated[Path, typer.Argument(help="A latency table.", show_default=False)]
Network = Annotated[
    str | None,
    typer.Option(help="Break down the cost of this network: encoding or architecture as JSON, or a file."),
]
Artifact = Annotated[Path, typer.Argument(help="A compiled network.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Every random choice flows from it.", min=0, max=2**31 - 1)]
Precision = Annotated[
    str | None, typer.Option(help="fp32, fp16 or int8; the device profile's first where not given.")
]
Finalists = Annotated[int, typer.Option(min=1, max=20, help="How many networks are compiled and measured.")]
FineTune = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="EPOCHS",
        help="Train each network on alone for so many epochs before it is compiled; the best one on the "
        "validation images is kept. 0 leaves the supernet's weights.",
    ),
]
DEFAULT_TABLES = Path("latency_tables")

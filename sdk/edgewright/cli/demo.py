"""`edgewright demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Seed


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path(
        "edgewright-demo"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer epochs and evaluations, for a smoke test.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the whole chain on scikit-learn's handwritten digits and this machine.

    Profile through ONNX Runtime and LiteRT, train, search under a budget for each, compile,
    verify the files, build a TensorRT-RTX engine, and write the report.
    """
    from edgewright.pipeline.demo import run_demo

    console = Console(as_json, context.obj)
    result = run_demo(out, quick=quick, seed=seed, progress=console)
    console.result(result.to_json(), result.text(), result.require)

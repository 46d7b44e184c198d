"""`edgewright bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, Artifact, AsJson, OnDevice, Tables


def bench(
    artifact: Artifact,
    device: OnDevice,
    budget: Annotated[str, typer.Option(help="Fail with exit status 3 above this; e.g. 4ms.")] = "",
    tables: Tables = DEFAULT_TABLES,
    vendor: Annotated[
        bool, typer.Option("--vendor", help="Have the vendor's own benchmark measure it too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a compiled network on a device: latency, memory, load time, energy."""
    from edgewright.pipeline.bench import bench_artifact

    console = Console(as_json)
    result = bench_artifact(artifact, device, budget=budget, tables=tables, vendor=vendor, progress=console)
    console.result(result.to_json(), result.text(), result.require)

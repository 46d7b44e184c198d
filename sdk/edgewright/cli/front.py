"""`edgewright front show | pick`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Name, Run

app = typer.Typer(help="The Pareto front of a search.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(run: Run, name: Name = "default", as_json: AsJson = False) -> None:
    """Show the networks that no other beats in every objective.

    The last column says which `pick --prefer` takes, and which others trade off best.
    """
    from edgewright.pipeline.front import load_front

    front = load_front(run, name)
    Console(as_json).result(front.to_json(), front.text())


@app.command()
def pick(
    run: Run,
    under: Annotated[str, typer.Option(help="Limits as in `search --budget`; e.g. 'cpu=3ms'.")] = "",
    prefer: Annotated[str, typer.Option(help="accuracy, latency, knee or trade-off.")] = "accuracy",
    name: Name = "default",
    as_json: AsJson = False,
) -> None:
    """Pick one network of the front."""
    from edgewright.pipeline.front import load_front

    member = load_front(run, name).pick(under, prefer)
    Console(as_json).result(member.to_json(), member.text())

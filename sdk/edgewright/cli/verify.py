"""`edgewright verify`."""

from __future__ import annotations

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Finalists, FineTune, Name, Run


def verify(
    run: Run,
    finalists: Finalists = 3,
    fine_tune: FineTune = 0,
    name: Name = "default",
    as_json: AsJson = False,
) -> None:
    """Compile the finalists of a search and measure the files against the budgets."""
    from edgewright.pipeline.verify import verify_run

    console = Console(as_json)
    verification = verify_run(run, name=name, finalists=finalists, fine_tune=fine_tune, progress=console)
    console.result(verification.to_json(), verification.text(), verification.require)

"""`edgewright doctor`."""

from __future__ import annotations

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson
from edgewright.pipeline.tabulate import columns


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and which extra brings it."""
    from edgewright.pipeline.doctor import diagnose

    checks = diagnose()
    rows = [(c.name, c.status, c.version, c.mend) for c in checks]
    Console(as_json).result(
        [c.to_json() for c in checks], columns(rows, ("component", "status", "version", "what to do"))
    )

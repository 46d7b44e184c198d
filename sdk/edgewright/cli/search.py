"""`edgewright search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgewright.cli import search_options as asked
from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, AllowForeign, Finalists, Name, Precision, Seed, Tables
from edgewright.errors import UsageError

if TYPE_CHECKING:
    from edgewright.pipeline.search import SearchOptions


def search(
    run: asked.Trained,
    budget: asked.Budget = "",
    objectives: asked.Objectives = "",
    epsilon: asked.Epsilon = None,
    evaluations: asked.Evaluations = 200,
    name: Name = "default",
    tables: Tables = DEFAULT_TABLES,
    precision: Precision = None,
    method: asked.Method = "surrogate",
    surrogate: asked.Surrogate = "auto",
    design: asked.Design = "auto",
    initial: asked.Initial = None,
    pre_screening: asked.PreScreening = 1,
    inner: asked.Inner = "auto",
    infill: asked.Infill = None,
    batch: asked.Batch = None,
    archive: asked.ArchivePolicy = "growing",
    archive_size: asked.ArchiveSize = 100,
    verify: asked.Verify = True,
    finalists: Finalists = 3,
    z: asked.Z = 1.96,
    workers: asked.Workers = None,
    cluster: asked.Cluster = None,
    time_limit: asked.TimeLimit = None,
    allow_foreign: AllowForeign = False,
    allow_inaccurate: asked.AllowInaccurate = False,
    seed: Seed = 0,
    as_json: asked.JsonLines = False,
) -> None:
    """Search the supernet for the best networks within the budgets, then measure the finalists.

    A killed search goes on where it stopped and ends with the archive of an undisturbed one.

    On a terminal, a view shows the front, the hypervolume, how well the surrogate ranks, and what is
    left. With --json, stdout has one line of JSON for each iteration as it ends, "event": "iteration"
    (hypervolume, tau, spearman, rmse, predicted, seconds ...), and the result as its last line,
    "event": "result"; an error's last line has "error" and "exit_code" instead. An evaluation that takes
    far longer than the others is told of once: on stderr, with --json also as "event": "slow".
    """
    from edgewright.pipeline.search import SearchOptions

    options = SearchOptions(
        budget=budget,
        objectives=objectives,
        epsilon=None if epsilon is None else _fraction(epsilon),
        evaluations=evaluations,
        name=name,
        tables=tables,
        precision=precision,
        method=method,
        design=design,
        surrogate=surrogate,
        inner=inner,
        infill=infill,
        archive_policy=archive,
        archive_size=archive_size,
        pre_screening=pre_screening,
        allow_foreign=allow_foreign,
        allow_inaccurate=allow_inaccurate,
        z=z,
        seed=seed,
        n_initial=initial,
        n_infill=batch,
        workers=workers,
        cluster=cluster,
        time_limit_s=time_limit,
    )
    _search_and_verify(Console(as_json), run, options, n_finalists=finalists if verify else 0)


def _search_and_verify(console: Console, run: Path, options: SearchOptions, *, n_finalists: int) -> None:
    """Search, measure the best ``n_finalists`` on the devices that were named, and print both results.

    Raises:
        SDKError: either could not be done.
        ToldError: a finalist misses a budget or its verification; the result is printed.
    """
    from edgewright.cli.search_view import watcher
    from edgewright.pipeline.search import search_run
    from edgewright.pipeline.verify import verify_run

    result = search_run(run, options, progress=console, watcher=watcher(console))
    value, text, require = result.to_json(), result.text(), None
    if n_finalists and result.devices:
        verification = verify_run(run, name=options.name, finalists=n_finalists, progress=console)
        value["verification"] = verification.to_json()
        text += "\n\n" + verification.text()
        require = verification.require
    console.result(value, text, require, ends_events=True)


def _fraction(text: str) -> float:
    """Return the number that ``2/255`` or ``0.008`` stands for. Raises ``UsageError``."""
    above, line, below = text.partition("/")
    try:
        return float(above) / (float(below) if line else 1.0)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--epsilon takes a number up to 1 such as 2/255 or 0.01, got {text!r}") from error

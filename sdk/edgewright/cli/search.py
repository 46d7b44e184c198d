"""`edgewright search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import DEFAULT_TABLES, AllowForeign, Name, Precision, Seed, Tables
from edgewright.errors import UsageError


def search(
    run: Annotated[Path, typer.Option(help="A run folder, made by `edgewright train`.", show_default=False)],
    budget: Annotated[
        str,
        typer.Option(
            help="Hard limits: DEVICE=TIME, DEVICE.energy=ENERGY, size=BYTES, macs=COUNT, params=COUNT; e.g. "
            "'cpu=4ms,size=2MB,cpu.energy=20mJ'."
        ),
    ] = "",
    objectives: Annotated[
        str,
        typer.Option(
            help="More to minimise beside the error and the budgets' devices: devices, DEVICE.energy, "
            "params, macs, size, adversarial-error."
        ),
    ] = "",
    epsilon: Annotated[
        str | None,
        typer.Option(
            help="Most that the attack of adversarial-error changes a pixel of [0, 1]; 2/255 unless given.",
            show_default=False,
        ),
    ] = None,
    evaluations: Annotated[
        int, typer.Option(min=1, help="Networks that are evaluated for real, all in all.")
    ] = 200,
    name: Name = "default",
    tables: Tables = DEFAULT_TABLES,
    precision: Precision = None,
    method: Annotated[
        str,
        typer.Option(
            help="surrogate, or a baseline: random, nsga2, regularised-evolution, local-search.",
        ),
    ] = "surrogate",
    surrogate: Annotated[
        str,
        typer.Option(
            help="What learns the error: auto, ridge, rbf, gp, boosting, lightgbm, catboost, mlp, blend."
        ),
    ] = "auto",
    design: Annotated[
        str, typer.Option(help="Of the first networks: auto, balanced, latin, random.")
    ] = "auto",
    initial: Annotated[
        int | None,
        typer.Option(
            min=1, help="Networks of the initial design, before anything is known; 16 unless given."
        ),
    ] = None,
    pre_screening: Annotated[
        int,
        typer.Option(
            min=1, help="Evaluate this many times as many at first and keep the best; all are counted."
        ),
    ] = 1,
    inner: Annotated[
        str,
        typer.Option(help="Searches what is predicted: auto, evolution, nsga2, nsga3 (for many objectives)."),
    ] = "auto",
    infill: Annotated[
        str | None,
        typer.Option(
            help="Chooses the next networks: expected (the usual), hypervolume, subset (fills gaps)."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Networks of each further iteration: 2 unless given; nsga2 takes as many as at first.",
        ),
    ] = None,
    archive: Annotated[
        str, typer.Option(help="What surrogates learn from: growing (all), constant (the best).")
    ] = "growing",
    archive_size: Annotated[int, typer.Option(min=4, help="Networks that a constant archive keeps.")] = 100,
    verify: Annotated[bool, typer.Option(help="Compile the finalists and measure them again.")] = True,
    finalists: Annotated[
        int, typer.Option(min=1, max=20, help="How many networks are compiled and measured.")
    ] = 3,
    z: Annotated[
        float,
        typer.Option(
            min=0.0, max=10.0, help="Standard deviations of the prediction that a budget is held with."
        ),
    ] = 1.96,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=4096,
            help="Processes that evaluate side by side, one thread each; unless given, as many as there are "
            "CPUs and memory for, at most --batch, or all CPUs of a cluster. The archive is the same with "
            "any number. 0 evaluates in the search's own process, for debugging: a crash ends it.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Evaluate on Ray: 'local' starts one here, 'auto', HOST:6379 or ray://HOST:10001 joins one.",
            show_default=False,
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Seconds after which an evaluation is given up, its network set aside; 0 is none. Unless "
            "given, 100 times the longest so far, at least 15 minutes, and a day until 8 are known.",
            show_default=False,
        ),
    ] = None,
    allow_foreign: AllowForeign = False,
    allow_inaccurate: Annotated[
        bool, typer.Option("--allow-inaccurate", help="Use tables whose own error is above 15 %.")
    ] = False,
    seed: Seed = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON an iteration, and the result as the last.")
    ] = False,
) -> None:
    """Search the supernet for the best networks within the budgets, then measure the finalists.

    A killed search goes on where it stopped and ends with the archive of an undisturbed one.

    On a terminal, a view shows the front, the hypervolume, how well the surrogate ranks, and what is
    left. With --json, stdout has one line of JSON for each iteration as it ends, "event": "iteration"
    (hypervolume, tau, spearman, rmse, predicted, seconds ...), and the result as its last line,
    "event": "result"; an error's last line has "error" and "exit_code" instead.
    """
    from edgewright.cli.search_view import watcher
    from edgewright.pipeline.search import SearchOptions, search_run
    from edgewright.pipeline.verify import verify_run

    console = Console(as_json)
    result = search_run(
        run,
        SearchOptions(
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
        ),
        progress=console,
        watcher=watcher(console),
    )
    value, text = result.to_json(), result.text()
    verification = None
    if verify and result.devices:
        verification = verify_run(run, name=name, finalists=finalists, progress=console)
        value["verification"] = verification.to_json()
        text += "\n\n" + verification.text()
    console.result(value, text, None if verification is None else verification.require, ends_events=True)


def _fraction(text: str) -> float:
    """Return the number that ``2/255`` or ``0.008`` stands for. Raises ``UsageError``."""
    above, line, below = text.partition("/")
    try:
        return float(above) / (float(below) if line else 1.0)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--epsilon takes a number up to 1 such as 2/255 or 0.01, got {text!r}") from error

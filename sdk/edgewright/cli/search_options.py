"""Options of `edgewright search` alone: what is asked, how it is searched, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Trained = Annotated[
    Path, typer.Option("--run", help="A run folder, made by `edgewright train`.", show_default=False)
]

# What is asked.
Budget = Annotated[
    str,
    typer.Option(
        help="Hard limits: DEVICE=TIME, DEVICE.energy=ENERGY, size=BYTES, macs=COUNT, params=COUNT; e.g. "
        "'cpu=4ms,size=2MB,cpu.energy=20mJ'."
    ),
]
Objectives = Annotated[
    str,
    typer.Option(
        help="More to minimise beside the error and the budgets' devices: devices, DEVICE.energy, "
        "params, macs, size, adversarial-error."
    ),
]
Epsilon = Annotated[
    str | None,
    typer.Option(
        help="Most that the attack of adversarial-error changes a pixel of [0, 1]; 2/255 unless given.",
        show_default=False,
    ),
]
Evaluations = Annotated[int, typer.Option(min=1, help="Networks that are evaluated for real, all in all.")]
Z = Annotated[
    float,
    typer.Option(min=0.0, max=10.0, help="Standard deviations of the prediction that a budget is held with."),
]
AllowInaccurate = Annotated[
    bool, typer.Option("--allow-inaccurate", help="Use tables whose own error is above 15 %.")
]

# How it is searched.
Method = Annotated[
    str,
    typer.Option(
        help="surrogate, or a baseline: random, nsga2, regularised-evolution, local-search.",
    ),
]
Surrogate = Annotated[
    str,
    typer.Option(
        help="What learns the error: auto, ridge, rbf, gp, boosting, lightgbm, catboost, mlp, blend."
    ),
]
Design = Annotated[str, typer.Option(help="Of the first networks: auto, balanced, latin, random.")]
Initial = Annotated[
    int | None,
    typer.Option(min=1, help="Networks of the initial design, before anything is known; 16 unless given."),
]
PreScreening = Annotated[
    int,
    typer.Option(min=1, help="Evaluate this many times as many at first and keep the best; all are counted."),
]
Inner = Annotated[
    str,
    typer.Option(help="Searches what is predicted: auto, evolution, nsga2, nsga3 (for many objectives)."),
]
Infill = Annotated[
    str | None,
    typer.Option(help="Chooses the next networks: expected (the usual), hypervolume, subset (fills gaps)."),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1, help="Networks of each further iteration: 2 unless given; nsga2 takes as many as at first."
    ),
]
ArchivePolicy = Annotated[
    str,
    typer.Option("--archive", help="What surrogates learn from: growing (all), constant (the best)."),
]
ArchiveSize = Annotated[int, typer.Option(min=4, help="Networks that a constant archive keeps.")]

# Where and for how long it is evaluated.
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=4096,
        help="Processes that evaluate side by side, one thread each; unless given, as many as there are "
        "CPUs and memory for, at most --batch, or all CPUs of a cluster. The archive is the same with "
        "any number. 0 evaluates in the search's own process, for debugging: a crash ends it.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Evaluate on Ray: 'local' starts one here, 'auto', HOST:6379 or ray://HOST:10001 joins one.",
        show_default=False,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="Seconds after which an evaluation is given up, its network set aside; 0 is none. Unless "
        "given, 100 times the longest so far, at least 15 minutes, and a day until 8 are known.",
        show_default=False,
    ),
]

# What follows, and how it is told.
Verify = Annotated[bool, typer.Option(help="Compile the finalists and measure them again.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON an iteration, and the result as the last.")
]

"""`edgewright train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgewright.cli.console import Console
from edgewright.cli.options import AsJson, Seed
from edgewright.errors import ProcessLostError, SDKError


def train(
    space: Annotated[
        str, typer.Option(help="Search space: NAME, or NAME@RES+RES for a part of it.", show_default=False)
    ],
    data: Annotated[
        str,
        typer.Option(
            help="An ImageFolder tree (train/CLASS/*.jpg, test/CLASS/*.jpg), or `digits`.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The run folder; made if absent, gone on with if it is the same run.", show_default=False
        ),
    ],
    recipe: Annotated[
        str, typer.Option(help="sandwich (BigNAS) or shrinking (progressive shrinking, OFA).")
    ] = "sandwich",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 30,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step, of all processes together.")] = 128,
    optimizer: Annotated[str, typer.Option(help="sgd or adamw.")] = "sgd",
    lr: Annotated[
        float | None, typer.Option(help="Peak learning rate; the optimiser's default where not given.")
    ] = None,
    val_fraction: Annotated[
        float, typer.Option(min=0.01, max=0.5, help="Share of train/ held out for the search.")
    ] = 0.1,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip", help="Mirror images at random; photos are, digits not.", show_default=False
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of a process; all cores where not given, under torchrun one."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write a TensorBoard log into the run.")
    ] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train an elastic supernet; a killed run goes on from its last epoch.

    In several processes: torchrun --nproc-per-node 2 -m edgewright train ... (the batch is the batch of
    all processes together, so their number changes speed and rounding alone; --threads is of each).
    """
    from edgewright.pipeline.train import train_run
    from edgewright.training.config import TrainConfig
    from edgewright.training.group import group_from_environment

    console = Console(as_json)
    with group_from_environment() as group:
        try:
            result = train_run(
                space,
                data,
                out,
                TrainConfig(
                    recipe=recipe,
                    epochs=epochs,
                    batch_size=batch_size,
                    optimizer=optimizer,
                    lr=lr,
                    flip=flip,
                    threads=threads,
                    tensorboard=tensorboard,
                    seed=seed,
                ),
                val_fraction=val_fraction,
                progress=console,
                group=group,
            )
        except SDKError as error:
            if group.is_first:
                raise
            if isinstance(error, ProcessLostError):  # the first process may be the one that ended
                print(f"edgewright: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
    if group.is_first:
        console.result(result.to_json(), result.text())

"""Search problems put together from parts that do not know each other: published files, or a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgewright.errors import TableError
from edgewright.evaluation import one_by_one
from edgewright.latency.imported import ImportedTable, import_table
from edgewright.search.config import Cost
from edgewright.search.problems import AccuracyPredictor, KnownFront, SearchProblem, ofa_problem, ofa_space
from edgewright.search.problems.ofa_mobilenetv3 import RESOLUTIONS
from edgewright.spaces.architecture import CostTable
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.operator import Operator

if TYPE_CHECKING:  # torch: a published problem needs none
    from edgewright.pipeline.trained import TrainedRun


def read_ofa(folder: Path, *, device: str = "note10", known: KnownFront | None = None) -> SearchProblem:
    """Return OFA-MobileNetV3 of width 1.2 on a device with published lookup tables.

    Error is OFA's predicted top-1 error in percent, latency the sum of the tables' means in
    milliseconds, at 160 to 224 pixels.

    Args:
        folder: with ``accuracy_predictor.npz`` and ``<device>/<side>_lookup_table.yaml``.
        device: name of the folder of tables.
        known: the best front known.

    Raises:
        UsageError: the predictor cannot be read.
        TableError: a table is missing or faulty, or lacks operators of the space.
    """
    space = ofa_space()
    predictor = AccuracyPredictor.load(folder / "accuracy_predictor.npz", space)
    tables = [import_table(folder / device / f"{side}_lookup_table.yaml", device) for side in RESOLUTIONS]
    return ofa_problem(predictor, summed(tables, space), device=device, known=known)


def supernet_problem(trained: TrainedRun, costs: Mapping[str, Cost]) -> SearchProblem:
    """Return a user's own supernet as a problem, so that it can be searched as a benchmark is.

    Error is the validation error with inherited weights, as a fraction; nobody knows its front.

    Args:
        trained: the run.
        costs: exact costs that are minimised beside it, by name.
    """
    from edgewright.pipeline.evaluator import SubnetError  # torch: a published problem needs none

    evaluate = one_by_one(SubnetError.of_run(trained))
    return SearchProblem(trained.folder.root.name, trained.space, evaluate, costs)


def summed(tables: list[ImportedTable], space: MobileSpace) -> CostTable:
    """Return the latency of a space's networks in ms: each operator the sum of its keys' means.

    Operators that several tables have, as small inputs and large ones do, are taken from the first.

    Raises:
        TableError: the tables lack operators of the space.
    """
    found: dict[Operator, float] = {}
    for table in tables:
        for operator, keys in table.operators.items():
            found.setdefault(operator, sum(table.entries[key].mean for key in keys))
    if missing := [operator for operator in space.all_operators() if operator not in found]:
        raise TableError(
            f"the tables lack {len(missing)} operators of {space.name}, first {missing[0]}; "
            "give the tables of all its resolutions"
        )
    return space.tabulate(found.__getitem__)

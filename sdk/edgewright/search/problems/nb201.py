"""NAS-Bench-201 (arXiv:2001.00326) with accuracies and latencies that somebody measured.

A file has ``ops (15625, 6)``, the operation of each edge as in :mod:`edgewright.spaces.cell`, and
columns ``(15625,)``: accuracies in percent, costs above 0. NAS-Bench-201's own accuracies together
with HELP's (arXiv:2106.08630) or HW-NAS-Bench's (arXiv:2103.10584) latencies make such files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import UsageError
from edgewright.search.config import Cost
from edgewright.search.problems.base import KnownFront, SearchProblem, read_arrays
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.spaces.cell import OPERATIONS, CellSpace, numbers_from_cells

N_CELLS, N_EDGES = len(OPERATIONS) ** 6, 6
#: Cells below this accuracy in percent learned nothing, and would set the front's nadir.
MIN_ACCURACY = 50.0

Arrays = Mapping[str, NDArray[np.generic]]


def read_cells(
    path: Path | str,
    *,
    accuracy: str,
    costs: Sequence[str] | str,
    distinct: bool = True,
    min_accuracy: float = MIN_ACCURACY,
) -> SearchProblem:
    """Return the problem of a file of cells: error in percent, and its columns as they are.

    The known front is over all 15,625 cells as they were trained and measured, those of
    ``min_accuracy`` and more. With ``distinct``, cells that compute the same are one network, which
    is told by its pruned cell's own row: a search evaluates none twice, and cannot reach those parts
    of the front that only a second training or measurement of an equal cell makes.

    Args:
        path: ``.npz`` file.
        accuracy: name of a column, in percent.
        costs: names of columns that are minimised too, at least one; one may stand alone.
        distinct: whether equal cells are one network.
        min_accuracy: of the front's cells, in percent.

    Raises:
        UsageError: the file is not of this kind, or a column is missing or cannot be used; all
            faults are named.
    """
    path, costs = Path(path), (costs,) if isinstance(costs, str) else costs
    if not costs or len(set(costs)) < len(costs):
        raise UsageError(
            f"one or more different columns of costs are needed, got {', '.join(costs) or 'none'}"
        )
    columns = read_columns(path, (accuracy, *costs))
    inside = {name: values > 0 for name, values in columns.items()}
    inside[accuracy] = (columns[accuracy] >= 0) & (columns[accuracy] <= 100)
    faults = [
        f"column {name} has values such as {columns[name][~ok][0]:g}, expected "
        + ("percent, within 0 and 100" if name == accuracy else "costs above 0")
        for name, ok in inside.items()
        if not ok.all()
    ]
    if faults:
        raise UsageError(f"{path}: {'; '.join(faults)}")
    error = 100.0 - columns[accuracy]
    F = np.column_stack([error, *(columns[name] for name in costs)])
    learned = F[error <= 100.0 - min_accuracy]
    if len(learned) == 0:
        raise UsageError(
            f"{path}: no cell has an {accuracy} of {min_accuracy:g} % or more, the best has "
            f"{100.0 - error.min():g}; give accuracies in percent"
        )
    return SearchProblem(
        name=f"{accuracy} × {' × '.join(costs)}",
        space=CellSpace(distinct=distinct),
        evaluate=lambda X: error[numbers_from_cells(X)].tolist(),
        costs={name: _lookup(columns[name]) for name in costs},
        known=KnownFront.of(learned, f"all cells of {min_accuracy:g} % accuracy and more"),
    )


def read_columns(path: Path, names: Sequence[str]) -> dict[str, FloatArray]:
    """Return columns of a file of cells, ``(15625,)`` each, cells in ascending order.

    Raises:
        UsageError: the file is not of this kind, or a column is missing, not finite or of another
            length; all faults are named.
    """
    arrays = read_arrays(path)
    place = _places(arrays, path)
    if faults := [fault for name in names if (fault := _column_fault(arrays, name, place))]:
        raise UsageError(f"{path}: {'; '.join(faults)}")
    return {name: arrays[name].astype(np.float64)[place] for name in names}


def _lookup(values: FloatArray) -> Cost:
    """Return a column as a cost of encodings."""

    def cost(X: IntArray) -> FloatArray:
        found: FloatArray = values[numbers_from_cells(X)]
        return found

    return cost


def _places(arrays: Arrays, path: Path) -> IntArray:
    """Return the row of each cell in ascending order, ``(15625,)``. Raises ``UsageError``."""
    ops = arrays.get("ops")
    if ops is None or ops.ndim != 2 or ops.shape[1] != N_EDGES or not np.issubdtype(ops.dtype, np.integer):
        found = "no ops" if ops is None else f"ops {ops.dtype} {ops.shape}"
        raise UsageError(f"{path} has {found} among {sorted(arrays)}; expected integers ops (15625, 6)")
    codes = ops.astype(np.int64)
    if bool(((codes < 0) | (codes >= len(OPERATIONS))).any()):
        raise UsageError(
            f"{path}: operations lie in [{codes.min()}, {codes.max()}]; expected [0, {len(OPERATIONS)}), "
            f"which are {', '.join(OPERATIONS)}"
        )
    numbers, rows = np.unique(numbers_from_cells(codes), return_index=True)
    if len(numbers) < N_CELLS or len(codes) != N_CELLS:
        raise UsageError(
            f"{path} has {len(codes)} rows of {len(numbers)} different cells; expected each of {N_CELLS} once"
        )
    return rows.astype(np.int64)


def _column_fault(arrays: Arrays, name: str, place: IntArray) -> str | None:
    if name not in arrays or name == "ops":
        known = ", ".join(sorted(key for key in arrays if key != "ops")) or "none"
        return f"there is no column {name!r}; its columns are {known}"
    values = arrays[name]
    if values.shape != place.shape or not np.issubdtype(values.dtype, np.number):
        return f"column {name} is {values.dtype} {values.shape}, expected numbers ({len(place)},)"
    if n_bad := int((~np.isfinite(values.astype(np.float64))).sum()):
        return f"column {name} has {n_bad} values that are not finite"
    return None

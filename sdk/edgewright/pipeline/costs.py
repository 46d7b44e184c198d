"""Exact or measured costs of every network of a space, for search and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgewright.backends.registry import exporter
from edgewright.spaces import Architecture, MobileSpace, Operator
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.supernet.plain import network_from_architecture

Cost = Callable[[IntArray], FloatArray]


def folded_weights(operator: Operator) -> int:
    """Return the numbers that an artifact stores once BatchNorm is folded: one a channel fewer each."""
    mid, out = operator.mid_channels, operator.out_channels
    norms = {"stem": out, "mbconv": mid * (2 if operator.has_expansion else 1) + out, "head": mid}
    return operator.params - norms[operator.kind]


def macs(space: MobileSpace) -> Cost:
    """Return the multiply-accumulates of encodings, at batch 1."""
    return space.tabulate(lambda op: float(op.macs))


def params(space: MobileSpace) -> Cost:
    """Return the learned parameters of encodings."""
    return space.tabulate(lambda op: float(op.params))


def size_bytes(space: MobileSpace, targets: Sequence[tuple[str, str]]) -> Cost:
    """Return the bytes of the compiled file of encodings; the largest where there are several targets.

    An artifact is weights and a graph: ``bytes = a · weights + b · operators``. ``a`` and ``b`` are
    solved from the real files of the smallest and the largest network, so that they hold for every
    runtime and precision.

    Args:
        space: the networks.
        targets: runtime and precision of each.
    """
    fitted = [_fit_size(space, *target) for target in targets] or [(4.0, 0.0)]
    weights = space.tabulate(lambda op: float(folded_weights(op)))
    operators = space.tabulate(lambda op: 1.0)

    def cost(X: IntArray) -> FloatArray:
        each = np.stack([a * weights(X) + b * operators(X) for a, b in fitted])
        largest: FloatArray = each.max(axis=0)
        return largest

    return cost


def _fit_size(space: MobileSpace, runtime: str, precision: str) -> tuple[float, float]:
    ends = (space.smallest(), space.largest())
    rows = [
        (sum(folded_weights(op) for op in space.operators(arch)), len(space.operators(arch))) for arch in ends
    ]
    sizes = [_exported_bytes(space, arch, runtime, precision) for arch in ends]
    if rows[0][0] * rows[1][1] == rows[1][0] * rows[0][1]:  # a space of one network
        return sizes[0] / rows[0][0], 0.0
    a, b = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(sizes, dtype=np.float64))
    return float(a), float(b)


def _exported_bytes(space: MobileSpace, arch: Architecture, runtime: str, precision: str) -> int:
    side = arch.resolution
    images = np.random.default_rng(0).standard_normal((4, 3, side, side)).astype(np.float32)
    writer = exporter(runtime)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"network{writer.suffix}"
        writer.export(
            network_from_architecture(space, arch),
            (1, 3, side, side),
            path,
            precision=precision,
            calibration=images if precision == "int8" else None,
        )
        return path.stat().st_size

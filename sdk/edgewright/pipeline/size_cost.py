"""The bytes of the compiled file of every network of a space, fitted to the real files of a few."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import linalg

from edgewright.backends.registry import exporter
from edgewright.pipeline.costs import Cost
from edgewright.spaces import Architecture, MobileSpace, Operator
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.supernet.plain import network_from_architecture

N_SIZED = 8  # five unknowns, and a few more for the fit's error


class SizeCost:
    """The bytes of the compiled file of encodings; of several targets, of the largest.

    Args:
        space: the networks.
        fitted: for each target, the bytes of each feature of an operator, ``(5,)``.
    """

    def __init__(self, space: MobileSpace, fitted: Sequence[FloatArray]) -> None:
        self._fitted = tuple(fitted)
        self._costs = [_tabulated(space, coefficients) for coefficients in fitted]

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the cost of ``X`` ``(n, n_var)``, ``(n,)``."""
        largest: FloatArray = np.stack([one(X) for one in self._costs]).max(axis=0)
        return largest

    def of_operators(self, operators: Sequence[Operator]) -> FloatArray:
        """Return what each operator of a network takes in its largest file, ``(n_operators,)``."""
        F = np.stack([_size_features(op) for op in operators])  # (n_operators, 5)
        found: FloatArray = max((F @ coefficients for coefficients in self._fitted), key=np.sum)
        return found


def size_bytes(space: MobileSpace, targets: Sequence[tuple[str, str]]) -> SizeCost:
    """Return the bytes of the compiled file of encodings; the largest where there are several targets.

    An artifact is weights, what each channel needs beside them (a bias, in int8 a scale too) and a
    graph, so its size is a sum over operators. What each of these takes in a runtime's format is
    fitted to the real files of :data:`N_SIZED` networks; the fit's own error is added twice, since
    sizes are hard budgets.

    Args:
        space: the networks.
        targets: runtime and precision of each.
    """
    fitted = [_fit_size(space, *target) for target in targets] or [np.array([4.0, 4.0, 0.0, 0.0, 0.0])]
    return SizeCost(space, fitted)


def _tabulated(space: MobileSpace, coefficients: FloatArray) -> Cost:
    return space.tabulate(lambda op: float(_size_features(op) @ coefficients))


def _size_features(op: Operator) -> FloatArray:
    """Return what an artifact stores of an operator: weights, channels, and its graph by parts."""
    mid, out, squeeze = op.mid_channels, op.out_channels, op.se_channels
    # Channels that BatchNorm folds into, and those that have a bias of their own.
    folded = {"stem": out, "mbconv": mid * (1 + op.has_expansion) + out, "head": mid}[op.kind]
    biased = {"stem": 0, "mbconv": squeeze + mid if op.se else 0, "head": out}[op.kind]
    weights = op.params - 2 * folded - biased
    channels = folded + biased + op.hidden_channels
    return np.array([weights, channels, 1.0, op.se, op.residual], dtype=np.float64)


def _fit_size(space: MobileSpace, runtime: str, precision: str) -> FloatArray:
    """Return the bytes of each feature, fitted by least squares of the relative error."""
    ends = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    others = space.sample(np.random.default_rng(0), N_SIZED - 2)
    networks = [space.decode(x) for x in np.unique(np.concatenate([ends, others]), axis=0)]
    n_bytes = np.array(
        [_exported_bytes(space, arch, runtime, precision) for arch in networks], dtype=np.float64
    )
    F = np.stack([sum(map(_size_features, space.operators(arch)), np.zeros(5)) for arch in networks])
    A = F / n_bytes[:, None]  # (n, 5)
    coefficients = linalg.lstsq(A, np.ones(len(A)), lapack_driver="gelsy")[0].astype(np.float64)
    found: FloatArray = coefficients * (1 + 2 * float(np.abs(A @ coefficients - 1).max()))
    return found


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

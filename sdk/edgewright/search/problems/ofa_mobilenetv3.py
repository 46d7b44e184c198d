"""OFA-MobileNetV3 (arXiv:1908.09791) with the accuracy predictor that its authors published as truth.

The predictor is a perceptron of 128, 400, 400, 400 and 1 units with ReLU: one-hot kernels of 20
slots, one-hot expansions of 20 slots (nothing where a block is skipped), one-hot resolution out of
112, 128, … 224. It says top-1 as a fraction and is optimistic; searched is how it ranks networks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import UsageError
from edgewright.search.config import Cost
from edgewright.search.problems.base import KnownFront, SearchProblem, read_arrays
from edgewright.spaces.architecture import FloatArray, IntArray
from edgewright.spaces.mobile import MobileSpace
from edgewright.spaces.registry import find_space

#: Sides that both the predictor and the published Note10 tables know.
RESOLUTIONS = (160, 176, 192, 208, 224)
KNOWN_SIDES = tuple(range(112, 225, 16))
_LAYERS = ("0", "2", "4", "6")
_N_SLOTS, _N_INPUTS = 20, 128
_ROWS = 4096  # networks at a time: their activations stay in a core's cache


def ofa_space(resolutions: tuple[int, ...] = RESOLUTIONS) -> MobileSpace:
    """Return OFA's space of width 1.2, that of its published networks. Raises ``SpaceError``."""
    return find_space("mobilenetv3-w1.2").restrict(resolutions)


@dataclass(frozen=True)
class AccuracyPredictor:
    """OFA's accuracy predictor.

    Attributes:
        weights: of each layer, ``(n_out, n_in)``.
        biases: likewise, ``(n_out,)``.
        space: whose encodings it takes.
    """

    weights: tuple[NDArray[np.floating], ...]
    biases: tuple[NDArray[np.floating], ...]
    space: MobileSpace

    @classmethod
    def load(cls, path: Path, space: MobileSpace | None = None) -> AccuracyPredictor:
        """Read the weights from an ``.npz`` with ``0.weight``, ``0.bias``, ``2.weight`` ….

        Raises:
            UsageError: the file is not of this kind, or the predictor knows nothing of the space.
        """
        space = ofa_space() if space is None else space
        arrays = read_arrays(path)
        names = [f"{layer}.{kind}" for layer in _LAYERS for kind in ("weight", "bias")]
        if missing := [name for name in names if name not in arrays]:
            raise UsageError(f"{path} lacks {', '.join(missing)} of OFA's accuracy predictor; get it again")
        weights = tuple(arrays[f"{layer}.weight"].astype(np.float64) for layer in _LAYERS)
        biases = tuple(arrays[f"{layer}.bias"].astype(np.float64) for layer in _LAYERS)
        widths = [_N_INPUTS, *(b.size for b in biases)]
        shapes = [w.shape for w in weights]
        if shapes != [(out, into) for into, out in pairwise(widths)] or widths[-1] != 1:
            raise UsageError(f"{path} has layers of {shapes}, expected a chain from {_N_INPUTS} inputs to 1")
        if not all(np.isfinite(values).all() for values in (*weights, *biases)):
            raise UsageError(f"{path} has weights that are not finite; get it again")
        choices = (space.kernel_sizes, space.expands, space.n_slots)
        if choices != ((3, 5, 7), (3, 4, 6), _N_SLOTS) or not set(space.resolutions) <= set(KNOWN_SIDES):
            raise UsageError(
                f"OFA's accuracy predictor knows 20 blocks of kernels 3, 5, 7 and expansions 3, 4, 6 at "
                f"{KNOWN_SIDES} pixels, not {space.name}; take mobilenetv3-w1.2@160+176+192+208+224"
            )
        return cls(weights, biases, space)

    def single(self) -> AccuracyPredictor:
        """Return the same in single precision: twice as fast, and errors differ by 0.0001 %."""
        weights = tuple(w.astype(np.float32) for w in self.weights)
        return replace(self, weights=weights, biases=tuple(b.astype(np.float32) for b in self.biases))

    def error(self, X: IntArray) -> FloatArray:
        """Return the predicted top-1 error of ``X`` ``(n, n_var)`` in percent, ``(n,)``.

        Rounded to the ninth digit, so that it does not depend on what is asked beside it.
        """
        parts = [self._error(X[start : start + _ROWS]) for start in range(0, len(X), _ROWS)]
        return np.round(np.concatenate(parts) if parts else np.zeros(0), 9)

    def _error(self, X: IntArray) -> FloatArray:
        h = self._inputs(X)
        for layer, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ W.T
            h += b
            if layer < len(self.weights) - 1:
                np.maximum(h, 0, out=h)
        error: FloatArray = 100.0 * (1.0 - h[:, 0].astype(np.float64))
        return error

    def _inputs(self, X: IntArray) -> NDArray[np.floating]:
        """Return what the perceptron is shown, ``(n, 128)``."""
        first = 1 + len(self.space.stages)
        sides = np.array([KNOWN_SIDES.index(r) for r in self.space.resolutions])
        slots = 3 * np.arange(_N_SLOTS)
        at_kernel = slots + X[:, first : first + _N_SLOTS]
        at_expand = 3 * _N_SLOTS + slots + X[:, first + _N_SLOTS :]
        built = self.space.active_slots(X).astype(self.weights[0].dtype)  # (n, 20)
        hot = np.zeros((len(X), _N_INPUTS), dtype=self.weights[0].dtype)
        rows = np.arange(len(X))
        hot[rows[:, None], at_kernel] = built
        hot[rows[:, None], at_expand] = built
        hot[rows, 6 * _N_SLOTS + sides[X[:, 0]]] = 1
        return hot


def ofa_problem(
    predictor: AccuracyPredictor, latency_ms: Cost, *, device: str = "note10", known: KnownFront | None = None
) -> SearchProblem:
    """Return the problem of a predictor and a device's latency.

    Args:
        predictor: whose space is searched.
        latency_ms: of encodings ``(n, n_var)``, ``(n,)``.
        device: its name.
        known: the best front known.
    """

    def evaluate(X: IntArray) -> list[float]:
        errors: list[float] = predictor.error(X).tolist()
        return errors

    return SearchProblem(
        f"OFA-MobileNetV3 × {device}", predictor.space, evaluate, {device: latency_ms}, known
    )

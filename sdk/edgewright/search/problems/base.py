"""What a search is given, and how near it came to a front that is known."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import UsageError
from edgewright.search.config import Cost, Evaluator, Failure
from edgewright.search.hypervolume import hypervolume
from edgewright.search.outcome import answers
from edgewright.search.pareto import front_indices
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

#: In units of the known front: a tenth beyond its nadir, so that its ends count too.
REFERENCE = 1.1


@dataclass(frozen=True)
class KnownFront:
    """The best front known, which scores are relative to.

    Attributes:
        F: its objectives, ``(m, n_obj)``: no row dominates another, ascending in the first.
        source: how it was found.
    """

    F: FloatArray
    source: str

    @classmethod
    def of(cls, F: FloatArray, source: str) -> KnownFront:
        """Return the front of objectives ``(n, n_obj)``, all minimised."""
        F = np.asarray(F, dtype=np.float64)
        return cls(F[front_indices(F)], source)

    @property
    def ideal(self) -> FloatArray:
        """The least of each objective on the front, ``(n_obj,)``."""
        least: FloatArray = self.F.min(axis=0)
        return least

    @property
    def nadir(self) -> FloatArray:
        """The most of each objective on the front, ``(n_obj,)``."""
        most: FloatArray = self.F.max(axis=0)
        return most

    def normalised(self, F: FloatArray) -> FloatArray:
        """Return ``F`` ``(n, n_obj)`` with the front's ideal at 0 and its nadir at 1."""
        span = self.nadir - self.ideal
        return (np.asarray(F, dtype=np.float64) - self.ideal) / np.where(span > 0, span, 1.0)

    def hypervolume_ratio(self, F: FloatArray) -> float:
        """Return the hypervolume of ``F`` ``(n, n_obj)`` over that of the front; the reference is 1.1."""
        return self._hypervolume(F) / self._own_hypervolume

    def igd_plus(self, F: FloatArray) -> float:
        """Return the IGD+ of ``F`` to the front, normalised (Ishibuchi et al. 2015); 0 is the front."""
        import moocore  # compiled; loaded only by searches

        if len(F) == 0:
            return float("inf")
        return float(moocore.igd_plus(self.normalised(F), ref=self.normalised(self.F)))

    @cached_property
    def _own_hypervolume(self) -> float:
        return self._hypervolume(self.F)

    def _hypervolume(self, F: FloatArray) -> float:
        return hypervolume(self.normalised(F), np.full(self.F.shape[1], REFERENCE))


@dataclass(frozen=True, slots=True)
class SearchProblem:
    """A space, the true error of its networks, and their exact costs: what a search is given.

    A user's own supernet is one as much as a benchmark is; only of a benchmark the front is known.

    Attributes:
        name: for headings and files.
        space: the networks.
        evaluate: their true error, or numbers by name where several objectives are ``evaluated``.
        costs: what is minimised beside it, by name.
        known: the best front known.
        evaluated: names of the objectives that ``evaluate`` returns.
    """

    name: str
    space: SearchSpace
    evaluate: Evaluator
    costs: Mapping[str, Cost]
    known: KnownFront | None = None
    evaluated: tuple[str, ...] = ("error",)

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives in the order of :meth:`objectives`."""
        return (*self.evaluated, *self.costs)

    def objectives(self, X: IntArray) -> FloatArray:
        """Return the true objectives of ``X`` ``(n, n_var)``, ``(n, n_obj)``; NaN where evaluations fail."""
        costs = [np.asarray(cost(X), dtype=np.float64) for cost in self.costs.values()]
        return np.column_stack([self._evaluated(X), *costs])

    def _evaluated(self, X: IntArray) -> FloatArray:
        values = np.full((len(X), len(self.evaluated)), np.nan)
        for answer, found in answers(self.evaluate, X, self.evaluated, time.perf_counter):
            if not isinstance(found, Failure):
                values[answer.row] = found
        return values


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an ``.npz`` file. Raises ``UsageError`` where it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; give the path of an .npz file") from error
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        # numpy's advice to whoever meets anything else is to unpickle it.
        why = "it holds something else" if "pickle" in str(error) else error
        raise UsageError(f"{path} is not a file of numpy arrays ({why}); give an .npz") from error

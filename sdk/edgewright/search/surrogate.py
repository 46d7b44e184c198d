"""Surrogates: which model predicts the error, chosen anew in every iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from edgewright.errors import UsageError
from edgewright.regression.base import Prediction, Regressor
from edgewright.regression.boosting import Boosting
from edgewright.regression.ensemble import Ensemble
from edgewright.regression.gaussian_process import GaussianProcess
from edgewright.regression.metrics import kendall_tau, rmse, spearman
from edgewright.regression.rbf import RadialBasis
from edgewright.regression.ridge import Ridge
from edgewright.spaces.architecture import FloatArray, IntArray

#: What predicts an objective from features, at a fraction of the cost of evaluating it.
Surrogate = Regressor

SURROGATES: dict[str, Callable[[], Surrogate]] = {
    "ridge": Ridge,
    "rbf": RadialBasis,
    "gp": GaussianProcess,
    "boosting": Boosting,
    "ensemble": lambda: Ensemble([Ridge(), GaussianProcess(), Boosting()]),
}
# What ``auto`` chooses from.
CANDIDATES = ("ridge", "gp", "boosting")
N_FOLDS = 5

__all__ = ["CANDIDATES", "SURROGATES", "Chosen", "Fidelity", "Prediction", "Surrogate", "choose", "fidelity"]


class Fidelity(NamedTuple):
    """How well a surrogate predicted networks that it had not seen; None where undefined."""

    tau: float | None
    spearman: float | None
    rmse: float | None


class Chosen(NamedTuple):
    """A fitted surrogate."""

    name: str
    model: Surrogate
    out_of_fold_tau: float | None


def fidelity(predicted: FloatArray, true: FloatArray) -> Fidelity:
    """Compare predictions with the truth, ``(n,)`` each; NaN predictions were never made."""
    made = np.isfinite(predicted)
    predicted, true = predicted[made], true[made]
    return Fidelity(kendall_tau(predicted, true), spearman(predicted, true), rmse(predicted, true))


def choose(name: str, Z: FloatArray, y: FloatArray, rng: np.random.Generator) -> Chosen:
    """Return the surrogate ``name`` fitted to features ``Z`` ``(n, n_features)`` and errors ``y``.

    ``auto`` takes the candidate of highest out-of-fold Kendall tau, the "adaptive switching" of
    MSuNAS (arXiv:2007.10396, section 4.2), over one set of folds instead of their means.

    Raises:
        UsageError: no surrogate has this name.
    """
    require_known(name)
    folds = rng.permutation(len(y)) % N_FOLDS
    names = CANDIDATES if name == "auto" else (name,)
    taus = {key: _out_of_fold_tau(key, Z, y, folds) for key in names}
    best = max(names, key=lambda key: -np.inf if taus[key] is None else float(taus[key] or 0.0))
    return Chosen(best, SURROGATES[best]().fit(Z, y), taus[best])


def require_known(name: str) -> None:
    """Raise ``UsageError`` unless ``name`` is ``auto`` or a surrogate's."""
    if name != "auto" and name not in SURROGATES:
        raise UsageError(f"unknown surrogate {name!r}; known: auto, {', '.join(SURROGATES)}")


def _out_of_fold_tau(name: str, Z: FloatArray, y: FloatArray, folds: IntArray) -> float | None:
    """Return Kendall's tau of predictions by models that did not see the point."""
    if len(y) < 2 * N_FOLDS:
        return None
    predicted = np.empty(len(y))
    for fold in range(N_FOLDS):
        out = folds == fold
        predicted[out] = SURROGATES[name]().fit(Z[~out], y[~out]).predict(Z[out]).mean
    return kendall_tau(predicted, y)

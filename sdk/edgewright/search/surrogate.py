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
    "boosting": lambda: Ensemble(
        [Boosting(), Boosting(n_trees=200, learning_rate=0.06, max_leaves=4, seed=1)]
    ),
}
# What ``auto`` joins. For its folds, models that rank alike at a fraction of the time.
MEMBERS = ("ridge", "gp", "boosting")
_IN_FOLDS: dict[str, Callable[[], Surrogate]] = {
    "gp": lambda: GaussianProcess(max_fitted=100, max_iterations=15),
    "boosting": Boosting,
}
N_FOLDS = 3
# Folds are over at most this many samples, the newest: they lie where the search is.
MAX_IN_FOLDS = 200
# Members whose tau falls this far behind the best one's would pull the mean away from it.
TOLERANCE = 0.1

__all__ = ["MEMBERS", "SURROGATES", "Chosen", "Fidelity", "Prediction", "Surrogate", "choose", "fidelity"]


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

    ``auto`` is the "adaptive switching" of MSuNAS (arXiv:2007.10396, section 4.2) with one change:
    where MSuNAS takes the model of highest out-of-fold Kendall tau, it takes the mean of all that
    come close to it. Linear models and trees err in different places, and their mean less.

    Raises:
        UsageError: no surrogate has this name.
    """
    require_known(name)
    newest = slice(max(0, len(y) - MAX_IN_FOLDS), None)
    folds = rng.permutation(len(y[newest])) % N_FOLDS
    names = MEMBERS if name == "auto" else (name,)
    taus = {key: _out_of_fold_tau(key, Z[newest], y[newest], folds) for key in names}
    known = [tau for tau in taus.values() if tau is not None]
    best = max(known, default=None)
    kept = [key for key, tau in taus.items() if best is None or (tau or -1.0) >= best - TOLERANCE]
    models = [SURROGATES[key]() for key in kept]
    model = models[0] if len(models) == 1 else Ensemble(models)
    return Chosen("+".join(kept), model.fit(Z, y), best)


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
        predicted[out] = _IN_FOLDS.get(name, SURROGATES[name])().fit(Z[~out], y[~out]).predict(Z[out]).mean
    return kendall_tau(predicted, y)

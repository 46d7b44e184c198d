"""Surrogates: which model predicts the error, chosen anew in every iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from edgewright.errors import UsageError
from edgewright.regression.base import LeavesOut, Prediction, Regressor
from edgewright.regression.boosting import Boosting
from edgewright.regression.catboost import CatBoost
from edgewright.regression.ensemble import Ensemble
from edgewright.regression.gaussian_process import GaussianProcess
from edgewright.regression.lightgbm import LightGbm
from edgewright.regression.metrics import kendall_tau, rmse, spearman
from edgewright.regression.mlp import MlpEnsemble
from edgewright.regression.rbf import RadialBasis
from edgewright.regression.ridge import Ridge
from edgewright.regression.score_blend import ScoreBlend
from edgewright.search.outliers import tamed
from edgewright.spaces.architecture import FloatArray

#: What predicts an objective from features, at a fraction of the cost of evaluating it.
Surrogate = Regressor
#: Group of each feature, ``(n_features,)``; None where all are alike.
Groups = Sequence[int] | None

#: By name; each is made for features in groups ``(n_features,)`` that matter alike.
SURROGATES: dict[str, Callable[[Groups], Surrogate]] = {
    "ridge": lambda groups: Ridge(),
    "rbf": lambda groups: RadialBasis(),
    "gp": GaussianProcess,
    "boosting": lambda groups: Ensemble(
        [Boosting(), Boosting(n_trees=200, learning_rate=0.06, max_leaves=4, seed=1)]
    ),
    "lightgbm": lambda groups: LightGbm(),
    "catboost": lambda groups: CatBoost(),
    "mlp": lambda groups: MlpEnsemble(),
    "blend": ScoreBlend,
}
# What ``auto`` chooses from: models that know from one fit how they predict what they have not seen.
# The first is taken unless another is ahead by the margin: it alone says how its errors go together.
MEMBERS: dict[str, Callable[[Groups], Surrogate]] = {
    "gp": GaussianProcess,
    "ridge": lambda groups: Ridge(),
    "lightgbm": lambda groups: LightGbm(n_folds=5, n_trees=100, learning_rate=0.1),
}
MARGIN = 0.05
N_FOLDS = 3  # of a model that does not know it from its fit
# Folds are over at most this many samples, the newest: they lie where the search is.
MAX_IN_FOLDS = 200

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


def choose(
    name: str, Z: FloatArray, y: FloatArray, rng: np.random.Generator, groups: Groups = None
) -> Chosen:
    """Return the surrogate ``name`` fitted to features ``Z`` ``(n, n_features)`` and errors ``y``.

    ``auto`` is the "adaptive switching" of MSuNAS (arXiv:2007.10396, section 4.2): the model of
    highest Kendall tau over samples that it had not seen. It costs no more than fitting each once,
    since all of them know those predictions from their fit. Errors of networks that learned nothing
    are drawn in (:func:`edgewright.search.outliers.tamed`).

    Args:
        name: of :data:`SURROGATES`, or ``auto``.
        Z: features.
        y: errors, ``(n,)``.
        rng: draws the folds of models that need them.
        groups: of the features, ``(n_features,)``; one for all where None.

    Raises:
        UsageError: no surrogate has this name.
    """
    require_known(name)
    y = tamed(y)
    makers = MEMBERS if name == "auto" else {name: SURROGATES[name]}
    models = {key: make(groups).fit(Z, y) for key, make in makers.items()}
    taus = {key: _out_of_fold_tau(makers[key], models[key], Z, y, rng, groups) for key in models}
    best = next(iter(models))
    for key, tau in taus.items():
        if tau is not None and tau > (taus[best] or 0.0) + (MARGIN if best == next(iter(models)) else 0.0):
            best = key
    return Chosen(best, models[best], taus[best])


def require_known(name: str) -> None:
    """Raise ``UsageError`` unless ``name`` is ``auto`` or a surrogate's."""
    if name != "auto" and name not in SURROGATES:
        raise UsageError(f"unknown surrogate {name!r}; known: auto, {', '.join(SURROGATES)}")


def _out_of_fold_tau(
    make: Callable[[Groups], Surrogate],
    model: Surrogate,
    Z: FloatArray,
    y: FloatArray,
    rng: np.random.Generator,
    groups: Groups,
) -> float | None:
    """Return Kendall's tau of predictions by models that did not see the point."""
    if len(y) < 2 * N_FOLDS:
        return None
    newest = slice(max(0, len(y) - MAX_IN_FOLDS), None)
    if isinstance(model, LeavesOut):
        return kendall_tau(model.left_out[newest], y[newest])
    Z, y = Z[newest], y[newest]
    folds = rng.permutation(len(y)) % N_FOLDS
    predicted = np.empty(len(y))
    for fold in range(N_FOLDS):
        out = folds == fold
        predicted[out] = make(groups).fit(Z[~out], y[~out]).predict(Z[out]).mean
    return kendall_tau(predicted, y)

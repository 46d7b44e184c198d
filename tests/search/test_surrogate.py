import numpy as np
import pytest
from contracts.surrogate_contract import smooth_data
from doubles.search_problems import SyntheticProblem

from edgewright.errors import UsageError
from edgewright.search import Problem
from edgewright.search.features import features_of, one_hot
from edgewright.search.surrogate import SURROGATES, choose, fidelity

PROBLEM = SyntheticProblem()


@pytest.mark.parametrize("name", ["auto", *SURROGATES])
def test_every_named_surrogate_learns_the_error_of_a_space(name):
    if name == "catboost":
        pytest.importorskip("catboost")
    rng = np.random.default_rng(0)
    features = features_of(PROBLEM.space, Problem({"macs": PROBLEM.macs}, {}, {}))
    X, fresh = PROBLEM.space.sample(rng, 120), PROBLEM.space.sample(rng, 60)
    chosen = choose(name, features(X), PROBLEM.error(X), rng)
    seen = fidelity(chosen.model.predict(features(fresh)).mean, PROBLEM.error(fresh))
    assert seen.tau > 0.45
    assert seen.spearman > seen.tau
    assert chosen.out_of_fold_tau > 0.4


def test_auto_leaves_out_models_that_rank_badly():
    X = np.random.default_rng(0).uniform(-1, 1, size=(100, 6))
    y = np.sign(X[:, 0]) * np.sign(X[:, 1]) + 0.1 * X[:, 2]  # no linear model sees this
    chosen = choose("auto", X, y, np.random.default_rng(0))
    assert "ridge" not in chosen.name


def test_too_few_samples_for_folds_still_give_a_model():
    X, y = smooth_data(4)
    chosen = choose("auto", X, y, np.random.default_rng(0))
    assert chosen.out_of_fold_tau is None
    assert np.isfinite(chosen.model.predict(X).mean).all()


def test_an_unknown_surrogate_lists_the_known_ones():
    with pytest.raises(UsageError, match="auto, ridge, rbf, gp, boosting, lightgbm, catboost, mlp, blend"):
        choose("svm", *smooth_data(10), np.random.default_rng(0))


def test_fidelity_ignores_networks_that_no_surrogate_chose():
    assert fidelity(np.array([1.0, np.nan, 3.0]), np.array([1.0, 9.0, 3.0])).rmse == 0.0
    assert fidelity(np.full(3, np.nan), np.ones(3)) == (None, None, None)


def test_features_tell_every_two_networks_apart_and_equal_ones_not():
    space = PROBLEM.space
    X = np.unique(space.sample(np.random.default_rng(0), 500), axis=0)
    Z = features_of(space, Problem({}, {}, {}))(X)
    assert len(np.unique(Z, axis=0)) == len(X)
    assert np.isfinite(Z).all()


def test_blocks_that_are_not_built_have_no_features():
    space = PROBLEM.space
    x = space.encode(space.smallest())
    features = features_of(space, Problem({}, {}, {}))
    Z, groups = features(x[None])[0], np.array(features.groups)
    n_active = len(space.stages) * space.depths[0]
    blocks, kernels, expands = range(2, 5)
    assert [Z[groups == group].sum() for group in (blocks, kernels, expands)] == [n_active] * 3
    assert Z[groups == 1].sum() == 1.0, "the resolution, one-hot"


def test_one_hot_has_one_column_for_each_choice():
    Z = one_hot(np.array([[1, 0], [0, 2]]), np.array([2, 3]))
    assert Z.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]

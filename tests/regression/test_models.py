"""Each regression model: the contract, and what is its own."""

import sys

import numpy as np
import pytest
from contracts.surrogate_contract import SurrogateContract, smooth_data

from edgewright.errors import MissingExtraError, UsageError
from edgewright.regression import Ensemble, Ridge
from edgewright.regression.base import Covariant
from edgewright.regression.boosting import Boosting
from edgewright.regression.catboost import CatBoost
from edgewright.regression.gaussian_process import (
    GaussianProcess,
    _compare,
    _negative_log_posterior,
    _start,
)
from edgewright.regression.lightgbm import LightGbm
from edgewright.regression.metrics import kendall_tau
from edgewright.regression.mlp import MlpEnsemble
from edgewright.regression.rbf import RadialBasis
from edgewright.regression.score_blend import ScoreBlend


class TestRidge(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return Ridge()

    def test_leave_one_out_choice_equals_refitting_without_each_point(self):
        X, y = smooth_data(25)
        y = y + np.random.default_rng(2).normal(size=25)
        errors = {}
        for penalty in (1e-3, 1.0):
            errors[penalty] = np.mean(
                [
                    (
                        Ridge((penalty,)).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1]).mean
                        - y[i]
                    )
                    ** 2
                    for i in range(25)
                ]
            )
        chosen = Ridge((1e-3, 1.0)).fit(X, y).predict(X).mean
        better = min(errors, key=errors.get)
        np.testing.assert_array_equal(chosen, Ridge((better,)).fit(X, y).predict(X).mean)

    def test_linear_truth_is_found_exactly_with_more_features_than_needed(self):
        X, _ = smooth_data(50)
        y = X @ np.arange(6.0) + 3.0
        fresh, _ = smooth_data(10, seed=3)
        np.testing.assert_allclose(
            Ridge().fit(X, y).predict(fresh).mean, fresh @ np.arange(6.0) + 3.0, atol=1e-3
        )


class TestRadialBasis(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return RadialBasis()


class TestGaussianProcess(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return GaussianProcess()

    def test_gradient_of_the_posterior_equals_finite_differences(self):
        X, y = smooth_data(30)
        t = (y - y.mean()) / y.std()
        columns = (np.array([0, 2]), np.array([1, 3, 4, 5]))
        theta = _start(2) + np.random.default_rng(0).normal(0.0, 0.3, size=6)
        compared = _compare(columns, X)
        _, gradient = _negative_log_posterior(theta, *compared, t)
        for i in range(6):
            step = np.eye(6)[i] * 1e-5
            up, _ = _negative_log_posterior(theta + step, *compared, t)
            down, _ = _negative_log_posterior(theta - step, *compared, t)
            assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)

    def test_groups_that_do_not_matter_are_found_out(self):
        rng = np.random.default_rng(0)
        X, fresh = rng.normal(size=(60, 42)), rng.normal(size=(200, 42))
        y, truth = (np.sin(2 * Z[:, 0]) + Z[:, 1] for Z in (X, fresh))
        grouped = GaussianProcess([0, 0] + [1] * 40).fit(X, y).predict(fresh).mean
        alike = GaussianProcess().fit(X, y).predict(fresh).mean
        assert np.sqrt(np.mean((grouped - truth) ** 2)) < 0.5 * np.sqrt(np.mean((alike - truth) ** 2))

    def test_features_of_a_negative_group_are_left_out(self):
        X, y = smooth_data(40)
        fresh = smooth_data(60)[0][40:]
        without = GaussianProcess([0, 1, 1, 0]).fit(X[:, :4], y)
        model = GaussianProcess([0, 1, 1, 0, -1, -1]).fit(X, y)
        np.testing.assert_array_equal(model.predict_mean(fresh), without.predict_mean(fresh[:, :4]))
        np.testing.assert_array_equal(model.covariance(fresh), without.covariance(fresh[:, :4]))
        np.testing.assert_array_equal(model.left_out, without.left_out)

    def test_groups_of_another_number_of_features_are_refused(self):
        with pytest.raises(UsageError, match="5 features are in groups, but X has 6"):
            GaussianProcess([0] * 5).fit(*smooth_data(10))

    def test_what_is_left_out_is_predicted_as_by_a_model_without_it(self):
        X, y = smooth_data(40)
        model = GaussianProcess(max_iterations=0).fit(X, y)  # the same hyperparameters throughout
        refitted = [
            GaussianProcess(max_iterations=0).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])
            for i in range(5)
        ]
        found = np.array([prediction.mean[0] for prediction in refitted])
        np.testing.assert_allclose(model.left_out[:5], found, rtol=0.02)  # but for the standardising

    def test_the_mean_alone_is_the_mean(self):
        X, y = smooth_data(40)
        model = GaussianProcess().fit(X, y)
        np.testing.assert_allclose(model.predict_mean(X), model.predict(X).mean)

    def test_uncertainty_grows_away_from_the_data(self):
        X, y = smooth_data(60)
        model = GaussianProcess().fit(X, y)
        near, far = model.predict(X).std, model.predict(X + 5.0).std
        assert far.mean() > 3 * near.mean()

    def test_samples_beyond_those_the_hyperparameters_are_learned_from_are_used_too(self):
        X, y = smooth_data(80)
        fresh, truth = smooth_data(50, seed=1)

        def error(n):
            return np.abs(GaussianProcess(max_fitted=20).fit(X[:n], y[:n]).predict(fresh).mean - truth).mean()

        assert error(80) < error(20)


class TestBoosting(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return Boosting()


class TestLightGbm(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return LightGbm(n_folds=5, n_trees=150)

    def test_other_seeds_are_other_models_and_equal_ones_the_same(self):
        X, y = smooth_data(40)
        first, again, other = (
            LightGbm(n_folds=3, n_trees=20, seed=s).fit(X, y).predict(X) for s in (0, 0, 1)
        )
        np.testing.assert_array_equal(first.mean, again.mean)
        np.testing.assert_array_equal(first.std, again.std)
        assert not np.array_equal(first.mean, other.mean)


class TestCatBoost(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        pytest.importorskip("catboost")
        return CatBoost(n_trees=150, depth=4)


def test_a_model_whose_package_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgewright\[catboost\]'"):
        CatBoost().fit(*smooth_data(10))


class TestMlpEnsemble(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return MlpEnsemble(n_members=3)


class TestEnsemble(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return Ensemble([Ridge(), GaussianProcess()])

    def test_mean_is_the_mean_of_the_members(self):
        X, y = smooth_data(40)
        joined = Ensemble([Ridge(), Boosting()]).fit(X, y).predict(X).mean
        apart = (Ridge().fit(X, y).predict(X).mean + Boosting().fit(X, y).predict(X).mean) / 2
        np.testing.assert_allclose(joined, apart)

    def test_its_covariance_has_its_own_variances(self):
        X, y = smooth_data(40)
        fresh, _ = smooth_data(15, seed=1)
        for model in (GaussianProcess(), Ensemble([Ridge(), GaussianProcess(max_fitted=20)])):
            model.fit(X, y)
            assert isinstance(model, Covariant)
            covariance = model.covariance(fresh)
            np.testing.assert_allclose(covariance, covariance.T, atol=1e-9)
            np.testing.assert_allclose(np.sqrt(np.diag(covariance)), model.predict(fresh).std, rtol=1e-4)
            assert np.linalg.eigvalsh(covariance).min() > -1e-8

    def test_an_empty_ensemble_is_refused(self):
        with pytest.raises(UsageError, match="at least one"):
            Ensemble([])


class TestScoreBlend(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return ScoreBlend()

    def test_a_long_tail_does_not_hide_how_the_good_ones_rank(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(1200, 6))
        y = X @ np.arange(1.0, 7.0) / 10
        y = np.where(rng.random(1200) < 0.15, 30 + 20 * rng.random(1200), y)  # networks that learned nothing
        good = y[200:] < 20
        taus = {
            type(model).__name__: kendall_tau(
                model.fit(X[:200], y[:200]).predict(X[200:]).mean[good], y[200:][good]
            )
            for model in (ScoreBlend(), GaussianProcess())
        }
        assert taus["ScoreBlend"] > taus["GaussianProcess"]
        assert taus["ScoreBlend"] > 0.6

    def test_it_is_told_in_the_unit_of_the_samples(self):
        X, y = smooth_data(60)
        model = ScoreBlend().fit(X, 1000 + 50 * y)
        fresh, truth = smooth_data(40, seed=5)
        predicted = model.predict(fresh).mean
        assert np.corrcoef(predicted, truth)[0, 1] > 0.7
        assert abs(float(predicted.mean() - (1000 + 50 * truth).mean())) < 25
        assert model.left_out.shape == (60,)

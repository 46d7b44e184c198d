"""Each regression model: the contract, and what is its own."""

import numpy as np
import pytest
from contracts.surrogate_contract import SurrogateContract, smooth_data

from edgewright.errors import UsageError
from edgewright.regression import Ensemble, Ridge
from edgewright.regression.boosting import Boosting
from edgewright.regression.gaussian_process import START, GaussianProcess, _negative_log_likelihood
from edgewright.regression.rbf import RadialBasis


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

    def test_gradient_of_the_likelihood_equals_finite_differences(self):
        X, y = smooth_data(30)
        t = (y - y.mean()) / y.std()
        inner = X @ X.T
        distance = np.linalg.norm(X[:, None] - X[None], axis=2)
        _, gradient = _negative_log_likelihood(START, inner, distance, t)
        for i in range(4):
            step = np.eye(4)[i] * 1e-5
            up, _ = _negative_log_likelihood(START + step, inner, distance, t)
            down, _ = _negative_log_likelihood(START - step, inner, distance, t)
            assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-4)

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


class TestEnsemble(SurrogateContract):
    @pytest.fixture
    def surrogate(self):
        return Ensemble([Ridge(), GaussianProcess()])

    def test_mean_is_the_mean_of_the_members(self):
        X, y = smooth_data(40)
        joined = Ensemble([Ridge(), Boosting()]).fit(X, y).predict(X).mean
        apart = (Ridge().fit(X, y).predict(X).mean + Boosting().fit(X, y).predict(X).mean) / 2
        np.testing.assert_allclose(joined, apart)

    def test_an_empty_ensemble_is_refused(self):
        with pytest.raises(UsageError, match="at least one"):
            Ensemble([])

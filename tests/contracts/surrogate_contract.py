"""What every surrogate keeps to; subclass it and give the fixture ``surrogate``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.regression import NotFittedError, Regressor

DATA = Path(__file__).parents[1] / "data"


def smooth_data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features ``(n, 6)`` and a target with a linear part and a curve."""
    X = np.random.default_rng(seed).uniform(-1, 1, size=(n, 6))
    return X, 20.0 + 3.0 * X[:, 0] - 2.0 * X[:, 1] + X[:, 2] ** 2


class SurrogateContract:
    @pytest.fixture
    def surrogate(self) -> Regressor:
        raise NotImplementedError

    def test_fit_returns_the_model_and_ranks_unseen_points(self, surrogate):
        X, y = smooth_data(120)
        fresh, truth = smooth_data(60, seed=1)
        predicted = surrogate.fit(X, y).predict(fresh).mean
        assert predicted.shape == (60,)
        assert np.corrcoef(predicted, truth)[0, 1] > 0.9
        assert np.abs(predicted.mean() - truth.mean()) < 1.0

    def test_features_of_deficient_rank_are_fitted(self, surrogate):
        # Of a search that ended with "SVD did not converge", on a processor of AMD's Zen.
        with np.load(DATA / "rank-deficient-features.npz") as stored:
            X = stored["X"].astype(np.float64)
        y = X @ np.random.default_rng(0).normal(size=X.shape[1])
        predicted = surrogate.fit(X, y).predict(X).mean
        assert np.corrcoef(predicted, y)[0, 1] > 0.9

    def test_predict_before_fit_is_refused(self, surrogate):
        with pytest.raises(NotFittedError, match="fit"):
            surrogate.predict(np.zeros((1, 6)))

    def test_fit_forgets_earlier_data(self, surrogate):
        X, y = smooth_data(40)
        once = surrogate.fit(X, y).predict(X).mean
        surrogate.fit(X[:, ::-1].copy(), -y)
        again = surrogate.fit(X, y).predict(X).mean
        np.testing.assert_array_equal(once, again)

    def test_fit_changes_none_of_its_arguments(self, surrogate):
        X, y = smooth_data(30)
        kept = X.copy(), y.copy()
        surrogate.fit(X, y).predict(X)
        np.testing.assert_array_equal(X, kept[0])
        np.testing.assert_array_equal(y, kept[1])

    def test_std_has_the_shape_of_the_mean_and_is_not_negative(self, surrogate):
        X, y = smooth_data(30)
        prediction = surrogate.fit(X, y).predict(X[:7])
        if prediction.std is not None:
            assert prediction.std.shape == prediction.mean.shape
            assert (prediction.std >= 0).all()

    def test_a_constant_target_is_predicted_as_that_constant(self, surrogate):
        X, _ = smooth_data(20)
        predicted = surrogate.fit(X, np.full(20, 7.5)).predict(X).mean
        np.testing.assert_allclose(predicted, 7.5, atol=1e-6)

    def test_constant_features_and_repeated_rows_do_no_harm(self, surrogate):
        X, y = smooth_data(20)
        X[:, 3] = 1.0
        X, y = np.concatenate([X, X]), np.concatenate([y, y])
        assert np.isfinite(surrogate.fit(X, y).predict(X).mean).all()

    def test_one_sample_is_enough_to_fit(self, surrogate):
        X, y = smooth_data(1)
        np.testing.assert_allclose(surrogate.fit(X, y).predict(X).mean, y, atol=1e-6)

    @pytest.mark.parametrize("fault", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_refused(self, surrogate, fault):
        X, y = smooth_data(10)
        y[3] = fault
        with pytest.raises(UsageError, match="finite"):
            surrogate.fit(X, y)

    def test_shapes_that_differ_and_no_data_are_refused(self, surrogate):
        X, y = smooth_data(10)
        with pytest.raises(UsageError, match=r"got \(10, 6\) and \(9,\)"):
            surrogate.fit(X, y[:9])
        with pytest.raises(UsageError):
            surrogate.fit(X[:0], y[:0])

"""Networks that learned nothing."""

import numpy as np

from edgewright.search.outliers import tamed, upper_fence

LEARNED = np.linspace(30.0, 40.0, 20)


def test_chance_is_beyond_the_fence_and_what_learned_is_not():
    y = np.concatenate([LEARNED, [90.0, 99.0]])
    fence = upper_fence(y)
    assert 40.0 < fence < 90.0
    np.testing.assert_array_equal(tamed(y)[:20], LEARNED)
    assert fence < tamed(y)[20] < tamed(y)[21] < 90.0


def test_order_is_kept():
    y = np.random.default_rng(0).standard_cauchy(200)
    np.testing.assert_array_equal(np.argsort(tamed(y)), np.argsort(y))


def test_few_or_constant_samples_have_no_outliers():
    for y in (np.array([1.0, 2.0, 1e9]), np.full(30, 5.0), np.zeros(0)):
        assert upper_fence(y) == np.inf
        np.testing.assert_array_equal(tamed(y), y)

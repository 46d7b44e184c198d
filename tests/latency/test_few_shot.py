import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.latency.few_shot import FewShot
from edgewright.latency.validation import spearman


def devices(n=300, n_devices=6, seed=0):
    """Return choices of cells, their features, and latencies of devices that weigh operators alike."""
    rng = np.random.default_rng(seed)
    ops = rng.integers(0, 4, (n, 6))
    one_hot = (ops[:, :, None] == np.arange(4)).astype(float)
    X = np.hstack([one_hot.reshape(n, -1), one_hot.sum(axis=1)])
    base = np.array([0.1, 0.5, 2.0, 5.0])
    costs = base * np.exp(0.2 * rng.standard_normal((n_devices, 6, 4)) * (base > 0.2))
    speed = np.exp(rng.standard_normal(n_devices))
    ms = speed * (2.0 + np.einsum("nvc,dvc->nd", one_hot, costs))
    return X, ms * np.exp(0.01 * rng.standard_normal(ms.shape)), (24, 4)


def test_ten_measurements_rank_a_new_device_and_say_how_far_to_trust_them():
    X, ms, groups = devices()
    inside = []
    for new in (0, 2, 4):
        prior = FewShot.learn(X[:200], np.delete(ms[:200], new, axis=1), groups=groups)
        found = prior.adapt(X[:10], ms[:10, new]).predict(X[200:])
        assert spearman(found.mean, ms[200:, new]) > 0.9
        assert np.abs(found.mean / ms[200:, new] - 1).mean() < 0.1
        inside.append((np.abs(found.mean - ms[200:, new]) < 1.96 * found.std).mean())
    assert 0.85 < np.mean(inside) < 1


def test_more_measurements_say_more():
    X, ms, groups = devices(seed=3)
    prior = FewShot.learn(X[:200], ms[:200, :5], groups=groups)
    errors = []
    for n in (5, 40):
        found = prior.adapt(X[:n], ms[:n, 5]).predict(X[200:])
        errors.append(np.abs(found.mean / ms[200:, 5] - 1).mean())
    assert errors[1] < errors[0]


def test_sources_may_have_measured_other_architectures_each():
    X, ms, groups = devices()
    partly = ms[:200, :5].copy()
    for column in range(5):
        partly[np.arange(200) % 5 == column, column] = np.nan
    found = FewShot.learn(X[:200], partly, groups=groups).adapt(X[:15], ms[:15, 5]).predict(X[200:])
    assert spearman(found.mean, ms[200:, 5]) > 0.9


def test_one_source_is_enough_to_begin_with():
    X, ms, _ = devices()
    found = FewShot.learn(X[:200], ms[:200, :1]).adapt(X[:15], ms[:15, 5]).predict(X[200:])
    assert spearman(found.mean, ms[200:, 5]) > 0.85


def test_chosen_architectures_are_of_the_middle_and_new():
    X, ms, groups = devices()
    prior = FewShot.learn(X[:200], ms[:200, :5], groups=groups)
    chosen = prior.choose(X[:200], 8)
    common = prior.points(X[:200]).common
    low, high = np.quantile(common, [0.09, 0.91])
    assert len(set(chosen)) == 8
    assert ((common[chosen] >= low) & (common[chosen] <= high)).all()
    assert not set(prior.choose(X[:200], 4, taken=chosen)) & set(chosen)


def test_what_cannot_be_learned_from_is_refused():
    X, ms, _ = devices(n=40)
    with pytest.raises(UsageError, match="at least one source"):
        FewShot.learn(X, ms[:, :0])
    bad = ms.copy()
    bad[3, 1] = -1.0
    bad[5:, 2] = np.nan
    with pytest.raises(
        UsageError, match="source 1 has 1 latencies that are not positive; source 2 has measured 5"
    ):
        FewShot.learn(X, bad)
    prior = FewShot.learn(X, ms)
    for wrong in (ms[:1, 0], np.array([1.0, np.nan]), np.array([1.0, 0.0])):
        with pytest.raises(UsageError, match="two or more positive latencies"):
            prior.adapt(X[: len(wrong)], wrong)

import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.regression.transfer import (
    Frame,
    Posterior,
    Task,
    choose,
    default_weights,
    kernels,
    learn_weights,
    prior_variance,
    unlike,
)
from edgewright.regression.transfer import _negative_log_likelihood as negative_log_likelihood


def problem(seed=0, n=200, n_sources=4, noise=0.02):
    """Return features, sources and a target that is a mix of them and of a feature of its own."""
    rng = np.random.default_rng(seed)
    F = rng.standard_normal((n, 6))
    base = F @ rng.standard_normal(6)
    Z = base[:, None] + F @ rng.standard_normal((6, n_sources)) * 0.5
    y = 3.0 + 0.2 * (base + 0.3 * (Z[:, 0] - base) + 0.4 * F[:, 0]) + noise * rng.standard_normal(n)
    return F, Z, y


def points_of(F, Z, groups=None):
    return Frame.of(F, Z, groups).points(F, Z)


def test_a_frame_gives_every_group_length_one_and_the_common_part_variance_one():
    F, Z, _ = problem()
    points = points_of(np.hstack([F, np.ones((len(F), 2))]), Z, (4, 4))
    assert [group.shape[1] for group in points.groups] == [4, 4]
    assert [float((group**2).sum(axis=1).mean()) for group in points.groups] == pytest.approx([1, 1])
    assert points.common.var() == pytest.approx(1)
    assert np.abs(points.apart.T @ points.common).max() < 1e-9 * len(F)


def test_the_prior_variance_is_the_diagonal_of_the_covariance():
    F, Z, _ = problem()
    points, weights = points_of(F, Z), default_weights(1)
    K = 1.0 + np.tensordot(weights[:-1], kernels(points, points), axes=1)
    assert prior_variance(weights, points) == pytest.approx(np.diag(K))
    assert np.linalg.eigvalsh(K).min() > -1e-8


def test_the_gradient_of_the_likelihood_is_its_derivative():
    F, Z, y = problem(n=20)
    points, log_weights = points_of(F, Z, (2, 4)), np.log(default_weights(2))
    parts, t, own = kernels(points, points), (y - y.mean()) / y.std(), np.linspace(1, 3, 20)
    _, gradient = negative_log_likelihood(log_weights, parts, t, own)
    for i, expected in enumerate(gradient):
        step = np.zeros(len(log_weights))
        step[i] = 1e-5
        up = negative_log_likelihood(log_weights + step, parts, t, own)[0]
        down = negative_log_likelihood(log_weights - step, parts, t, own)[0]
        assert (up - down) / 2e-5 == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_few_values_and_sources_say_more_than_few_values_alone():
    F, Z, y = problem()
    errors = []
    for sources in (Z, np.zeros((len(F), 0))):
        points = points_of(F, sources)
        found = Posterior(points.take(slice(0, 8)), y[:8], default_weights(1)).predict(points)
        errors.append(np.abs(found.mean - y)[8:].mean())
    assert errors[0] < 0.5 * errors[1]
    assert errors[0] < 0.3 * y.std()


def test_deviations_cover_what_was_not_seen():
    inside = []
    for seed in range(6):
        F, Z, y = problem(seed)
        points = points_of(F, Z)
        found = Posterior(points.take(slice(0, 30)), y[:30], default_weights(1)).predict(points)
        inside.append((np.abs(found.mean - y)[30:] < 1.96 * found.std[30:]).mean())
    assert 0.88 < np.mean(inside) <= 1


def test_one_value_that_is_far_off_does_not_bend_the_rest():
    F, Z, y = problem()
    points = points_of(F, Z)
    wrong = y[:12].copy()
    wrong[3] -= 4 * y.std()
    found, clean = (Posterior(points.take(slice(0, 12)), v, default_weights(1)) for v in (wrong, y[:12]))
    error, least = (np.abs(model.predict(points).mean - y)[12:].mean() for model in (found, clean))
    assert error < 3 * least
    assert error < 0.5 * y.std()


def test_leave_one_out_predicts_values_without_them():
    F, Z, y = problem()
    points = points_of(F, Z).take(slice(0, 15))
    stated = Posterior(points, y[:15], default_weights(1)).leave_one_out()
    error = np.abs(stated.mean - y[:15])
    assert 0 < error.mean() < 0.5 * y.std()
    assert (error < 4 * stated.std).all()


def test_the_same_values_give_the_same_posterior():
    F, Z, y = problem()
    points = points_of(F, Z)
    first, second = (Posterior(points.take(slice(0, 9)), y[:9], default_weights(1)) for _ in range(2))
    assert np.array_equal(first.predict(points).mean, second.predict(points).mean)


def test_equal_values_are_predicted_as_they_are():
    F, Z, _ = problem(n=30)
    points = points_of(F, Z)
    found = Posterior(points.take(slice(0, 5)), np.full(5, 2.5), default_weights(1)).predict(points)
    assert found.mean == pytest.approx(np.full(30, 2.5))


def test_learned_weights_tell_what_tasks_follow():
    F, Z, _ = problem(n=60)
    points = points_of(F, Z)
    rng = np.random.default_rng(1)
    follows = [Task(points, points.common + 0.05 * rng.standard_normal(60)) for _ in range(3)]
    apart = [Task(points, points.groups[0] @ rng.standard_normal(6)) for _ in range(3)]
    with_sources, by_features = (learn_weights(tasks, default_weights(1), 1.5) for tasks in (follows, apart))
    assert with_sources[0] / with_sources[2] > 10 * by_features[0] / by_features[2]
    assert np.array_equal(learn_weights([], default_weights(1), 1.5), default_weights(1))


def test_chosen_points_say_more_than_the_first_ones():
    F, Z, _ = problem()
    points, weights = points_of(F, Z), default_weights(1)
    chosen = choose(points, weights, 10)
    assert len(set(chosen)) == 10

    def left(rows):
        part = points.take(rows)
        K = 1.0 + np.tensordot(weights[:-1], kernels(part, part), axes=1) + weights[-1] * np.eye(len(rows))
        cross = 1.0 + np.tensordot(weights[:-1], kernels(points, part), axes=1)
        explained = np.einsum("ij,ij->i", cross @ np.linalg.inv(K), cross)
        return (prior_variance(weights, points) - explained).mean()

    assert left(chosen) < left(list(range(10)))
    more = choose(points, weights, 3, taken=chosen[:7])
    assert more == chosen[7:]
    assert len(choose(points.take(slice(0, 4)), weights, 9)) == 4


def test_twins_are_found():
    _, Z, _ = problem()
    twins = np.column_stack([Z, Z[:, 0] * 2 + 1])
    assert unlike(twins, 4, 0.99) == [1, 2, 3]
    assert unlike(Z[:, :1], 0, 0.99) == []


@pytest.mark.parametrize(
    ("F", "Z", "groups"),
    [
        (np.ones((3, 2)), np.ones((4, 1)), None),
        (np.ones((3, 2)), np.ones((3, 1)), (1,)),
        (np.ones((0, 2)), np.ones((0, 1)), None),
        (np.full((3, 2), np.nan), np.ones((3, 1)), None),
    ],
)
def test_a_pool_that_does_not_fit_is_refused(F, Z, groups):
    with pytest.raises(UsageError, match="pool"):
        Frame.of(F, Z, groups)


def test_values_that_are_not_finite_are_refused():
    F, Z, y = problem(n=5)
    with pytest.raises(UsageError, match="finite"):
        Posterior(points_of(F, Z), np.where(np.arange(5) == 2, np.nan, y), default_weights(1))

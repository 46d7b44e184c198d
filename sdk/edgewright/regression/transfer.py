"""Gaussian processes that begin with what related tasks have in common.

A task is a function of a few hundred points of which only a few values are known; sources are
functions that are known everywhere. Its prior covariance is a weighted sum of

- a constant,
- what the sources have in common, ``m(x) m(x')``,
- what each of them has apart from that, ``r(x) · r(x') / n_sources``,
- a linear kernel of each group of features,
- a Matérn 5/2 kernel of all features,
- noise.

The weights are learned from tasks that are known, by the marginal likelihood of their values
(Rasmussen & Williams 2006, eq. 5.8 and 5.9) summed over the tasks: hierarchical Bayes with one
weight a kernel, as multi-task Gaussian processes have it (Bonilla et al., NeurIPS 2007, eq. 1) with
the task covariance reduced to the sources' own functions. The chain rule makes that the sum of
predicting each value from those before it, so weights that serve the first few values win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgewright.errors import UsageError
from edgewright.regression.base import FloatArray, Prediction, check

CONSTANT = 1.0  # variance of the mean of standardised values
SQRT5 = float(np.sqrt(5.0))
# Where nothing else is known: common, apart, groups, smooth, noise. For standardised values.
DEFAULT_COMMON, DEFAULT_APART, DEFAULT_GROUP, DEFAULT_SMOOTH, DEFAULT_NOISE = 1.0, 0.2, 0.1, 0.05, 0.08
BOUNDS = (-12.0, 4.0)  # of a weight's logarithm
# Pseudo-observations behind the scale of the deviations: as few values as ten say little of it.
SCALE_STRENGTH = 6.0
CHUNK = 2_000  # points that are predicted at once
# Chosen by leaving out one source at a time on NAS-Bench-201, as benchmarks/bench_few_shot.py has them.
FREEDOM = 8.0
OWN_SPREAD = 1.0
N_DRAWS = 12
DRAW_SHARE = 0.6  # width of the draws, as a share of the spread
REWEIGHTINGS = 15


class Points(NamedTuple):
    """Points as the kernels see them."""

    common: FloatArray  # (n,)
    apart: FloatArray  # (n, n_sources)
    groups: tuple[FloatArray, ...]  # (n, width of the group) each
    smooth: FloatArray  # (n, n_features)

    def take(self, rows: slice | list[int] | NDArray[np.int64]) -> Points:
        """Return some of the points, by row."""
        picked = tuple(group[rows] for group in self.groups)
        return Points(self.common[rows], self.apart[rows], picked, self.smooth[rows])


@dataclass(frozen=True, slots=True)
class Frame:
    """Shift and scale that make points of features and source values, taken from a pool.

    A group's squared length is 1 on average, so that a weight means the same for wide groups and
    narrow ones; columns that are constant in the pool say nothing and are left out.

    Attributes:
        groups: widths of the groups of columns, which add up to the features.
        shift: mean of each feature, ``(n_features,)``.
        scale: factor of each feature, ``(n_features,)``; 0 for constant ones.
        source_shift: mean of each source, ``(n_sources,)``.
        source_scale: factor of each source, ``(n_sources,)``.
        common_scale: factor that gives the mean of the scaled sources variance 1.
        loading: of each scaled source on that mean, ``(n_sources,)``.
    """

    groups: tuple[int, ...]
    shift: FloatArray
    scale: FloatArray
    source_shift: FloatArray
    source_scale: FloatArray
    common_scale: float
    loading: FloatArray

    @classmethod
    def of(cls, F: FloatArray, Z: FloatArray, groups: Sequence[int] | None = None) -> Frame:
        """Return the frame of a pool.

        Args:
            F: features, ``(n, n_features)``.
            Z: values of the sources, ``(n, n_sources)``; may have no columns.
            groups: widths of groups of columns; one group where ``None``.

        Raises:
            UsageError: shapes differ, there are no rows, a value is not finite.
        """
        widths = tuple(groups) if groups is not None else (F.shape[1],)
        if F.ndim != 2 or Z.ndim != 2 or len(F) != len(Z) or not len(F) or sum(widths) != F.shape[1]:
            raise UsageError(
                f"a pool needs features (n, {sum(widths)}) and source values (n, n_sources) with n > 0, "
                f"got {F.shape} and {Z.shape}"
            )
        if not (np.isfinite(F).all() and np.isfinite(Z).all()):
            raise UsageError("features and source values of a pool must be finite")
        scale = _inverse(F.std(axis=0))
        start = 0
        for width in widths:
            part = slice(start, start + width)
            scale[part] /= np.sqrt(max(1, int(np.count_nonzero(scale[part]))))
            start += width
        source_scale = _inverse(Z.std(axis=0))
        scaled = (Z - Z.mean(axis=0)) * source_scale
        common = scaled.mean(axis=1) if Z.shape[1] else np.zeros(len(Z))
        common_scale = float(_inverse(np.array([common.std()]))[0])
        loading = scaled.T @ common * common_scale / len(Z)
        return cls(widths, F.mean(axis=0), scale, Z.mean(axis=0), source_scale, common_scale, loading)

    def points(self, F: FloatArray, Z: FloatArray) -> Points:
        """Return points of features ``(n, n_features)`` and source values ``(n, n_sources)``."""
        smooth = (F - self.shift) * self.scale
        scaled = (Z - self.source_shift) * self.source_scale
        n_sources = Z.shape[1]
        common = scaled.mean(axis=1) * self.common_scale if n_sources else np.zeros(len(F))
        apart = (scaled - common[:, None] * self.loading) / np.sqrt(max(1, n_sources))
        parts = np.split(smooth, np.cumsum(self.groups)[:-1], axis=1)
        return Points(common, apart, tuple(parts), smooth / np.sqrt(len(self.groups)))


def kernels(A: Points, B: Points) -> FloatArray:
    """Return each part of the covariance of two sets of points, ``(n_kernels, n, m)``."""
    squared = (A.smooth**2).sum(axis=1)[:, None] + (B.smooth**2).sum(axis=1) - 2.0 * A.smooth @ B.smooth.T
    r = SQRT5 * np.sqrt(np.maximum(squared, 0.0))
    return np.stack(
        [
            np.outer(A.common, B.common),
            A.apart @ B.apart.T,
            *(a @ b.T for a, b in zip(A.groups, B.groups, strict=True)),
            (1.0 + r + r**2 / 3.0) * np.exp(-r),
        ]
    )


def prior_variance(weights: FloatArray, A: Points) -> FloatArray:
    """Return the noise-free prior variance of points, ``(n,)``."""
    parts = [A.common**2, (A.apart**2).sum(axis=1), *((group**2).sum(axis=1) for group in A.groups)]
    variance: FloatArray = CONSTANT + weights[:-2] @ np.stack(parts) + weights[-2]
    return variance


def default_weights(n_groups: int) -> FloatArray:
    """Return the weights for which nothing was learned: a kernel each, and the noise."""
    groups = [DEFAULT_GROUP / n_groups] * n_groups
    return np.array([DEFAULT_COMMON, DEFAULT_APART, *groups, DEFAULT_SMOOTH, DEFAULT_NOISE])


class Task(NamedTuple):
    """Known values of a function; ``trust`` divides the noise of each, all 1 where ``None``."""

    points: Points
    values: FloatArray  # (n,)
    trust: FloatArray | None = None  # (n,)


def learn_weights(tasks: Sequence[Task], centre: FloatArray, spread: float) -> FloatArray:
    """Return the weights that make the tasks' values likely, each task standardised by itself.

    Args:
        tasks: of two values or more each; without any, ``centre`` is returned.
        centre: weights before any task is seen.
        spread: standard deviation of a weight's logarithm about that of ``centre``.

    Raises:
        UsageError: a task's shapes differ or a value is not finite.
    """
    # Imported here: what runs on a device predicts with weights that a host has learned.
    from scipy import optimize

    prepared = []
    for points, values, trust in tasks:
        check(points.smooth, values)
        shift, scale = _standard(values)
        own = np.ones(len(values)) if trust is None else 1.0 / trust
        prepared.append((kernels(points, points), (values - shift) / scale, own))
    if not prepared:
        return centre
    start = np.log(centre)

    def objective(log_weights: FloatArray) -> tuple[float, FloatArray]:
        distance = (log_weights - start) / spread
        value, gradient = 0.5 * float(distance @ distance), distance / spread
        for parts, t, own in prepared:
            found = _negative_log_likelihood(log_weights, parts, t, own)
            value, gradient = value + found[0], gradient + found[1]
        return value, gradient

    found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[BOUNDS] * len(start))
    weights: FloatArray = np.exp(np.asarray(found.x, dtype=np.float64))
    return weights


class Posterior:
    """What is known of a function once some of its values are.

    A few values say little of the weights, so there is a mixture: the most likely weights, which may
    leave ``weights`` by ``spread``, and draws about them, each counted by how likely it makes the values
    (importance sampling). Noise follows Student's t with :data:`FREEDOM` degrees of freedom, by expectation
    maximisation: one value that met a busy device may not bend the rest.

    Args:
        points: where values are known.
        values: what they are, ``(n,)``.
        weights: of the kernels and of the noise, before these values, ``(n_kernels + 1,)``.
        spread: standard deviation of a weight's logarithm about that of ``weights``.
        seed: of the draws.

    Raises:
        UsageError: shapes differ, there are no values, or one is not finite.
    """

    def __init__(
        self,
        points: Points,
        values: FloatArray,
        weights: FloatArray,
        *,
        spread: float = OWN_SPREAD,
        seed: int = 0,
    ) -> None:
        check(points.smooth, values)
        self.points, self.values = points, values
        self._shift, self._scale = _standard(values)
        t = (values - self._shift) / self._scale
        parts = kernels(points, points)
        # What weights that were learned elsewhere do not believe may not pass for noise everywhere.
        trust = _solve(_covariance(weights, parts), float(weights[-1]), t)[2]
        best = np.log(learn_weights([Task(points, values, trust)], weights, spread))
        wider = DRAW_SHARE * spread
        drawn = wider * np.random.default_rng(seed).standard_normal((N_DRAWS, len(best)))
        log_weights = np.clip(best + np.vstack([np.zeros(len(best)), drawn]), *BOUNDS)
        self.weights = np.exp(log_weights)  # (n_members, n_kernels + 1)
        likely = [-_negative_log_likelihood(member, parts, t, 1.0 / trust)[0] for member in log_weights]
        prior = -0.5 * (((log_weights - np.log(weights)) / spread) ** 2).sum(axis=1)
        proposed = -0.5 * (((log_weights - best) / wider) ** 2).sum(axis=1)
        share = np.array(likely) + prior - proposed
        self._share = np.exp(share - share.max())
        self._share /= self._share.sum()
        members = [_solve(_covariance(member, parts), float(member[-1]), t) for member in self.weights]
        self._inverse = np.stack([member[0] for member in members])  # (n_members, n, n)
        self._alpha = np.stack([member[1] for member in members])  # (n_members, n)
        # Standardising by so few values leaves the size of the deviations in doubt: inverse-gamma with the
        # weights' own size as prior.
        size = (SCALE_STRENGTH + self._alpha @ t) / (SCALE_STRENGTH + len(t))
        self._spread = np.sqrt(size)  # (n_members,)

    def predict(self, points: Points) -> Prediction:
        """Return the mean, and the standard deviation of a value with its noise, ``(m,)`` each."""
        m = len(points.common)
        parts = [self._predict(points.take(slice(i, i + CHUNK))) for i in range(0, max(m, 1), CHUNK)]
        return Prediction(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _predict(self, points: Points) -> tuple[FloatArray, FloatArray]:
        parts = kernels(points, self.points)  # (n_kernels, m, n)
        means, variances = [], []
        for weights, inverse, alpha in zip(self.weights, self._inverse, self._alpha, strict=True):
            K = _covariance(weights, parts)
            explained = np.einsum("ij,ij->i", K @ inverse, K)
            means.append(K @ alpha)
            variances.append(np.maximum(prior_variance(weights, points) - explained, 0.0) + weights[-1])
        return self._mixed(np.stack(means), np.stack(variances))

    def leave_one_out(self) -> Prediction:
        """Return each known value as the others predict it, with its deviation, ``(n,)`` each.

        Rasmussen & Williams 2006, eq. 5.12; the weights have seen all values.
        """
        t = (self.values - self._shift) / self._scale
        variances = 1.0 / np.diagonal(self._inverse, axis1=1, axis2=2)  # (n_members, n)
        return Prediction(*self._mixed(t - self._alpha * variances, variances))

    def _mixed(self, means: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation of the mixture of members ``(n_members, m)``."""
        mean = self._share @ means
        variance = self._share @ (variances * self._spread[:, None] ** 2 + (means - mean) ** 2)
        return mean * self._scale + self._shift, np.sqrt(variance) * self._scale


def _solve(K: FloatArray, noise: float, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the inverse of the noisy covariance, its product with ``t``, and what divides the noise."""
    trust: FloatArray = np.ones(len(t))
    inverse, alpha = np.eye(len(t)), t
    for _ in range(REWEIGHTINGS):
        own = noise / trust + 1e-8  # (n,)
        inverse = np.linalg.inv(K + np.diag(own)).astype(np.float64)  # of some tens of values
        alpha = inverse @ t
        expected = (own * alpha) ** 2 + own - own**2 * np.diag(inverse)  # squared noise of each value
        trust = (FREEDOM + 1.0) / (FREEDOM + expected / noise)
    return inverse, alpha, trust


def choose(points: Points, weights: FloatArray, n: int, taken: Sequence[int] = ()) -> list[int]:
    """Return which ``n`` points to measure so that all of them are known best, in order.

    Each is the one that lowers the sum of the posterior variances most (active learning, Cohn:
    Seo et al. 2000, eq. 6), which depends on where is measured and not on what is found.

    Args:
        points: the candidates; at most a few thousand.
        weights: of the kernels and of the noise.
        n: how many; fewer where there are fewer candidates.
        taken: rows that are measured already.
    """
    K = _covariance(weights, kernels(points, points))
    noise = float(weights[-1])
    free = np.ones(len(K), dtype=bool)
    chosen: list[int] = []
    for step in range(min(len(taken) + n, len(K))):
        variance = np.maximum(np.diag(K), 0.0) + noise
        if step < len(taken):
            best = taken[step]
        else:
            best = int(np.where(free, (K**2).sum(axis=0) / variance, -np.inf).argmax())
            chosen.append(best)
        free[best] = False
        K = K - np.outer(K[:, best], K[best]) / variance[best]
    return chosen


def unlike(Z: FloatArray, column: int, near: float) -> list[int]:
    """Return the columns of ``Z`` ``(n, k)`` whose correlation with one of them is below ``near``."""
    r = np.atleast_2d(np.corrcoef(Z.T))
    return [other for other in range(len(r)) if other != column and not r[column, other] >= near]


def _covariance(weights: FloatArray, parts: FloatArray) -> FloatArray:
    K: FloatArray = CONSTANT + np.tensordot(weights[:-1], parts, axes=1)
    return K


def _negative_log_likelihood(
    log_weights: FloatArray, parts: FloatArray, t: FloatArray, own: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log marginal likelihood, and its gradient by the logarithms of the weights.

    Args:
        log_weights: of the kernels and of the noise.
        parts: of the covariance, ``(n_kernels, n, n)``.
        t: standardised values, ``(n,)``.
        own: factor of the noise of each value, ``(n,)``.
    """
    weights, n = np.exp(log_weights), len(t)
    K = _covariance(weights, parts) + np.diag(weights[-1] * own + 1e-8)
    inverse = np.linalg.inv(K)
    alpha = inverse @ t
    value = 0.5 * float(t @ alpha) + 0.5 * float(np.linalg.slogdet(K)[1]) + 0.5 * n * np.log(2 * np.pi)
    W = inverse - np.outer(alpha, alpha)  # dL/dw = tr(W dK/dw) / 2
    by_kernel = np.tensordot(parts, W, axes=2) * weights[:-1]
    return value, 0.5 * np.append(by_kernel, np.diag(W) @ own * weights[-1])


def _standard(values: FloatArray) -> tuple[float, float]:
    """Return mean and deviation of values; 1 for the deviation of equal ones."""
    spread = float(values.std())
    return float(values.mean()), spread if spread > 1e-12 else 1.0


def _inverse(spread: FloatArray) -> FloatArray:
    """Return ``1 / spread``, 0 where it is 0."""
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)

"""Latency of a new device from a few measurements on it and the latencies of other devices.

1. Each source device gets a regression of its own, of the logarithm of its latencies on features
   of the architectures, so that it says something of architectures it has not measured.
2. The prior of a new device is a Gaussian process around what the sources say
   (:mod:`edgewright.regression.transfer`). How far a device follows the others, how far it goes its
   own way, and by which features, is learned by leaving out one source at a time: what the rest say
   of it, and what was measured on it. Sources that are nearly alike are left out together; a
   new device cannot count on a twin.
3. Ten to fifty measurements on the new device make that prior a posterior: a mean and a deviation
   for every architecture. Which to measure can be chosen beforehand (:meth:`FewShot.choose`).

Architectures come in as features, so nothing here knows a search space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgewright.errors import UsageError
from edgewright.regression.base import FloatArray, Prediction, Regressor
from edgewright.regression.transfer import (
    Frame,
    Points,
    Posterior,
    Task,
    choose,
    default_weights,
    learn_weights,
    unlike,
)

NEAR = 0.96  # correlation of two sources' log latencies above which they are left out together
TASK_SIZE = 40  # values of a source that a task shows: about what a new device will have
TASKS_PER_SOURCE = 5
SPREAD = 1.5  # of a weight's logarithm, before any source is seen
CENTRAL = 0.8  # share of the candidates that may be chosen; as HELP's protocol trims its pool
MIN_SOURCE = 10  # architectures that a source must have measured


@dataclass(frozen=True, slots=True)
class FewShot:
    """What other devices say of a new one before it is measured.

    Attributes:
        frame: scale of features and source predictions.
        weights: of the kernels, learned from the sources.
        sources: a fitted regression of the log latency of each source.
    """

    frame: Frame
    weights: FloatArray
    sources: tuple[Regressor, ...]

    @classmethod
    def learn(
        cls,
        X: FloatArray,
        source_ms: FloatArray,
        *,
        groups: Sequence[int] | None = None,
        seed: int = 0,
    ) -> FewShot:
        """Return the prior that source devices give.

        Args:
            X: features of a pool of architectures, ``(n, n_features)``.
            source_ms: latencies in ms, ``(n, n_sources)``; NaN where a source did not measure.
            groups: widths of groups of features that get a weight each, such as one-hot choices and
                counts of operators; one group where ``None``.
            seed: of the architectures that each source's tasks show.

        Raises:
            UsageError: there is no source, shapes differ, a latency is not positive, or a source
                measured fewer than :data:`MIN_SOURCE` architectures.
        """
        _check_sources(X, source_ms)
        known = ~np.isnan(source_ms)
        log_ms = np.log(np.where(known, source_ms, 1.0))
        models = [_source_model(X[rows], y[rows]) for rows, y in zip(known.T, log_ms.T, strict=True)]
        Z = np.stack([model.predict(X).mean for model in models], axis=1)
        rng = np.random.default_rng(seed)
        tasks = []
        for source in range(Z.shape[1]):
            others = unlike(Z, source, NEAR)
            points = Frame.of(X, Z[:, others], groups).points(X, Z[:, others])
            rows = np.flatnonzero(known[:, source])
            for _ in range(TASKS_PER_SOURCE if others else 0):
                shown = rng.permutation(rows)[:TASK_SIZE]
                tasks.append(Task(points.take(shown), log_ms[shown, source]))
        frame = Frame.of(X, Z, groups)
        weights = learn_weights(tasks, default_weights(len(frame.groups)), SPREAD)
        return cls(frame, weights, tuple(models))

    def adapt(self, X: FloatArray, latency_ms: FloatArray) -> FewShotPredictor:
        """Return the predictor of a device that was measured ``(n,)`` ms on ``X`` ``(n, n_features)``.

        Raises:
            UsageError: there are fewer than two measurements, or one is not a positive number.
        """
        if len(latency_ms) < 2 or not (np.isfinite(latency_ms).all() and (latency_ms > 0).all()):
            raise UsageError(
                f"a device is adapted to by two or more positive latencies, got {len(latency_ms)} of which "
                f"{int(np.sum(np.isfinite(latency_ms) & (latency_ms > 0)))} are positive"
            )
        return FewShotPredictor(self, Posterior(self.points(X), np.log(latency_ms), self.weights))

    def choose(self, X: FloatArray, n: int, taken: Sequence[int] = ()) -> list[int]:
        """Return the ``n`` rows of ``X`` ``(m, n_features)`` to measure, most telling first.

        Only candidates in the middle :data:`CENTRAL` of what the sources have in common are measured: at
        the ends lie networks that a runtime folds away or that do not fit its caches, and few
        measurements are better spent on what the others resemble.

        Args:
            X: candidates; at most a few thousand.
            n: how many; fewer where there are fewer candidates.
            taken: rows that are measured already.
        """
        points = self.points(X)
        order = np.argsort(points.common, kind="stable")
        margin = int(len(X) * (1 - CENTRAL) / 2)
        rows = np.union1d(order[margin : len(X) - margin], np.array(taken, dtype=np.int64))
        places = [int(np.searchsorted(rows, row)) for row in taken]
        return [int(rows[i]) for i in choose(points.take(rows), self.weights, n, places)]

    def predict_sources(self, X: FloatArray) -> FloatArray:
        """Return the log latency that each source predicts, ``(n, n_sources)``."""
        return np.stack([source.predict(X).mean for source in self.sources], axis=1)

    def points(self, X: FloatArray) -> Points:
        """Return architectures with features ``(n, n_features)`` as the prior sees them."""
        return self.frame.points(X, self.predict_sources(X))


@dataclass(frozen=True, slots=True)
class FewShotPredictor:
    """Latency of one device, as :meth:`FewShot.adapt` makes it.

    Attributes:
        prior: what the sources say.
        posterior: of the log latency.
    """

    prior: FewShot
    posterior: Posterior

    def predict(self, X: FloatArray) -> Prediction:
        """Return the median latency in ms and the deviation of a measured one, ``(n,)`` each."""
        return log_normal(self.posterior.predict(self.prior.points(X)))


def log_normal(of_log: Prediction) -> Prediction:
    """Return median and standard deviation in ms of predictions of the log latency."""
    assert of_log.std is not None
    median = np.exp(of_log.mean)
    variance = of_log.std**2
    return Prediction(median, median * np.sqrt(np.expm1(variance) * np.exp(variance)))


def _source_model(X: FloatArray, y: FloatArray) -> Regressor:
    # Imported here: it needs scipy, which a device that only predicts does not have.
    from edgewright.regression.gaussian_process import GaussianProcess

    return GaussianProcess().fit(X, y)


def _check_sources(X: FloatArray, source_ms: FloatArray) -> None:
    if X.ndim != 2 or source_ms.ndim != 2 or len(X) != len(source_ms) or not source_ms.shape[1]:
        raise UsageError(
            "sources need features (n, n_features) and latencies (n, n_sources) with at least one source, "
            f"got {X.shape} and {source_ms.shape}"
        )
    known = ~np.isnan(source_ms)
    wrong = known & ~((source_ms > 0) & np.isfinite(source_ms))
    faults = [
        f"source {i} has {count} latencies that are not positive"
        for i, count in enumerate(wrong.sum(axis=0))
        if count
    ]
    faults += [
        f"source {i} has measured {count} architectures, at least {MIN_SOURCE} are needed"
        for i, count in enumerate(known.sum(axis=0))
        if count < MIN_SOURCE
    ]
    if faults:
        raise UsageError("; ".join(faults))

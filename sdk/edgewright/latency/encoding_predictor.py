"""Predicted latency or energy of any network of a space, from whole networks that were measured.

The prior of a device is a Gaussian process of the logarithm of either
(:mod:`edgewright.regression.transfer`): around what other devices' tables say of a network, if there
are any, and smooth in its encoding. The measured networks make it a posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from edgewright.errors import MissingEntryError, TableError
from edgewright.latency.encoding_features import EncodingFeatures
from edgewright.latency.few_shot import log_normal
from edgewright.latency.model import LatencyModel, NetworkModel, SourceCosts
from edgewright.latency.predictor import NEVER_MS, LatencyPredictor
from edgewright.latency.records import NetworkRecord
from edgewright.latency.table import LatencyTable
from edgewright.latency.validation import validate
from edgewright.regression.base import Prediction
from edgewright.regression.transfer import (
    Frame,
    Points,
    Posterior,
    Task,
    default_weights,
    learn_weights,
    unlike,
)
from edgewright.spaces.architecture import Architecture, FloatArray, IntArray, Space
from edgewright.spaces.mobile import MobileSpace

# Whole networks of one space are measured to a per cent or two and range over a factor of ten.
NOISE = 0.01
SPREAD = 1.5  # of a weight's logarithm, before the device is seen
# Networks of one family take alike times everywhere; sources closer than this are as one.
NEAR = 0.999
MIN_TASK = 10  # networks that a source table must hold to say how far it follows the others
MIN_FIT = 2
_Model = TypeVar("_Model", bound=NetworkModel)


class SourceModel:
    """What other devices' tables say of the networks of a space.

    Args:
        space: the networks.
        sources: cost of each of its operators on other devices.

    Raises:
        TableError: a source has not as many costs as the space has operators.
    """

    def __init__(self, space: Space, sources: Sequence[SourceCosts]) -> None:
        index = {operator: i for i, operator in enumerate(space.all_operators())}
        wrong = [source.device for source in sources if len(source.costs_ms) != len(index)]
        if wrong:
            raise TableError(
                f"the costs of {', '.join(wrong)} are not those of the {len(index)} operators of {space.name}"
            )
        self._totals = [
            space.tabulate(lambda operator, costs=source.costs_ms: costs[index[operator]])  # type: ignore[misc]
            for source in sources
        ]

    def __call__(self, X: IntArray) -> FloatArray:
        """Return the log latency of encodings ``(n, n_var)`` on each source, ``(n, n_sources)``."""
        if not self._totals:
            return np.zeros((len(X), 0))
        return np.stack([np.log(total(X)) for total in self._totals], axis=1)


class EncodingPredictor:
    """Predicts from a :class:`~edgewright.latency.model.NetworkModel`, as a table's predictor does.

    The methods whose names end in ``_ms`` are of latency models.

    Args:
        model: of the device; may be that of a wider space.
        space: whose encodings are predicted.

    Raises:
        MissingEntryError: the model is of other networks.
        TableError: it holds too few.
    """

    def __init__(self, model: NetworkModel, space: Space) -> None:
        self.model, self.space = model, space
        self._own, self._resolutions = _own_space(model, space)
        self._features = EncodingFeatures(self._own)
        self._sources = SourceModel(self._own, model.sources)
        fitted = [record for record in model.networks if record.role == "fit"]
        if len(fitted) < MIN_FIT:
            raise TableError(
                f"{model.described()} holds {len(fitted)} networks, at least {MIN_FIT} are needed"
            )
        self._measured = np.stack([self._own.encode(record.architecture) for record in fitted])
        y = np.log([record.value for record in fitted])
        self.posterior = Posterior(self._points(self._measured), y, np.array(model.weights), spread=SPREAD)

    def predict(self, X: IntArray) -> Prediction:
        """Return the model's quantity for encodings ``(n, n_var)`` and its deviation, ``(n,)`` each.

        In the unit of its records' values: ms of a latency, mJ of an energy.
        """
        X = np.asarray(X)
        if self._resolutions is not None:
            X = np.concatenate([self._resolutions[X[:, :1]], X[:, 1:]], axis=1)
        return log_normal(self.posterior.predict(self._points(X)))

    def at_most(self, X: IntArray, z: float) -> FloatArray:
        """Return ``mean + z·std``, ``(n,)``: what to hold against a budget."""
        found = self.predict(X)
        assert found.std is not None
        total: FloatArray = found.mean + z * found.std
        return total

    def predict_ms(self, X: IntArray) -> FloatArray:
        """Return the latency of encodings ``(n, n_var)`` as ``(n,)``."""
        return self.predict(X).mean

    def std_ms(self, X: IntArray) -> FloatArray:
        """Return the standard deviation of a measured latency about :meth:`predict_ms`, ``(n,)``."""
        std = self.predict(X).std
        assert std is not None
        return std

    def at_most_ms(self, X: IntArray, z: float) -> FloatArray:
        """Return :meth:`at_most` of a latency, ``(n,)``."""
        return self.at_most(X, z)

    def predict_one(self, arch: Architecture) -> float:
        """Return the latency of one architecture. Raises ``ArchitectureError``."""
        return float(self.predict_ms(self.space.encode(arch)[None])[0])

    def rough(self, X: IntArray) -> FloatArray:
        """Return what the sources say on average, or the arithmetic where there are none, scaled, ``(n,)``.

        The scale is the median over the measured networks: what is known without any learning.
        """
        shift = float(np.median(self.posterior.values - self._said(self._measured)))
        rough: FloatArray = np.exp(self._said(X) + shift)
        return rough

    def _said(self, X: IntArray) -> FloatArray:
        said = self._sources(X)
        rough: FloatArray = said.mean(axis=1) if said.shape[1] else self._features(X)[:, 0]
        return rough

    @property
    def error(self) -> float:
        """Mean absolute relative error, as the model states it; NaN if unknown."""
        return self.model.error

    def _points(self, X: IntArray) -> Points:
        return self.model.frame.points(self._features(X), self._sources(X))


def source_costs(table: LatencyTable, space: Space) -> SourceCosts:
    """Return what a table says of the operators of a space.

    Raises:
        MissingEntryError: the table does not cover the space.
        TableError: operators of the space failed on that device.
    """
    predictor = LatencyPredictor(table, space)
    costs = [predictor.cost_ms(operator) for operator in space.all_operators()]
    if failed := sum(cost >= NEVER_MS for cost in costs):
        raise TableError(
            f"{failed} operators of {space.name} failed on {table.device} ({table.path}): it says nothing of "
            "networks that have them; leave that table out"
        )
    return SourceCosts(
        table.device, table.runtime_version, table.precision, table.table_id, tuple(map(float, costs))
    )


def prior_of(
    space: Space, pool: IntArray, sources: Sequence[SourceCosts], tables: Sequence[LatencyTable]
) -> tuple[Frame, FloatArray]:
    """Return the frame of a pool of encodings ``(n, n_var)`` and the weights that the sources teach.

    Each source table that holds enough whole networks is a task: what the others say of it, and what was
    measured. Without such tables the weights are the default.

    Args:
        space: of the encodings.
        pool: networks that stand for the space.
        sources: costs of the space's operators on other devices.
        tables: those sources' tables, in the same order.
    """
    features, said = EncodingFeatures(space), SourceModel(space, sources)
    F, Z = features(pool), said(pool)
    centre = default_weights(len(features.groups))
    centre[-1] = NOISE
    tasks = []
    for column, table in enumerate(tables):
        others = unlike(Z, column, NEAR)
        measured = [record for record in table.networks if _is_in(space, record)]
        if not others or len(measured) < MIN_TASK:
            continue
        X = np.stack([space.encode(record.architecture) for record in measured])
        frame = Frame.of(F, Z[:, others], features.groups)
        points = frame.points(features(X), said(X)[:, others])
        tasks.append(Task(points, np.log([record.measurement.median_ms for record in measured])))
    return Frame.of(F, Z, features.groups), learn_weights(tasks, centre, SPREAD)


def model_covers(model: NetworkModel, space: Space) -> bool:
    """Return whether every network of ``space`` is one of the model's space."""
    try:
        _own_space(model, space)
    except MissingEntryError:
        return False
    return True


def judged(model: _Model, space: Space) -> _Model:
    """Return the model with its error on its own networks: each from the others, and the held-out ones."""
    predictor = EncodingPredictor(model, space)
    fitted = [record for record in model.networks if record.role == "fit"]
    held_out = [record for record in model.networks if record.role == "validate"]
    y = np.array([record.value for record in fitted])
    alone = log_normal(predictor.posterior.leave_one_out()).mean
    model = replace(model, leave_one_out_percent=float(np.abs(alone / y - 1).mean() * 100))
    if not held_out:
        return replace(model, validation=None)
    X = np.stack([space.encode(record.architecture) for record in held_out])
    found = predictor.predict(X)
    measured = np.array([record.value for record in held_out])
    raw = predictor.rough(X)
    architectures = [record.architecture for record in held_out]
    validation = validate(architectures, measured, found.mean, raw, found.std)
    if not isinstance(model, LatencyModel):  # the worst networks are told in ms
        validation = replace(validation, worst=())
    return replace(model, validation=validation)


def _is_in(space: Space, record: NetworkRecord) -> bool:
    try:
        space.encode(record.architecture)
    except ValueError:
        return False
    return True


def _own_space(model: NetworkModel, space: Space) -> tuple[Space, IntArray | None]:
    """Return the space that a model was made for, and its index of each resolution of ``space``.

    Raises:
        MissingEntryError: ``space`` is no part of it.
    """
    if space.digest == model.space_digest:
        return space, None
    # Imported here: the registry makes every known space, which a table alone does without.
    from edgewright.spaces.registry import find_space

    own = find_space(model.space_name)
    mend = f"make one with `{model.command(space.name)}`"
    if (
        own.digest != model.space_digest
        or not isinstance(space, MobileSpace)
        or not set(space.resolutions) <= set(own.resolutions)
        or own.restrict(space.resolutions).digest != space.digest
    ):
        raise MissingEntryError(
            f"{model.described()} is of {model.space_name}, and {space.name} has networks that are not "
            f"in it; {mend}",
            [space.name],
        )
    return own, np.array([own.resolutions.index(side) for side in space.resolutions], dtype=np.int64)

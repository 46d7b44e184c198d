"""What an iteration proposes, and the protocol of what proposes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from edgewright.search.archive import Evaluation
from edgewright.search.config import SearchConfig
from edgewright.search.feasible import FeasibleSet
from edgewright.spaces.architecture import FloatArray, IntArray


class Proposal(NamedTuple):
    """The networks of an iteration."""

    X: IntArray  # (k, n_var); empty where every feasible network is evaluated
    predicted: FloatArray  # (k, n_evaluated); NaN where no surrogate chose the network
    surrogate: str | None = None
    out_of_fold_tau: float | None = None

    @property
    def errors(self) -> FloatArray:
        """Predictions of the first evaluated objective, ``(k,)``."""
        return self.predicted[:, 0]


class Method(Protocol):
    """Chooses the networks that are evaluated next."""

    def __call__(
        self,
        feasible: FeasibleSet,
        rows: Sequence[Evaluation],
        config: SearchConfig,
        rng: np.random.Generator,
    ) -> Proposal:
        """Return up to ``config.n_infill`` distinct feasible networks, none of which is in ``rows``.

        Called once in each iteration after the initial design. A pure function of its arguments, so
        that a killed search proposes the same again. Where it returns too few, random networks make
        up for them.

        Args:
            feasible: the networks within the budgets, with their space and problem.
            rows: all evaluations of earlier iterations, failures included, in the order of their ids.
            config: how the search goes.
            rng: the randomness of this iteration.
        """
        ...


def unpredicted(X: IntArray, feasible: FeasibleSet) -> Proposal:
    """Return the proposal of networks that no surrogate chose."""
    return Proposal(X, np.full((len(X), len(feasible.problem.evaluated)), np.nan))


def nothing(feasible: FeasibleSet) -> Proposal:
    """Return the proposal of no network, which leaves all to chance."""
    return unpredicted(feasible.anchor[None][:0], feasible)


def filled(
    proposal: Proposal, feasible: FeasibleSet, rows: Sequence[Evaluation], k: int, rng: np.random.Generator
) -> Proposal:
    """Return ``proposal`` with random feasible networks added up to ``k``; fewer where none are left."""
    missing = k - len(proposal.X)
    if missing <= 0:
        return proposal
    known = {row.x for row in rows} | {tuple(x) for x in proposal.X.tolist()}
    extra = unpredicted(feasible.fresh(rng, missing, known), feasible)
    return proposal._replace(
        X=np.concatenate([proposal.X, extra.X]),
        predicted=np.concatenate([proposal.predicted, extra.predicted]),
    )

"""SMAC3 and BoTorch for bench_search.py; both are slow, and installed by who wants to compare.

    pip install -c constraints.txt smac botorch

SMAC (arXiv:2109.09831) learns a random forest and joins the objectives by ParEGO, its own way for
several objectives; it is told every cost with the error.

BoTorch's qLogNEHVI (arXiv:2105.08195, arXiv:2310.20708) has a Gaussian process for the error alone:
like ours it knows the costs of what is not evaluated, as a deterministic model. Cells are one-hot,
the ordered choices of blocks are numbers within 0 and 1. Since choices are discrete, it picks among
300 random networks and the neighbours of its front, four at a time after 20 random ones. A fit starts
from the one before and ends after 100 steps, as its tutorials do; both only save time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.search.config import Cost
from edgewright.search.features import one_hot
from edgewright.search.pareto import front_indices
from edgewright.spaces import CellSpace
from edgewright.spaces.architecture import FloatArray, IntArray, SearchSpace

if TYPE_CHECKING:
    from search_methods import Ledger

N_INITIAL, N_BATCH, N_POOL = 20, 4, 300
#: Candidates of the best values alone, which a batch is picked from: the improvement of hypervolume
#: is submodular, so what adds little alone adds no more beside others.
N_BEST = 128
N_SAMPLES, N_AT_ONCE, MAX_STEPS = 64, 512, 100


def smac(ledger: Ledger, seed: int) -> list[float]:
    """Search with SMAC's facade for optimisation of hyperparameters."""
    from ConfigSpace import Categorical, ConfigurationSpace, Integer
    from joblib import parallel_config
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.multi_objective.parego import ParEGO
    from smac.runhistory.dataclasses import TrialValue

    space = ConfigurationSpace(seed=seed)
    categorical = isinstance(ledger.problem.space, CellSpace)
    names = [f"x{i}" for i in range(len(ledger.problem.space.n_choices))]
    for name, n in zip(names, ledger.problem.space.n_choices.tolist(), strict=True):
        choices = Categorical(name, list(range(n))) if categorical else Integer(name, (0, n - 1))
        space.add(choices)
    with TemporaryDirectory() as folder:
        scenario = Scenario(
            space,
            output_directory=folder,
            deterministic=True,
            objectives=list(ledger.problem.names),
            n_trials=50 * ledger.n,  # the ledger ends it: repeats are not charged
            seed=seed,
        )
        facade = HyperparameterOptimizationFacade(
            scenario,
            lambda config, seed=0: None,  # asked and told, never called
            multi_objective_algorithm=ParEGO(scenario),
            initial_design=HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=N_INITIAL),
            logging_level=logging.ERROR,
            overwrite=True,
        )
        with parallel_config(backend="sequential"):  # else it starts threads for each prediction
            while True:
                asked = facade.ask()
                x = np.array([[int(asked.config[name]) for name in names]])
                facade.tell(asked, TrialValue(cost=ledger(x)[0].tolist()))


def botorch(ledger: Ledger, seed: int) -> list[float]:
    """Search with BoTorch's noisy expected hypervolume improvement."""
    import torch
    from botorch import fit_gpytorch_mll
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.models import ModelList, SingleTaskGP
    from botorch.models.deterministic import GenericDeterministicModel
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling.get_sampler import get_sampler
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    space = ledger.problem.space
    coding = _Coding(space)
    costs = [GenericDeterministicModel(coding.told(cost)) for cost in ledger.problem.costs.values()]
    X = np.unique(space.sample(rng, N_INITIAL), axis=0)
    F: FloatArray = ledger(X)
    last: Any = None
    while True:
        known, Y = coding.tensor(X), torch.tensor(-F, dtype=torch.double)  # it maximises
        gp = SingleTaskGP(known, Y[:, :1])
        for new, old in zip(gp.parameters(), last.parameters() if last else (), strict=False):
            new.data.copy_(old.data)
        last = gp
        options = {"options": {"maxiter": MAX_STEPS}}
        fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp), optimizer_kwargs=options)
        model = ModelList(gp, *costs)
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=infer_reference_point(Y[front_indices(F)]).tolist(),
            X_baseline=known,
            prune_baseline=True,
            cache_root=False,  # it knows no models that are deterministic
            sampler=get_sampler(model.posterior(known[:1]), torch.Size([N_SAMPLES]), seed=seed),
        )
        pool = _candidates(ledger, X, F, rng)
        choices = coding.tensor(pool)
        with torch.no_grad():
            alone = torch.cat([acquisition(part[:, None]) for part in choices.split(N_AT_ONCE)])
        best = alone.topk(min(N_BEST, len(pool))).indices
        picked, _ = optimize_acqf_discrete(acquisition, q=N_BATCH, choices=choices[best])
        rows = [int(torch.argmin((choices - one).abs().sum(dim=1))) for one in picked]
        X, F = np.concatenate([X, pool[rows]]), np.concatenate([F, ledger(pool[rows])])


class _Coding:
    """Networks as a Gaussian process is told them: one-hot cells, ordered choices from 0 to 1."""

    def __init__(self, space: SearchSpace) -> None:
        self.n_choices = space.n_choices
        self.one_hot = isinstance(space, CellSpace)
        self.last = np.maximum(space.n_choices - 1, 1)

    def tensor(self, X: IntArray) -> Any:
        """Return encodings ``(n, n_var)`` as a tensor, ``(n, width)``."""
        import torch

        return torch.tensor(one_hot(X, self.n_choices) if self.one_hot else X / self.last, dtype=torch.double)

    def encodings(self, coded: FloatArray) -> IntArray:
        """Return the encodings of rows, ``(n, n_var)``: what :meth:`tensor` undoes."""
        if not self.one_hot:
            return np.rint(coded * self.last).astype(np.int64)
        parts = np.split(coded, np.cumsum(self.n_choices)[:-1], axis=1)
        return np.stack([part.argmax(axis=1) for part in parts], axis=1).astype(np.int64)

    def told(self, cost: Cost) -> Callable[[Any], Any]:
        """Return a cost of encodings as BoTorch asks for it, to be maximised: ``(..., 1)``."""
        import torch

        def values(coded: Any) -> Any:
            X = self.encodings(coded.detach().numpy().reshape(-1, coded.shape[-1]))
            return torch.tensor(-np.asarray(cost(X)), dtype=torch.double).reshape(*coded.shape[:-1], 1)

        return values


def _candidates(ledger: Ledger, X: IntArray, F: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return networks that are not evaluated: random ones and the front's neighbours."""
    space = ledger.problem.space
    near = [space.neighbours(x) for x in X[front_indices(F)]]
    pool = np.unique(np.concatenate([space.sample(rng, N_POOL), *near]), axis=0)
    return np.array([x for x in pool.tolist() if tuple(x) not in ledger.found], dtype=np.int64)

"""SMAC3 and BoTorch for bench_search.py; both are slow, and installed by who wants to compare.

    pip install -c constraints.txt smac botorch

SMAC (arXiv:2109.09831) learns a random forest and joins the objectives by ParEGO, its own way for
several objectives. BoTorch's qLogNEHVI (arXiv:2105.08195, arXiv:2310.20708) has one Gaussian process an
objective on one-hot choices; since choices are discrete, it picks among 1,000 random networks and the
neighbours of its front, four at a time after 20 random ones.
"""

from __future__ import annotations

import logging
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewright.search.features import one_hot
from edgewright.search.pareto import front_indices
from edgewright.spaces import CellSpace
from edgewright.spaces.architecture import FloatArray, IntArray

if TYPE_CHECKING:
    from search_methods import Ledger

N_INITIAL, N_BATCH, N_POOL = 20, 4, 1000


def smac(ledger: Ledger, seed: int) -> list[float]:
    """Search with SMAC's facade for optimisation of hyperparameters."""
    from ConfigSpace import Categorical, ConfigurationSpace, Integer
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
        while True:
            asked = facade.ask()
            x = np.array([[int(asked.config[name]) for name in names]])
            facade.tell(asked, TrialValue(cost=ledger(x)[0].tolist()))


def botorch(ledger: Ledger, seed: int) -> list[float]:
    """Search with BoTorch's noisy expected hypervolume improvement."""
    import torch
    from botorch import fit_gpytorch_mll
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms.outcome import Standardize
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling import SobolQMCNormalSampler
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from gpytorch.mlls import SumMarginalLogLikelihood

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    space = ledger.problem.space

    def hot(X: IntArray) -> Any:
        return torch.tensor(one_hot(X, space.n_choices), dtype=torch.double)

    X = np.unique(space.sample(rng, N_INITIAL), axis=0)
    F: FloatArray = ledger(X)
    while True:
        known, Y = hot(X), torch.tensor(-F, dtype=torch.double)  # it maximises
        parts = [SingleTaskGP(known, y[:, None], outcome_transform=Standardize(1)) for y in Y.T]
        model = ModelListGP(*parts)
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=infer_reference_point(Y[front_indices(F)]).tolist(),
            X_baseline=known,
            prune_baseline=True,
            sampler=SobolQMCNormalSampler(torch.Size([64]), seed=seed),
        )
        pool = _candidates(ledger, X, F, rng)
        choices = hot(pool)
        picked, _ = optimize_acqf_discrete(acquisition, q=N_BATCH, choices=choices, max_batch_size=512)
        rows = [int(torch.argmin((choices - one).abs().sum(dim=1))) for one in picked]
        new = pool[rows]
        X, F = np.concatenate([X, new]), np.concatenate([F, ledger(new)])


def _candidates(ledger: Ledger, X: IntArray, F: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return networks that are not evaluated: random ones and the front's neighbours."""
    space = ledger.problem.space
    near = [space.neighbours(x) for x in X[front_indices(F)]]
    pool = np.unique(np.concatenate([space.sample(rng, N_POOL), *near]), axis=0)
    return np.array([x for x in pool.tolist() if tuple(x) not in ledger.found], dtype=np.int64)

"""The search against random search and plain NSGA-II, at equal numbers of true evaluations."""

import numpy as np
import pytest
from doubles.ofa_problem import OfaProblem, data_folder
from doubles.search_baselines import nsga2_search, random_search
from doubles.search_problems import SyntheticProblem

from edgewright.search import Archive, SearchConfig, run_search
from edgewright.search.hypervolume import hypervolume


def edgewright_search(problem, cost, n, seed):
    with Archive.open(None) as archive:
        run_search(
            problem.space,
            evaluate=problem.error,
            objectives={"cpu": cost},
            budgets={},
            archive=archive,
            config=SearchConfig(evaluations=n, seed=seed),
        )
        return archive.F


def volumes(fronts):
    """Return each method's hypervolume, objectives scaled to the range that all of them span."""
    together = np.concatenate(list(fronts.values()))
    low, high = together.min(axis=0), together.max(axis=0)
    return {name: hypervolume((F - low) / (high - low), np.full(2, 1.1)) for name, F in fronts.items()}


def test_on_a_synthetic_supernet_fewer_evaluations_beat_random_and_nsga2_with_more():
    problem = SyntheticProblem()

    def objectives(X):
        return np.column_stack([problem.error(X), problem.latency(X)])

    found = volumes(
        {
            "edgewright": edgewright_search(problem, problem.latency, 80, 0),
            "nsga2": nsga2_search(problem.space, objectives, 200, 0),
            "random": random_search(problem.space, objectives, 200, 0),
        }
    )
    assert found["edgewright"] > found["nsga2"]
    assert found["edgewright"] > found["random"]


@pytest.mark.shared
@pytest.mark.parametrize("seed", [0, 1])
def test_on_ofa_with_the_note10_table_100_evaluations_beat_350_of_nsga2_and_random(seed):
    folder = data_folder()
    if folder is None:
        pytest.skip("no ../shared/data; give its place in EDGEWRIGHT_DATA")
    problem = OfaProblem(folder)

    def objectives(X):
        return np.column_stack([problem.error(X), problem.latency(X)])

    found = volumes(
        {
            "edgewright": edgewright_search(problem, problem.latency, 104, seed),
            "nsga2": nsga2_search(problem.space, objectives, 350, seed),
            "random": random_search(problem.space, objectives, 350, seed),
        }
    )
    assert found["edgewright"] > found["nsga2"] > found["random"]


@pytest.mark.shared
def test_the_note10_problem_prices_every_network_between_its_ends():
    folder = data_folder()
    if folder is None:
        pytest.skip("no ../shared/data; give its place in EDGEWRIGHT_DATA")
    problem = OfaProblem(folder)
    low, high = (
        problem.latency(problem.space.encode(arch)[None])[0]
        for arch in (problem.space.smallest(), problem.space.largest())
    )
    assert low < 30.0 < high
    X = problem.space.sample(np.random.default_rng(0), 50)
    assert ((problem.latency(X) > low) & (problem.latency(X) < high)).all()
    assert (problem.error(X) > 10).all()

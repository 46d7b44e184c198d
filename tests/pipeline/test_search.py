import numpy as np
import pytest
from doubles.tiny_chain import BUDGET, EVALUATIONS

from edgewright.errors import BudgetError, InfeasibleBudgetError, RunError, UsageError
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.costs import macs
from edgewright.pipeline.front import load_front
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.search import SearchOptions, search_run
from edgewright.pipeline.size_cost import size_bytes
from edgewright.pipeline.trained import TrainedRun
from edgewright.search.budget import QUANTITIES
from edgewright.search.config import SearchConfig
from edgewright.search.feasible import minimise


def options(chain, **changes):
    defaults = {"evaluations": 4, "tables": chain.tables, "surrogate": "ridge"}
    return SearchOptions(**(defaults | changes))


def test_every_row_is_the_networks_own_error_and_costs(chain):
    trained = TrainedRun.open(chain.run)
    predictor = LatencyPredictor(LatencyTable.load(chain.table("cpu")), trained.space)
    members = load_front(chain.run).members
    assert len(members) == EVALUATIONS
    for member in members[:: EVALUATIONS // 3]:
        assert member.costs["error"] == trained.evaluate(member.architecture).error
        assert member.costs["cpu"] == predictor.predict_one(member.architecture)


def test_smallest_and_largest_are_among_the_first(chain):
    space = chain.space
    members = load_front(chain.run).members[:2]
    assert {member.architecture for member in members} == {space.smallest(), space.largest()}


def test_only_networks_within_every_budget_are_evaluated(chain, trained_only):
    space = chain.space
    predictor = LatencyPredictor(LatencyTable.load(chain.table("cpu")), space)
    ends = [predictor.predict_one(arch) for arch in (space.smallest(), space.largest())]
    middle = ends[0] + 0.3 * (ends[1] - ends[0])
    X = np.stack([space.encode(space.smallest()), space.encode(space.largest())])
    m = float(macs(space)(X).mean())
    found = search_run(
        trained_only, options(chain, evaluations=12, budget=f"cpu={middle}ms,macs={m},size=1MB")
    )
    rows = found.front.members
    assert len(rows) == 12
    assert {"error", "cpu", "macs", "size"} == rows[0].costs.keys()
    assert found.front.objectives == ("error", "cpu"), "what is only counted is only limited"
    for row in rows:
        # A device's budget is held with the uncertainty of its prediction.
        assert row.costs["cpu"] < predictor.at_most_ms(np.array([row.x]), 1.96)[0] <= middle * (1 + 1e-9)
        assert row.costs["macs"] <= m
        assert row.costs["size"] <= 1e6
    expected = size_bytes(space, [("onnxruntime", "fp32")])(np.array([rows[0].x]))[0]
    assert rows[0].costs["size"] == expected


def test_without_budgets_macs_stand_for_cost(chain, trained_only):
    assert search_run(trained_only, options(chain)).front.objectives == ("error", "macs")


def test_names_of_every_kind_can_be_minimised(chain, trained_only):
    names = ("litert", *QUANTITIES)
    found = search_run(trained_only, options(chain, objectives=",".join(names)))
    assert found.front.objectives == ("error", *names)
    assert found.devices == ("litert",)
    assert 0 <= found.hypervolume <= 1
    assert f"{len(found.front.members)} networks evaluated" in found.text()


def test_the_same_seed_gives_the_same_archive_and_another_does_not(chain, trained_only):
    found = [
        [
            m.x
            for m in search_run(
                trained_only, options(chain, name=name, seed=seed, evaluations=8)
            ).front.members
        ]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert found[0] == found[1] != found[2]


def test_what_is_not_given_is_the_searchs_own_and_stays_as_the_archive_has_it():
    usual = SearchConfig()
    for name in ("method", "design", "pre_screening", "surrogate", "archive_policy", "archive_size"):
        assert getattr(SearchOptions().to_config(), name) == getattr(usual, name)
    for name in ("inner", "infill", "n_infill", "seed"):
        assert getattr(SearchOptions().to_config(), name) == getattr(usual, name)
    assert SearchOptions(evaluations=300).to_config().n_initial == usual.n_initial
    assert SearchOptions(evaluations=8).to_config().n_initial == 8
    plain = SearchOptions(method="nsga2", n_initial=20).to_config()
    assert plain.n_infill == plain.n_initial == 20
    recorded = {"n_initial": 33, "n_infill": 7}
    kept = SearchOptions(evaluations=10).to_config(recorded)
    assert (kept.n_initial, kept.n_infill) == (33, 7)
    assert SearchOptions(n_initial=5, n_infill=2).to_config(recorded).n_infill == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": None, "workers": "2"}, "budget must be a text, got None; workers must be a whole number"),
        ({"objectives": ["size"]}, r"objectives must be a text, got \['size'\]"),
        ({"evaluations": "6"}, "evaluations must be a whole number, got '6'"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"time_limit_s": "5"}, "time_limit_s must be a number, got '5'"),
        ({"epsilon": "2/255"}, "epsilon must be a number, got '2/255'"),
        ({"name": None}, "name must be a text, got None"),
        ({"tables": 3}, "tables must be a path, got 3"),
        ({"z": float("nan")}, "z must be a number of standard deviations of at least 0, got nan"),
    ],
)
def test_options_of_another_kind_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        SearchOptions(**given)


def test_folders_may_be_texts_and_numbers_numpys(chain, trained_only):
    given = {"budget": "cpu=50ms", "evaluations": 2, "surrogate": "ridge"}
    kinds = {"tables": str(chain.tables), "seed": np.int64(3), "z": np.float32(1.5)}
    found = search_run(str(trained_only), SearchOptions(**given, **kinds))
    assert found.front.meta["seed"] == 3
    assert load_front(str(trained_only)).members == found.front.members


def test_a_refusal_comes_before_anything_is_written(chain, trained_only):
    with pytest.raises(InfeasibleBudgetError, match="the least is"):
        search_run(trained_only, options(chain, budget="cpu=1us"))
    with pytest.raises(BudgetError):
        search_run(trained_only, options(chain, budget="cpu=1MB"))
    assert not (trained_only / "searches").exists()


def test_a_budget_that_is_met_by_the_prediction_but_not_with_its_uncertainty_is_refused(chain, trained_only):
    predictor = LatencyPredictor(LatencyTable.load(chain.table("cpu")), chain.space)
    # Not always the smallest network.
    _, least = minimise(chain.space, predictor.predict_ms)
    _, certain = minimise(chain.space, lambda X: predictor.at_most_ms(X, 1.96))
    assert certain > 1.001 * least, "else there is no such budget"
    between = (least + certain) / 2
    with pytest.raises(InfeasibleBudgetError):
        search_run(trained_only, options(chain, budget=f"cpu={between}ms"))
    met = search_run(trained_only, options(chain, name="z", evaluations=1, budget=f"cpu={between}ms", z=0.0))
    assert len(met.front.members) == 1
    met = search_run(trained_only, options(chain, evaluations=1, budget=f"cpu={certain * 1.01}ms"))
    assert len(met.front.members) == 1


def test_an_archive_in_which_another_process_searches_is_left_alone(chain, own_run):
    folder = own_run / "searches" / "default"
    asked = options(chain, budget=BUDGET, evaluations=EVALUATIONS, surrogate="auto")
    with exclusive(folder), pytest.raises(RunError, match="another process"):
        search_run(own_run, asked)
    assert len(search_run(own_run, asked).front.members) == EVALUATIONS


def test_a_search_that_is_refused_leaves_what_describes_it(chain, trained_only):
    found = search_run(trained_only, options(chain, budget="cpu=50ms"))
    described = (found.folder / "search.json").read_bytes()
    for change in ({"z": 0.5}, {"infill": "subset"}, {"method": "random"}, {"seed": 7}):
        with pytest.raises(RunError, match="made with other inputs"):
            search_run(trained_only, options(chain, budget="cpu=50ms", evaluations=9, **change))
        assert (found.folder / "search.json").read_bytes() == described

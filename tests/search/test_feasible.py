import numpy as np
import pytest
from doubles.search_problems import ListSpace, SyntheticProblem

from edgewright.errors import InfeasibleBudgetError, UsageError
from edgewright.search import Problem
from edgewright.search.budget import format_cost
from edgewright.search.design import DESIGNS, balanced
from edgewright.search.feasible import minimise, require_feasible
from edgewright.spaces import find_space
from edgewright.spaces.architecture import enumerate_space

PROBLEM = SyntheticProblem()
SPACE = PROBLEM.space


def limited(**limits):
    costs = {"macs": PROBLEM.macs, "params": PROBLEM.params, "cpu": PROBLEM.latency}
    return Problem({name: costs[name] for name in limits}, limits, {})


def least(cost):
    return minimise(SPACE, cost)[1]


def test_the_minimum_of_an_additive_cost_is_exact():
    smallest = SPACE.encode(SPACE.smallest())
    assert least(PROBLEM.macs) == PROBLEM.macs(smallest[None])[0]
    # A cost whose least is nowhere near the smallest network, resolution by resolution.
    odd = SPACE.tabulate(lambda op: float(hash((op.kernel_size, op.mid_channels, op.in_size)) % 97 + 1))
    best = np.inf
    for r in range(len(SPACE.resolutions)):
        per_slot = odd.blocks[r].reshape(SPACE.n_slots, -1).min(axis=1).reshape(len(SPACE.stages), -1)
        prefix = per_slot.cumsum(axis=1)[:, [d - 1 for d in SPACE.depths]]
        best = min(best, odd.fixed[r] + prefix.min(axis=1).sum())
    assert least(odd) == pytest.approx(best)


def test_an_infeasible_budget_is_answered_with_a_value_that_is_feasible():
    with pytest.raises(InfeasibleBudgetError) as caught:
        require_feasible(SPACE, limited(cpu=1e-6))
    message = str(caught.value)
    assert "mobilenetv3-small-image" in message
    value = float(message.split("the least is ")[1].split(" ms")[0])
    assert value >= least(PROBLEM.latency)
    assert value == pytest.approx(least(PROBLEM.latency), rel=2e-3)
    require_feasible(SPACE, limited(cpu=value))


def test_every_infeasible_budget_is_named():
    with pytest.raises(InfeasibleBudgetError) as caught:
        require_feasible(SPACE, limited(cpu=1e-6, params=10.0, macs=1e12))
    assert "cpu" in str(caught.value)
    assert "params" in str(caught.value)
    assert "macs" not in str(caught.value)


def test_what_stands_in_the_way_of_a_budget_is_named():
    def parts(x):
        operators = SPACE.operators(SPACE.decode(x))
        return [(f"operator {i}", float(op.macs)) for i, op in enumerate(operators)]

    problem = Problem({"macs": PROBLEM.macs}, {"macs": 10.0}, {}, parts={"macs": parts})
    with pytest.raises(InfeasibleBudgetError) as caught:
        require_feasible(SPACE, problem)
    sizes = [op.macs for op in SPACE.operators(SPACE.smallest())]
    assert f"of which operator {int(np.argmax(sizes))} takes {format_cost('macs', max(sizes))}; " in str(
        caught.value
    )


def test_an_own_cost_is_told_in_its_own_unit():
    space = ListSpace(9)
    up, down = (lambda X: X[:, 0] + 1.0), (lambda X: 9.0 - X[:, 0])
    costs, units = {"watts": up, "writes": down}, {"watts": "W", "writes": ""}
    alone = Problem(costs, {"watts": 0.5}, {}, parts={"watts": lambda x: [("the fan", 1.0)]}, units=units)
    with pytest.raises(
        InfeasibleBudgetError, match=r"watts <= 0\.5 W: the least is 1 W, of which the fan takes 1 W; "
    ):
        require_feasible(space, alone)
    together = Problem(costs, {"watts": 3.0, "writes": 6.5}, {}, units=units)
    with pytest.raises(InfeasibleBudgetError, match=r"writes 7\.\d+ \(budget 6\.5\)"):
        require_feasible(space, together)


def test_of_budgets_that_exclude_each_other_the_exceeded_one_names_what_stands_in_its_way():
    space = ListSpace(9)
    up, down = (lambda X: X[:, 0] + 1.0), (lambda X: 9.0 - X[:, 0])
    parts = {"macs": lambda x: [("the first", float(x[0]) + 1)], "params": lambda x: [("it all", 9.0 - x[0])]}
    problem = Problem({"macs": up, "params": down}, {"macs": 3.0, "params": 6.5}, {}, parts=parts)
    with pytest.raises(InfeasibleBudgetError, match=r"nearest has .*of which it all takes 7"):
        require_feasible(space, problem)


@pytest.mark.parametrize("choices", [[], [3, 0, 2, 0]])
def test_a_space_without_networks_is_refused(choices):
    space = ListSpace(1)
    space.n_choices = np.array(choices, dtype=np.int64)
    named = "variable 1, 3 has no choice" if choices else "no variable"
    with pytest.raises(UsageError, match=f"space list has no network: .*{named}"):
        require_feasible(space, Problem({}, {}, {}))


@pytest.mark.parametrize(
    ("cost", "named"),
    [
        (lambda X: np.where(X[:, 0] == 2, np.nan, 1.0), r"of network \[2\] is nan"),
        (lambda X: np.where(X[:, 0] == 2, np.inf, 1.0), r"of network \[2\] is inf"),
        (lambda X: X[:, 0] - 1.0, r"of network \[0\] is -1"),
        (lambda X: np.ones((len(X), 2)), r"shape \(\d+, 2\), expected"),
    ],
)
def test_a_cost_that_is_no_cost_is_refused(cost, named):
    with pytest.raises(UsageError, match=f"the cost 'macs' .*{named}"):
        require_feasible(ListSpace(5), Problem({"macs": cost}, {"macs": 3.0}, {}))


def test_budgets_that_exclude_each_other_are_told_so():
    space = ListSpace(9)
    up, down = (lambda X: X[:, 0] + 1.0), (lambda X: 9.0 - X[:, 0])
    problem = Problem({"macs": up, "params": down}, {"macs": 3.0, "params": 3.0}, {})
    with pytest.raises(InfeasibleBudgetError, match="each budget can be met alone"):
        require_feasible(space, problem)


def test_pull_keeps_feasible_rows_and_mends_the_others():
    feasible = require_feasible(SPACE, limited(macs=least(PROBLEM.macs) * 1.5))
    rng = np.random.default_rng(0)
    X = np.concatenate([SPACE.sample(rng, 50), SPACE.encode(SPACE.smallest())[None]])
    pulled = feasible.pull(X, rng)
    assert feasible.contains(pulled).all()
    inside = feasible.contains(X)
    np.testing.assert_array_equal(pulled[inside], X[inside])
    np.testing.assert_array_equal(SPACE.repair(pulled), pulled)
    assert len(np.unique(pulled, axis=0)) > 10


def test_a_budget_just_above_the_minimum_still_yields_distinct_networks():
    feasible = require_feasible(SPACE, limited(macs=least(PROBLEM.macs) * 1.02))
    X = feasible.fresh(np.random.default_rng(0), 6, frozenset())
    assert len(np.unique(X, axis=0)) == len(X) >= 3
    assert feasible.contains(X).all()


def test_fresh_networks_are_new_until_none_are_left():
    space = ListSpace(5)
    feasible = require_feasible(space, Problem({}, {}, {}))
    rng = np.random.default_rng(0)
    assert sorted(feasible.fresh(rng, 9, frozenset({(1,)})).ravel().tolist()) == [0, 2, 3, 4]
    assert feasible.fresh(rng, 3, frozenset((i,) for i in range(5))).shape == (0, 1)


def test_neighbours_differ_in_one_choice_and_are_canonical():
    x = SPACE.encode(SPACE.largest())
    near = SPACE.neighbours(x)
    np.testing.assert_array_equal(SPACE.repair(near), near)
    assert (near != x).any(axis=1).all()
    assert len(near) == int((SPACE.n_choices - 1).sum())


def test_only_small_spaces_are_enumerated():
    assert enumerate_space(find_space("mobilenetv3-w1.0")) is None
    assert enumerate_space(ListSpace(4)).ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("limits", [{}, {"macs": 4e6}, {"macs": 4e6, "params": 3.5e5}])
def test_the_design_holds_both_ends_and_only_distinct_feasible_networks(limits):
    feasible = require_feasible(SPACE, limited(**limits))
    X = balanced(feasible, 40, np.random.default_rng(1))
    assert X.shape == (40, len(SPACE.n_choices))
    assert len(np.unique(X, axis=0)) == 40
    assert feasible.contains(X).all()
    assert X[0].tolist() == SPACE.encode(SPACE.smallest()).tolist()
    if not limits:
        assert X[1].tolist() == SPACE.encode(SPACE.largest()).tolist()
    # Depths of all stages occur about equally often where no budget keeps them small.
    if not limits:
        shares = [(X[:, 1:4] == depth).mean() for depth in range(3)]
        assert min(shares) > 0.15


def test_the_design_spans_the_costs_that_a_budget_leaves():
    limit = 6e6
    feasible = require_feasible(SPACE, limited(macs=limit))
    macs = PROBLEM.macs(balanced(feasible, 40, np.random.default_rng(1)))
    low = least(PROBLEM.macs)
    assert macs.min() < low + 0.1 * (limit - low)
    assert macs.max() > low + 0.9 * (limit - low)


def test_a_design_larger_than_the_space_is_the_space():
    feasible = require_feasible(ListSpace(3), Problem({}, {}, {}))
    X = balanced(feasible, 10, np.random.default_rng(0))
    assert sorted(X.ravel().tolist()) == [0, 1, 2]


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_is_distinct_feasible_and_as_large_as_asked(name):
    feasible = require_feasible(SPACE, limited(macs=4e6))
    X = DESIGNS[name](feasible, 30, np.random.default_rng(3))
    assert len(np.unique(X, axis=0)) == 30
    assert feasible.contains(X).all()
    np.testing.assert_array_equal(X, DESIGNS[name](feasible, 30, np.random.default_rng(3)))


def test_a_latin_design_has_each_choice_equally_often():
    feasible = require_feasible(SPACE, Problem({}, {}, {}))
    X = DESIGNS["latin"](feasible, 24, np.random.default_rng(0))
    depths = X[:, 1 : 1 + len(SPACE.stages)]
    for column in depths.T:
        assert np.bincount(column, minlength=3).tolist() == [8, 8, 8]


def test_where_little_is_feasible_and_a_space_cannot_be_listed_the_rest_is_found_beside_what_was_seen():
    smallest = SPACE.encode(SPACE.smallest())
    limit = float(PROBLEM.macs(SPACE.neighbours(smallest)).min() * 1.02)
    feasible = require_feasible(SPACE, limited(macs=limit))
    assert feasible.members is None
    seen, rng = set(), np.random.default_rng(0)
    for _ in range(40):
        found = feasible.fresh(rng, 2, seen)
        if len(found) == 0:
            break
        seen |= {tuple(x) for x in found.tolist()}
    assert (PROBLEM.macs(np.array(sorted(seen))) <= limit).all()
    near = SPACE.neighbours(smallest)
    assert {tuple(x) for x in near[feasible.contains(near)].tolist()} <= seen | {tuple(smallest.tolist())}

import numpy as np
import pytest

from edgewright.spaces import find_space, mobile_costs


@pytest.mark.parametrize("name", ["mobilenetv3-w1.0", "mobilenetv3-small-image@16+24:7"])
def test_lists_of_stages_give_the_sum_over_operators(name, monkeypatch):
    space = find_space(name)
    rng = np.random.default_rng(0)
    cost = {operator: rng.random() for operator in space.all_operators()}
    X = space.sample(rng, 300)
    expected = [sum(cost[operator] for operator in space.operators(space.decode(x))) for x in X]
    table = space.tabulate(cost.__getitem__)
    assert table(X) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(mobile_costs, "_MAX_ENTRIES", 10)
    assert table(X) == pytest.approx(expected, rel=1e-12)


def test_a_cost_does_not_depend_on_its_neighbours(monkeypatch):
    space = find_space("mobilenetv3-w1.2@160+192")
    table = space.tabulate(lambda operator: operator.macs * 1.1e-6)
    X = space.sample(np.random.default_rng(1), 9000)
    together = table(X)
    assert (np.concatenate([table(X[:1]), table(X[1:5000]), table(X[5000:])]) == together).all()
    assert len(table(X[:0])) == 0


def test_values_of_slots_that_are_not_built_do_not_count():
    space = find_space("mobilenetv3-w1.0@160")
    table = space.tabulate(lambda operator: float(operator.macs))
    x = space.encode(space.smallest())
    start = 1 + len(space.stages)
    other = x.copy()
    inactive = ~np.tile(space.active_slots(x[None])[0], 2)
    other[start:][inactive] = 1
    assert table(other[None]) == table(x[None])

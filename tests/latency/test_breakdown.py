import pytest
from doubles.fake_device import FakeDevice

from edgewright.latency.breakdown import breakdown
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space


def test_costs_are_in_order_and_sum_to_the_prediction(tmp_path):
    device, space = FakeDevice(), find_space("mobilenetv3-small-image@16:4")
    config = ProfileConfig(passes=1, rounds=2, n_fit=4, n_validate=4)
    table = profile_space(space, device.target(space), journal=tmp_path / "j", config=config)
    for arch in (space.smallest(), space.largest()):
        costs = breakdown(table, space, arch)
        assert [cost.operator for cost in costs] == list(space.operators(arch))
        assert costs[0].label == "stem"
        assert costs[-1].label == "head"
        assert len({cost.label for cost in costs}) == len(costs)
        total = LatencyPredictor(table, space).predict_one(arch)
        assert sum(cost.cost_ms for cost in costs) == pytest.approx(total)

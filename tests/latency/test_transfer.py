import json

import numpy as np
import pytest
from doubles.fake_device import FakeDevice
from doubles.fake_spaces import small_space

from edgewright.errors import MissingEntryError, RunError, RuntimeFailureError, UsageError
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.latency.transfer import measure_transfer, plan_transfer

CONFIG = ProfileConfig(passes=2, rounds=3, n_fit=8, n_validate=4, network_segment=4, max_repeats=0)


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def table(space, tmp_path_factory):
    journal = tmp_path_factory.mktemp("t") / "j"
    return profile_space(space, FakeDevice().target(space), journal=journal, config=CONFIG)


def test_what_is_measured_is_distinct_and_spread(space, table):
    plan = plan_transfer(space, [table], n_samples=10, n_validate=6)
    archs = [network.architecture for network in plan.networks]
    assert len(set(archs)) == 16
    assert [network.role for network in plan.networks] == ["fit"] * 10 + ["validate"] * 6
    cost = space.tabulate(lambda op: float(op.macs))
    fitted = cost(np.stack([space.encode(a) for a in archs[:10]]))
    assert fitted.max() / fitted.min() > 3


def test_the_same_seed_plans_the_same_networks(space, table):
    first, second, other = (
        plan_transfer(space, [table], n_samples=8, n_validate=3, seed=seed).networks for seed in (1, 1, 2)
    )
    assert first == second != other


def test_no_operator_is_measured(space, table, tmp_path):
    device = FakeDevice()
    plan = plan_transfer(space, [table], n_samples=6, n_validate=0)
    model = measure_transfer(space, device.target(space), plan, journal=tmp_path / "j", config=CONFIG)
    assert not device.builds
    assert len(model.networks) == 6
    assert model.validation is None
    assert model.error == pytest.approx(model.leave_one_out_percent / 100)


def test_a_killed_run_goes_on_and_measures_nothing_twice(space, table, tmp_path):
    plan = plan_transfer(space, [table], n_samples=8, n_validate=4)
    killed = FakeDevice()
    fatal = 1200

    def kill(run):
        if run == fatal:
            raise KilledError

    killed.disturbance = kill
    with pytest.raises(KilledError):
        measure_transfer(space, killed.target(space), plan, journal=tmp_path / "j", config=CONFIG)
    segments = [
        r for r in map(json.loads, (tmp_path / "j").read_text().splitlines()) if r["kind"] == "segment"
    ]
    assert segments
    model = measure_transfer(space, FakeDevice().target(space), plan, journal=tmp_path / "j", config=CONFIG)
    assert len(model.networks) == 12
    target = FakeDevice().target(space)
    undisturbed = measure_transfer(space, target, plan, journal=tmp_path / "other", config=CONFIG)
    counts = [[record.measurement.n for record in found.networks] for found in (model, undisturbed)]
    assert counts[0] == counts[1]


def test_a_journal_of_other_networks_is_not_used(space, table, tmp_path):
    for n, refused in ((6, False), (7, True)):
        plan = plan_transfer(space, [table], n_samples=n, n_validate=0)
        target = FakeDevice().target(space)
        if refused:
            with pytest.raises(RunError, match="networks is"):
                measure_transfer(space, target, plan, journal=tmp_path / "j", config=CONFIG)
        else:
            measure_transfer(space, target, plan, journal=tmp_path / "j", config=CONFIG)


def test_too_few_networks_that_run_are_refused(space, table, tmp_path):
    plan = plan_transfer(space, [table], n_samples=6, n_validate=0)
    device = FakeDevice(broken=frozenset({""}))  # the key of whole networks
    with pytest.raises(RuntimeFailureError, match="ran none of the 6 networks"):
        measure_transfer(space, device.target(space), plan, journal=tmp_path / "j", config=CONFIG)


@pytest.mark.parametrize(
    ("n_samples", "n_validate", "sources", "said"),
    [
        (3, 0, True, "at least 4 are needed; give --samples 4"),
        (9, 0, False, "at least 10 are needed; give --samples 10"),
        (10, -1, True, "say too little"),
        (200, 200, True, "more than the 300"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(space, table, n_samples, n_validate, sources, said):
    with pytest.raises(UsageError, match=said):
        plan_transfer(space, [table] if sources else [], n_samples=n_samples, n_validate=n_validate)


def test_a_table_of_another_space_is_refused(table):
    with pytest.raises(MissingEntryError, match="lacks"):
        plan_transfer(small_space(), [table], n_samples=10, n_validate=0)

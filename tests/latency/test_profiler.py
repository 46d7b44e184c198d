import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from doubles.fake_device import FINGERPRINT, FakeDevice, law_ms, measured_law_ms
from doubles.fake_spaces import small_space
from doubles.quick_profile import CONFIG, run, visits

import edgewright
from edgewright.errors import RunError, RuntimeFailureError, StorageError, UsageError
from edgewright.latency import stopwatch
from edgewright.latency.local_runner import LocalRunner
from edgewright.latency.predictor import NEVER_MS, LatencyPredictor
from edgewright.latency.profiler import profile_space
from edgewright.latency.stopwatch import Stopwatch
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import PRESETS, ProfileConfig
from edgewright.spaces.architecture import Architecture
from edgewright.spaces.operator import with_leads

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def space():
    return small_space()


def test_every_operator_of_the_space_is_measured_by_its_law(space, tmp_path):
    table = run(space, FakeDevice(), tmp_path)
    assert set(table.entries) == set(with_leads(space.all_operators()))
    assert not table.failures
    for operator, entry in table.entries.items():
        assert entry.median_ms == pytest.approx(measured_law_ms(operator), abs=1e-4)
        assert entry.warm.n == CONFIG.passes * CONFIG.rounds


def test_the_correction_makes_networks_right_that_it_has_not_seen(space, tmp_path):
    table = run(space, FakeDevice(noise=0.01), tmp_path)
    assert table.validation.n == 8
    assert table.validation.raw_mape_percent > 5
    assert table.validation.mape_percent < 1
    assert table.validation.spearman > 0.98
    assert LatencyPredictor(table, space).error == pytest.approx(table.validation.mape_percent / 100)


def test_networks_of_both_roles_differ(space, tmp_path):
    networks = run(space, FakeDevice(), tmp_path).networks
    fitted = {record.architecture for record in networks if record.role == "fit"}
    judged = {record.architecture for record in networks if record.role == "validate"}
    assert len(fitted) == len(judged) == 8
    assert not fitted & judged


def test_each_artifact_is_built_once_though_it_is_visited_in_every_pass(space, tmp_path):
    device = FakeDevice()
    run(space, device, tmp_path)
    assert set(device.builds.values()) == {1}


def test_artifacts_are_gone_at_the_end_and_the_journal_stays(space, tmp_path):
    run(space, FakeDevice(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_an_operator_that_cannot_be_built_or_run_is_a_failure_with_its_reason(space, tmp_path):
    refused, broken = space.block(0, 8, 3, 3), space.block(1, 12, 5, 4)
    device = FakeDevice(refused=frozenset([refused.key]), broken=frozenset([broken.key]))
    table = run(space, device, tmp_path)
    assert "does not know such an operator" in table.failures[refused].reason
    assert "illegal instruction" in table.failures[broken].reason
    assert len(table.entries) == len(with_leads(space.all_operators())) - 2
    X = space.sample(np.random.default_rng(0), 200)
    assert (LatencyPredictor(table, space).predict_ms(X) >= NEVER_MS).any()


def test_a_device_that_runs_nothing_ends_the_profile_with_the_first_reason(space, tmp_path):
    device = FakeDevice(refused=frozenset(op.key for op in space.all_operators()))
    with pytest.raises(RuntimeFailureError, match=r"none of the .* does not know such an operator"):
        run(space, device, tmp_path)


def test_a_full_disk_ends_the_profile(space, tmp_path):
    device = FakeDevice()
    target = device.target(space)

    def full(operator, path):
        raise StorageError("no space left")

    with pytest.raises(StorageError, match="no space left"):
        profile_space(space, replace(target, build=full), journal=tmp_path / "j", config=CONFIG)


def test_an_interrupted_profile_measures_only_what_is_missing(space, tmp_path):
    device = FakeDevice()
    seen = []

    def stop(done, total, what):
        seen.append((done, total))
        if len(seen) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(space, device, tmp_path, progress=stop)
    before = visits(tmp_path / "j")
    assert before
    table = run(space, FakeDevice(), tmp_path)
    after = visits(tmp_path / "j")
    assert set(table.entries) == set(with_leads(space.all_operators()))
    assert set(after.values()) == {CONFIG.passes}
    assert all(after[key] >= count for key, count in before.items())


def test_a_finished_journal_measures_nothing_again(space, tmp_path):
    first = run(space, FakeDevice(), tmp_path)
    device = FakeDevice()
    second = run(space, device, tmp_path)
    assert device.runs == 0
    assert second.entries == first.entries
    assert second.validation == first.validation
    assert second.created_utc == first.created_utc


def test_a_torn_last_line_is_measured_again(space, tmp_path):
    run(space, FakeDevice(), tmp_path)
    journal = tmp_path / "j"
    journal.write_bytes(journal.read_bytes()[:-40])
    device = FakeDevice()
    table = run(space, device, tmp_path)
    assert device.runs > 0
    assert set(table.entries) == set(with_leads(space.all_operators()))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 5}, "seed is 0 there, 5 here"),
        ({"config": replace(CONFIG, rounds=4)}, "settings is"),
        ({"space": small_space(n_classes=7)}, "space digest is"),
        ({"device": FakeDevice().elsewhere(cores=64)}, "machine is"),
        ({"device": FakeDevice(version="fake 2.0")}, "runtime is fake 1.0 there, fake 2.0 here"),
    ],
)
def test_a_journal_of_another_profile_is_refused_and_left_alone(change, named, space, tmp_path):
    run(space, FakeDevice(), tmp_path)
    before = (tmp_path / "j").read_bytes()
    options = {"space": space, "device": FakeDevice(), **change}
    with pytest.raises(RunError, match=named):
        run(options.pop("space"), options.pop("device"), tmp_path, **options)
    assert (tmp_path / "j").read_bytes() == before


def test_a_segment_that_met_a_busy_machine_is_measured_again(space, tmp_path):
    device = FakeDevice()
    device.disturbance = lambda n: device.clock.advance_ms(0.5) if 400 < n < 1200 else None
    table = run(space, device, tmp_path)
    for operator, entry in table.entries.items():
        assert entry.median_ms == pytest.approx(measured_law_ms(operator), abs=1e-4)
    tainted = [t for e in table.entries.values() for t in e.warm.dropped.times_ms().get("t", ())]
    assert tainted, "what was measured again is told, not averaged in"
    assert all(e.warm.dropped.n == e.warm.n_dropped for e in table.entries.values())
    assert LatencyTable.load(table.save(tmp_path / "t.json").path).entries == table.entries


def test_what_was_measured_while_the_machine_held_itself_back_is_told_and_measured_again(space, tmp_path):
    device = FakeDevice(throttled=("under-voltage",))
    table = run(space, device, tmp_path)
    assert {entry.verdict for entry in table.entries.values()} == {"throttled"}
    assert table.networks[0].measurement.throttled == ("under-voltage",)
    assert set(visits(tmp_path / "j").values()) == {CONFIG.passes + CONFIG.max_repeats}


def test_an_operator_that_takes_the_process_down_again_and_again_is_given_up(space, tmp_path):
    operator = space.block(1, 8, 3, 3)
    run_until_stopped(space, tmp_path)
    journal = tmp_path / "j"
    lines = [{"kind": "trying", "key": operator.key}, {"kind": "started"}] * 3
    with journal.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    table = run(space, FakeDevice(), tmp_path)
    assert "took the process down 3 times" in table.failures[operator].reason


def run_until_stopped(space, path):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(space, FakeDevice(), path, progress=stop)


def test_progress_grows_to_its_total(space, tmp_path):
    seen = []
    run(space, FakeDevice(), tmp_path, progress=lambda done, total, what: seen.append((done, total, what)))
    assert seen[0][0] == 0
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert len({total for _, total, _ in seen}) == 1
    assert seen[-1][0] <= seen[-1][1]


def test_the_same_seed_measures_the_same_networks(space, tmp_path):
    def networks(name, seed):
        (tmp_path / name).mkdir()
        table = run(space, FakeDevice(), tmp_path / name, seed=seed)
        return [record.architecture for record in table.networks]

    assert set(networks("a", 3)) == set(networks("b", 3)) != set(networks("c", 4))


def test_a_space_of_one_network_can_be_profiled(tmp_path):
    space = small_space(resolutions=(8,), depths=(1,), kernel_sizes=(3,), expands=(3,))
    table = run(space, FakeDevice(), tmp_path)
    assert len(table.networks) == 1
    assert table.validation is None
    assert LatencyPredictor(table, space).predict_one(space.smallest()) > 0


def test_a_profile_without_networks_is_the_plain_sum(space, tmp_path):
    table = run(space, FakeDevice(), tmp_path, config=replace(CONFIG, n_fit=0, n_validate=0))
    arch: Architecture = space.largest()
    calls = len(space.operators(arch)) - 1  # of one call in each operator, the network keeps one
    expected = sum(law_ms(operator) for operator in space.operators(arch)) - 0.005 * calls
    assert LatencyPredictor(table, space).predict_one(arch) == pytest.approx(expected, rel=0.01)


def test_the_table_tells_where_and_how_it_was_measured(space, tmp_path):
    table = run(space, FakeDevice(), tmp_path)
    assert table.fingerprint == FINGERPRINT
    assert (table.device, table.runtime_version, table.precision) == ("fake", "fake 1.0", "fp32")
    assert table.space_digest == space.digest
    assert table.settings["rounds"] == CONFIG.rounds
    assert table.anchor.operator in table.entries
    assert table.anchor.medians_ms


def test_presets_grow_in_thoroughness():
    quick, default, thorough = (PRESETS[name] for name in ("quick", "default", "thorough"))
    for name in ("passes", "rounds", "n_fit", "n_validate"):
        assert getattr(quick, name) <= getattr(default, name) <= getattr(thorough, name)


def test_an_empty_plan_is_refused(space, tmp_path):
    with pytest.raises(UsageError, match="at least one pass"):
        run(space, FakeDevice(), tmp_path, config=replace(CONFIG, passes=0))


def test_an_unfinished_profile_of_an_older_journal_is_gone_on_with(tmp_path):
    lines = (DATA / "profile-journal-2.jsonl").read_text("utf-8").splitlines()
    header = json.loads(lines[0])
    assert header["schema"] == 2
    header["identity"]["edgewright"] = edgewright.__version__
    (tmp_path / "j").write_text("\n".join([json.dumps(header), *lines[1:], ""]), "utf-8")
    space = small_space(resolutions=(8,), kernel_sizes=(3, 5), expands=(3,))
    device = FakeDevice()
    config = ProfileConfig(
        passes=1, rounds=2, n_fit=3, n_validate=1, network_visits=1, network_rounds=1, max_repeats=0
    )
    table = run(space, device, tmp_path, config=config)
    assert not device.builds, "its operators were measured by the older edgewright"
    assert {entry.warm.moments for entry in table.entries.values()} == {()}
    table = LatencyTable.load(table.save(tmp_path / "table.json").path)
    assert table.n_operators == len(space.all_operators())


def test_what_disturbed_the_samples_and_how_the_machine_was_is_in_the_table(space, tmp_path):
    device = FakeDevice()

    def preempt_some(n):
        device.preempted += n % 97 == 0

    device.disturbance = preempt_some
    table = run(space, device, tmp_path)
    parts = [part for entry in table.entries.values() for part in (entry.warm, entry.cold)]
    assert sum(part.n_dropped for part in parts) > 0
    assert all(part.dropped.n == part.n_dropped for part in parts)
    assert {mark for part in parts for mark in part.dropped.times_ms()} == {"1"}
    assert all(len(part.moments) == CONFIG.passes for part in parts)
    assert sum(moment.n_preemptions for part in parts for moment in part.moments) > 0
    assert {moment.before.clock_mhz for part in parts for moment in part.moments} == {1000.0}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins")
def test_what_is_measured_runs_on_the_processors_that_are_asked_for(space, tmp_path):
    device, seen, before = FakeDevice(), set(), os.sched_getaffinity(0)
    cpu = min(before)
    device.disturbance = lambda n: seen.add(frozenset(os.sched_getaffinity(0)))
    target = replace(device.target(space), runner=LocalRunner(device, machine=device, affinity=[cpu]))
    table = profile_space(space, target, journal=tmp_path / "j", config=CONFIG)
    assert seen == {frozenset([cpu])}
    assert os.sched_getaffinity(0) == before
    assert LatencyTable.load(table.save(tmp_path / "t.json").path).affinity == (cpu,)
    with pytest.raises(RunError, match=r"affinity is \[.*\] there, None here"):
        run(space, FakeDevice(), tmp_path)


@pytest.mark.parametrize(("per_run", "told"), [(None, 0), (0, 0), (1, 1)])
def test_preemptions_that_only_the_scheduler_tells_are_in_the_table(space, tmp_path, per_run, told):
    device = FakeDevice(told=None if per_run is None else 5)

    def preempt(n):
        if per_run is not None:
            device.told += per_run

    device.disturbance = preempt
    table = run(space, device, tmp_path)
    moments = [moment for entry in table.entries.values() for moment in entry.warm.moments]
    assert all((moment.n_preemptions > 0) == bool(told) for moment in moments)


def test_a_machine_that_tells_of_no_preemptions_is_said_to_tell_nothing(space, tmp_path, monkeypatch):
    device = FakeDevice()
    monkeypatch.setattr(device, "stopwatch", lambda threads: Stopwatch(device.clock))
    monkeypatch.setattr(stopwatch, "resource", None)
    table = run(space, device, tmp_path)
    moments = [moment for entry in table.entries.values() for moment in entry.warm.moments]
    assert {moment.n_preemptions for moment in moments} == {None}

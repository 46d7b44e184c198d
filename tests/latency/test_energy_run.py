import json

import numpy as np
import pytest
from doubles.fake_device import FakeDevice, network_law_ms
from doubles.sensors import IDLE_W, SENSOR, ZONE, energy_mj, metered_device

from edgewright.errors import DeviceUnavailableError, RunError, RuntimeFailureError
from edgewright.latency.encoding_predictor import EncodingPredictor, source_costs
from edgewright.latency.energy_run import VISITS, measure_energies
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.latency.transfer import plan_transfer

CONFIG = ProfileConfig(passes=1, rounds=3, n_fit=8, n_validate=4, max_repeats=0)


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def source(space, tmp_path_factory):
    """What a latency table of the device says of its operators."""
    journal = tmp_path_factory.mktemp("t") / "j"
    table = profile_space(space, FakeDevice().target(space), journal=journal, config=CONFIG)
    return source_costs(table, space)


@pytest.fixture
def device(monkeypatch, tmp_path):
    return metered_device(monkeypatch, tmp_path / "root")


def few(space, source, n_samples=6, n_validate=0):
    return plan_transfer(space, [], more=[source], n_samples=n_samples, n_validate=n_validate)


def energies(journal):
    lines = map(json.loads, journal.read_text("utf-8").splitlines())
    return [line for line in lines if line["kind"] == "energy"]


def test_a_latency_table_and_few_networks_tell_the_energy_of_the_rest(space, source, device, tmp_path):
    plan = few(space, source, 12, 8)
    model = measure_energies(space, device.target(space), plan, journal=tmp_path / "j")
    assert model.sensor == SENSOR
    for record in model.networks:
        ms = network_law_ms(space, record.architecture)
        assert len(record.visits) == VISITS
        assert record.value == pytest.approx(energy_mj(ms), rel=0.02)
        assert record.visits[0].idle_power_mw == pytest.approx(IDLE_W * 1e3)
        assert not record.noisy
    X = space.sample(np.random.default_rng(5), 100)
    truth = np.array([energy_mj(network_law_ms(space, space.decode(x))) for x in X])
    predictor = EncodingPredictor(model, space)
    assert np.abs(predictor.predict(X).mean / truth - 1).mean() < 0.03
    assert (predictor.at_most(X, 1.96) >= truth).mean() > 0.9
    assert model.validation.n == 8
    assert model.validation.worst == (), "which are told in ms"
    assert predictor.error == pytest.approx(model.validation.mape_percent / 100)
    assert model.leave_one_out_percent < 5
    assert json.loads(json.dumps(model.summary()))["sensor"] == SENSOR


def test_without_a_latency_table_more_networks_are_enough(space, device, tmp_path):
    plan = plan_transfer(space, [], n_samples=30, n_validate=10)
    model = measure_energies(space, device.target(space), plan, journal=tmp_path / "j", visits=1)
    assert model.sources == ()
    assert model.validation.mape_percent < 10


def test_a_killed_run_goes_on_and_loses_only_what_it_was_at(space, source, device, tmp_path):
    plan, n = few(space, source), 0

    def kill(run):
        nonlocal n
        n += 1
        if n == 500:
            raise KilledError

    device.disturbance = kill
    with pytest.raises(KilledError):
        measure_energies(space, device.target(space), plan, journal=tmp_path / "j")
    before = energies(tmp_path / "j")
    assert before
    with (tmp_path / "j").open("a") as stream:
        stream.write('{"kind": "ener')  # a write that the power cut tore apart
    told = []
    model = measure_energies(
        space,
        device.target(space),
        plan,
        journal=tmp_path / "j",
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert energies(tmp_path / "j")[: len(before)] == before
    assert len(energies(tmp_path / "j")) == 6 * VISITS
    assert told[0] == (len(before), 6 * VISITS, SENSOR)
    assert [len(record.visits) for record in model.networks] == [VISITS] * 6


def test_a_journal_of_another_sensor_or_other_networks_is_not_used(space, source, device, tmp_path):
    measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")
    with pytest.raises(RunError, match="networks is"):
        measure_energies(space, device.target(space), few(space, source, 7), journal=tmp_path / "j")
    (tmp_path / "root" / ZONE.lstrip("/") / "name").write_text("package-1\n")
    with pytest.raises(RunError, match="sensor is RAPL package-0 there, RAPL package-1 here"):
        measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")


def test_nothing_is_built_or_measured_without_a_sensor(space, source, device, tmp_path):
    for path in (tmp_path / "root" / ZONE.lstrip("/")).iterdir():
        path.unlink()
    with pytest.raises(DeviceUnavailableError, match="energy of fake cannot be measured: no energy sensor"):
        measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")
    assert device.runs == 0
    assert not (tmp_path / "j").exists()


def test_a_sensor_that_stops_telling_ends_the_run_and_keeps_what_it_told(space, source, device, tmp_path):
    counter = tmp_path / "root" / ZONE.lstrip("/") / "energy_uj"

    def lose(run):
        if run == 500:
            device.clock.spend = lambda mj: counter.unlink(missing_ok=True)

    device.disturbance = lose
    with pytest.raises(DeviceUnavailableError, match="the same command goes on"):
        measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")
    assert energies(tmp_path / "j")


def test_a_counter_that_stands_still_is_no_sensor(space, source, device, tmp_path):
    device.clock.spend = lambda mj: None
    with pytest.raises(DeviceUnavailableError, match="does not count: 0 mJ in"):
        measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")


def test_too_few_networks_that_run_are_refused(space, source, monkeypatch, tmp_path):
    device = metered_device(monkeypatch, tmp_path / "root", broken=frozenset({""}))
    with pytest.raises(RuntimeFailureError, match=r"ran 0 of the networks .* illegal instruction"):
        measure_energies(space, device.target(space), few(space, source), journal=tmp_path / "j")


def test_a_network_that_ends_the_process_again_and_again_has_failed(space, source, device, tmp_path):
    plan = few(space, source)

    def end(run):
        raise KilledError

    device.disturbance = end
    for _ in range(6 * 3):
        with pytest.raises(KilledError):
            measure_energies(space, device.target(space), plan, journal=tmp_path / "j")
        failed = '"kind":"failure"' in (tmp_path / "j").read_text("utf-8")
        if failed:
            break
    assert failed
    assert "took the process down 3 times" in (tmp_path / "j").read_text("utf-8")

from dataclasses import replace

import numpy as np
import pytest
from doubles.sensors import SENSOR, metered_device
from doubles.signed import changed

from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.energy_model import EnergyModel, EnergyRecord, load_model
from edgewright.latency.energy_run import measure_energies
from edgewright.latency.model import LatencyModel, is_model, kind_of
from edgewright.latency.transfer import plan_transfer


@pytest.fixture(scope="module")
def saved(space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    plan = plan_transfer(space, [], n_samples=10, n_validate=3)
    with pytest.MonkeyPatch.context() as patch:
        target = metered_device(patch, folder / "root").target(space)
        model = measure_energies(space, target, plan, journal=folder / "j", visits=2)
    return model.save(folder / "cpu.energy.json")


def visit(data):
    return data["networks"][3]["visits"][1]


def test_a_saved_model_predicts_bit_for_bit_the_same(space, saved):
    loaded = EnergyModel.load(saved.path)
    X = space.sample(np.random.default_rng(0), 20)
    first, second = (EncodingPredictor(model, space).predict(X) for model in (saved, loaded))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)
    assert loaded.summary() == saved.summary()
    assert loaded.networks == saved.networks
    assert loaded.sensor == SENSOR


def test_a_model_of_either_kind_is_known_by_its_file(saved, tmp_path):
    assert kind_of(saved.path) == "energy model"
    assert not is_model(saved.path), "it knows no latency"
    assert isinstance(load_model(saved.path), EnergyModel)
    with pytest.raises(TableError, match="is no latency model of schema 1"):
        LatencyModel.load(saved.path)
    other = changed(saved.path, lambda data: data.update(kind="latency model"), to=tmp_path / "l.json")
    with pytest.raises(TableError, match=r"is no energy model of schema 1.*edgewright table energy"):
        EnergyModel.load(other)
    assert kind_of(tmp_path) == kind_of(tmp_path / "none.json") == ""


@pytest.mark.parametrize(
    ("change", "sign", "said"),
    [
        (lambda data: visit(data).update(energy_mj=0.001), False, "edited or damaged"),
        (lambda data: data.update(sensor="RAPL psys"), False, "edited or damaged"),
        (lambda data: data.update(sensor="RAPL psys"), True, "its sensor is 'RAPL psys'.*package-0"),
        (lambda data: data.pop("sensor"), True, "missing key 'sensor'"),
        (lambda data: data.update(more=1), True, "unknown key 'more'"),
        (lambda data: data.update(schema=2), True, "no energy model of schema 1"),
        (lambda data: visit(data).update(energy_mj=0.0), True, "an energy above 0"),
        (lambda data: visit(data).update(energy_mj=-1), True, "an energy above 0"),
        (lambda data: visit(data).update(energy_mj="2 mJ"), True, "finite numbers"),
        (lambda data: visit(data).update(n=0), True, "count of inferences"),
        (lambda data: visit(data).pop("power_mw"), True, "exactly the keys"),
        (lambda data: data["networks"][0].update(visits=[]), True, "one visit or more"),
        (lambda data: data["networks"][0].update(role="both"), True, "fit or validate, got 'both'"),
        (lambda data: data["networks"][0].pop("architecture"), True, "cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_named(saved, tmp_path, change, sign, said):
    path = changed(saved.path, change, sign=sign, to=tmp_path / "bad.json")
    with pytest.raises(TableError, match=said) as caught:
        EnergyModel.load(path)
    assert str(path) in str(caught.value)
    assert "edgewright table energy" in str(caught.value)


def test_a_truncated_or_absent_file_is_named(saved, tmp_path):
    path = tmp_path / "cut.json"
    path.write_text(saved.path.read_text("utf-8")[:700], "utf-8")
    with pytest.raises(TableError, match="truncated or not JSON"):
        EnergyModel.load(path)
    with pytest.raises(TableError, match="does not exist; make it again with `edgewright table energy`"):
        EnergyModel.load(tmp_path / "none.json")


def test_nan_in_a_file_is_refused(saved, tmp_path):
    path = tmp_path / "nan.json"
    text = saved.path.read_text("utf-8")
    figure = f'"energy_mj": {saved.networks[0].visits[0].energy_mj}'
    assert figure in text
    path.write_text(text.replace(figure, '"energy_mj": NaN', 1), "utf-8")
    with pytest.raises(TableError, match="edited or damaged"):
        EnergyModel.load(path)


def test_another_machine_is_foreign_and_the_mend_is_the_models_own(saved):
    other = replace(saved.fingerprint, cpu_model="another")
    with pytest.raises(
        ForeignTableError, match=r"energy model of 'fake'.*edgewright table energy fake --space"
    ):
        saved.require_device(other)
    saved.require_device(other, allow_foreign=True)
    with pytest.raises(ForeignTableError, match="measure anew with `edgewright table energy fake"):
        saved.require_runtime("fake 2.0")


def test_visits_that_disagree_are_noisy(saved):
    record = saved.networks[0]
    first, second = record.visits
    apart = EnergyRecord(record.architecture, (first, replace(second, energy_mj=2 * first.energy_mj)), "fit")
    assert apart.noisy
    assert apart.value == pytest.approx(1.5 * first.energy_mj)
    assert replace(saved, networks=(apart,)).summary()["n_noisy"] == 1

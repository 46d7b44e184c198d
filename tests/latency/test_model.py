import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from doubles.fake_device import FakeDevice
from doubles.signed import changed

from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.encoding_predictor import EncodingPredictor
from edgewright.latency.model import LatencyModel, is_model
from edgewright.latency.profiler import profile_space
from edgewright.latency.target import ProfileConfig
from edgewright.latency.transfer import measure_transfer, plan_transfer

DATA = Path(__file__).parents[1] / "data"
CONFIG = ProfileConfig(passes=1, rounds=3, n_fit=6, n_validate=4, max_repeats=0)


@pytest.fixture(scope="module")
def saved(space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    table = profile_space(space, FakeDevice().target(space), journal=folder / "t", config=CONFIG)
    plan = plan_transfer(space, [table], n_samples=6, n_validate=4)
    model = measure_transfer(space, FakeDevice().target(space), plan, journal=folder / "j", config=CONFIG)
    return model.save(folder / "cpu.model.json")


def test_a_saved_model_predicts_bit_for_bit_the_same(space, saved):
    loaded = LatencyModel.load(saved.path)
    X = space.sample(np.random.default_rng(0), 20)
    first, second = (EncodingPredictor(model, space).predict(X) for model in (saved, loaded))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)
    assert loaded.table_id == saved.table_id
    assert loaded.summary() == saved.summary()
    assert is_model(saved.path)


def test_a_model_of_schema_1_is_read_and_saved_as_of_today(tmp_path):
    path = DATA / "latency-model-1.json"
    assert json.loads(path.read_text("utf-8"))["schema"] == 1
    old = LatencyModel.load(path)
    new = LatencyModel.load(old.save(tmp_path / "cpu.model.json").path)
    assert json.loads(new.path.read_text("utf-8"))["schema"] == 2
    assert new.networks == old.networks
    assert new.table_id == old.table_id


def test_the_summary_says_what_it_stands_on(saved):
    told = json.loads(json.dumps(saved.summary()))
    assert told["kind"] == "latency model"
    assert (told["n_fit"], told["n_validate"]) == (6, 4)
    assert len(told["sources"]) == 1
    assert told["error"] == pytest.approx(told["validation"]["mape_percent"] / 100)


@pytest.mark.parametrize(
    ("change", "sign", "said"),
    [
        (lambda data: data.update(precision="int8"), False, "edited or damaged"),
        (lambda data: data.pop("weights"), True, "missing key 'weights'"),
        (lambda data: data.update(more=1), True, "unknown key 'more'"),
        (lambda data: data.update(schema=9), True, "no latency model of schema 1"),
        (lambda data: data.update(kind="table"), True, "no latency model of schema 1"),
        (lambda data: data["networks"][0]["measurement"].update(samples_ms=[]), True, "cannot be read"),
        (lambda data: data["frame"].pop("shift"), True, "cannot be read"),
        (lambda data: data["sources"][0].update(costs_ms="many"), True, "cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_named(saved, tmp_path, change, sign, said):
    path = changed(saved.path, change, sign=sign, to=tmp_path / "bad.json")
    with pytest.raises(TableError, match=said):
        LatencyModel.load(path)


def test_a_truncated_or_absent_file_is_named(saved, tmp_path):
    path = tmp_path / "cut.json"
    path.write_text(saved.path.read_text("utf-8")[:500], "utf-8")
    with pytest.raises(TableError, match="truncated or not JSON"):
        LatencyModel.load(path)
    with pytest.raises(TableError, match="does not exist; make it again with `edgewright table transfer`"):
        LatencyModel.load(tmp_path / "none.json")
    assert not is_model(path)
    assert not is_model(tmp_path)


def test_nan_in_a_file_is_refused(saved, tmp_path):
    path = tmp_path / "nan.json"
    path.write_text(saved.path.read_text("utf-8").replace('"seconds": ', '"seconds": NaN, "x": '), "utf-8")
    with pytest.raises(TableError):
        LatencyModel.load(path)


def test_another_machine_or_runtime_is_foreign(saved):
    other = FakeDevice().fingerprint_value
    saved.require_device(other)

    different = replace(other, cpu_model="Another CPU")
    with pytest.raises(ForeignTableError, match="another machine"):
        saved.require_device(different)
    saved.require_device(different, allow_foreign=True)
    with pytest.raises(ForeignTableError, match="installed is other 2"):
        saved.require_runtime("other 2")
    saved.require_runtime("other 2", allow_foreign=True)

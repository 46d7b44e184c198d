from dataclasses import replace

import numpy as np
import pytest
from doubles.sensors import SENSOR

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ForeignTableError, InaccurateTableError, ProfileError, TableError
from edgewright.latency.energy_model import EnergyModel
from edgewright.pipeline.energy_cost import energy_cost, energy_path, find_energy
from edgewright.spaces import find_space

CPU = DeviceProfile.find("cpu")


@pytest.fixture
def model(chain, energy_tables):
    return find_energy(energy_tables, CPU, chain.space, "fp32")


@pytest.fixture
def cost(chain, tmp_path):
    """The energy of a model that is saved where the device's belongs: ``cost(model, name="cpu.energy")``."""

    def of(model, name="cpu.energy", **options):
        model.save(energy_path(tmp_path, CPU, chain.space, "fp32"))
        given = {"precision": None, "allow_foreign": False, "allow_inaccurate": True} | options
        return energy_cost(name, chain.space, tables=tmp_path, **given)

    return of


def test_a_model_lies_beside_the_table(chain, model):
    assert model.path.name == chain.table("cpu").stem + ".energy.json"
    assert model.path.parent.name == CPU.name


def test_a_devices_energy_is_its_models_prediction(chain, model, cost):
    found = cost(model)
    ends = np.stack([chain.space.encode(a) for a in (chain.space.smallest(), chain.space.largest())])
    small, large = found.predict_mj(ends)
    assert 0 < small < large
    assert found.at_most_mj(ends) == pytest.approx(found.predictor.at_most(ends, 1.96))
    assert (found.at_most_mj(ends) > found.predict_mj(ends)).all()
    told = found.to_json()
    assert told["device"] == CPU.name
    assert told["sensor"] == SENSOR
    assert told["table_id"] == model.table_id


def test_a_part_of_the_space_is_served_by_the_wider_model(chain, model, tmp_path):
    other = find_space("mobilenetv3-small-image@24:4")
    with pytest.raises(TableError, match=r"no energy model .*edgewright table energy local-cpu-onnxruntime"):
        find_energy(tmp_path, CPU, chain.space, "fp32")
    model.save(energy_path(tmp_path, CPU, find_space("mobilenetv3-small-image@16+24:4"), "fp32"))
    assert find_energy(tmp_path, CPU, chain.space, "fp32").table_id == model.table_id
    with pytest.raises(TableError, match=r"no energy model .*--space 'mobilenetv3-small-image@24:4'"):
        find_energy(tmp_path, CPU, other, "fp32")


def test_a_model_of_another_space_under_the_name_is_refused(model, cost):
    with pytest.raises(
        TableError, match=r"networks that are not in it; make one with `edgewright table energy"
    ):
        cost(replace(model, space_digest="0" * 64))


def test_a_large_error_is_refused_unless_it_is_asked_for(model, cost):
    bad = replace(model, validation=replace(model.validation, mape_percent=23.0))
    with pytest.raises(InaccurateTableError, match=r"23% off .*--samples N --again.* --allow-inaccurate"):
        cost(bad, allow_inaccurate=False)
    assert cost(bad).predictor.error == pytest.approx(0.23)


def test_what_was_measured_elsewhere_is_refused_unless_it_is_asked_for(model, cost):
    elsewhere = replace(model, fingerprint=replace(model.fingerprint, cpu_model="another"))
    with pytest.raises(ForeignTableError, match="measured on another machine"):
        cost(elsewhere)
    emulated = replace(model, fingerprint=replace(model.fingerprint, emulated=True))
    with pytest.raises(ForeignTableError, match=r"energies .* emulated device .*edgewright table energy"):
        cost(emulated)
    other = replace(model, device="pi")
    with pytest.raises(ForeignTableError, match=r"the energy model .* is of pi .*edgewright table energy"):
        cost(other)
    for each in (elsewhere, emulated, other):
        assert cost(each, allow_foreign=True).predictor.model.table_id == each.table_id


def test_of_another_runtime_or_precision_it_is_never_taken(model, cost):
    with pytest.raises(TableError, match="the energy model"):
        cost(replace(model, precision="int8"), allow_foreign=True)


def test_an_unknown_device_is_named(model, cost):
    with pytest.raises(ProfileError, match="gpu7"):
        cost(model, "gpu7.energy")


def test_a_damaged_model_is_named_with_the_mend(chain, model, tmp_path):
    path = energy_path(tmp_path, CPU, chain.space, "fp32")
    path.parent.mkdir()
    path.write_bytes(model.path.read_bytes()[:-400])
    with pytest.raises(TableError, match=r"truncated.*edgewright table energy"):
        find_energy(tmp_path, CPU, chain.space, "fp32")
    assert isinstance(EnergyModel.load(model.path), EnergyModel)

from dataclasses import replace

import numpy as np
import pytest
from doubles.lookup_tables import OFA_SPACE, ofa_yaml
from doubles.sensors import SENSOR

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ForeignTableError, InaccurateTableError, ProfileError, TableError
from edgewright.latency.imported import import_table
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.device_costs import energy_cost, latency_cost
from edgewright.pipeline.tables import energy_path, find_energy, table_path
from edgewright.spaces import find_space

CPU = DeviceProfile.find("cpu")


@pytest.fixture
def model(chain, energy_tables):
    return find_energy(energy_tables, CPU, chain.space, "fp32")


@pytest.fixture
def energy(chain, tmp_path):
    """Energy of a model that is saved where the device's belongs: ``energy(model, name="cpu.energy")``."""

    def of(model, name="cpu.energy", **options):
        model.save(energy_path(tmp_path, CPU, chain.space, "fp32"))
        given = {"precision": None, "allow_foreign": False, "allow_inaccurate": True} | options
        return energy_cost(name, chain.space, tables=tmp_path, **given)

    return of


def test_a_devices_cost_is_its_tables_prediction(chain):
    cost = latency_cost("cpu", chain.space, tables=chain.tables, precision=None, allow_foreign=False)
    ends = np.stack([chain.space.encode(a) for a in (chain.space.smallest(), chain.space.largest())])
    small, large = cost.predict(ends)
    assert 0 < small < large
    assert (cost.at_most(ends) > cost.predict(ends)).all()
    std = cost.predictor.std_ms(ends)
    assert cost.at_most(ends) == pytest.approx(cost.predict(ends) + cost.z * std)
    told = cost.to_json()
    assert told["device"] == "local-cpu-onnxruntime"
    assert told["profile"] == str(CPU.path.resolve())


def test_an_imported_table_is_used_only_where_that_is_allowed(tmp_path):
    (tmp_path / "blocks.yaml").write_text(ofa_yaml(), "utf-8")
    profile = tmp_path / "phone.toml"
    profile.write_text(
        'schema = 1\nname = "phone"\nkind = "cpu"\nruntime = "litert"\nprecisions = ["fp32"]\nthreads = 1\n'
        'reach = "none"\ndescription = "A phone that somebody else measured"\n',
        "utf-8",
    )
    space = find_space(OFA_SPACE)
    table = import_table(tmp_path / "blocks.yaml", "phone", runtime="litert", precision="fp32", threads=1)
    table.save(table_path(tmp_path, DeviceProfile.load(profile), space, "fp32"))
    with pytest.raises(
        ForeignTableError, match=r"was imported: .*error on whole networks is unknown; .*--allow"
    ):
        latency_cost(str(profile), space, tables=tmp_path, precision=None, allow_foreign=False)
    cost = latency_cost(str(profile), space, tables=tmp_path, precision=None, allow_foreign=True)
    x = space.encode(space.largest())[None]
    assert cost.predict(x)[0] == pytest.approx(
        sum(table.entries[key].mean for op in space.operators(space.largest()) for key in table.operators[op])
    )
    assert np.isnan(cost.predictor.error)


def test_a_table_with_a_large_error_is_refused_unless_it_is_asked_for(chain, tmp_path):
    path = next((chain.tables / "local-cpu-onnxruntime").glob("*.json"))
    table = LatencyTable.load(path)
    bad = replace(table, validation=replace(table.validation, mape_percent=23.0))
    bad.save(tmp_path / "local-cpu-onnxruntime" / path.name)

    def cost(**options):
        return latency_cost(
            "cpu", chain.space, tables=tmp_path, precision=None, allow_foreign=False, **options
        )

    with pytest.raises(InaccurateTableError, match=r"23% off .* --again.* --allow-inaccurate"):
        cost()
    assert cost(allow_inaccurate=True).predictor.error == pytest.approx(0.23)


def test_a_devices_energy_is_its_models_prediction(chain, model, energy):
    found = energy(model)
    ends = np.stack([chain.space.encode(a) for a in (chain.space.smallest(), chain.space.largest())])
    small, large = found.predict(ends)
    assert 0 < small < large
    assert found.at_most(ends) == pytest.approx(found.predictor.at_most(ends, 1.96))
    assert (found.at_most(ends) > found.predict(ends)).all()
    told = found.to_json()
    assert told["device"] == CPU.name
    assert told["sensor"] == SENSOR
    assert told["table_id"] == model.table_id


def test_a_model_of_another_space_under_the_name_is_refused(model, energy):
    with pytest.raises(
        TableError, match=r"networks that are not in it; make one with `edgewright table energy"
    ):
        energy(replace(model, space_digest="0" * 64))


def test_a_model_with_a_large_error_is_refused_unless_it_is_asked_for(model, energy):
    bad = replace(model, validation=replace(model.validation, mape_percent=23.0))
    with pytest.raises(InaccurateTableError, match=r"23% off .*--samples N --again.* --allow-inaccurate"):
        energy(bad, allow_inaccurate=False)
    assert energy(bad).predictor.error == pytest.approx(0.23)


def test_what_was_measured_elsewhere_is_refused_unless_it_is_asked_for(model, energy):
    elsewhere = replace(model, fingerprint=replace(model.fingerprint, cpu_model="another"))
    with pytest.raises(ForeignTableError, match="measured on another machine"):
        energy(elsewhere)
    emulated = replace(model, fingerprint=replace(model.fingerprint, emulated=True))
    with pytest.raises(ForeignTableError, match=r"energies .* emulated device .*edgewright table energy"):
        energy(emulated)
    other = replace(model, device="pi")
    with pytest.raises(ForeignTableError, match=r"the energy model .* is of pi .*edgewright table energy"):
        energy(other)
    for each in (elsewhere, emulated, other):
        assert energy(each, allow_foreign=True).predictor.model.table_id == each.table_id


def test_of_another_runtime_or_precision_it_is_never_taken(model, energy):
    with pytest.raises(TableError, match="the energy model"):
        energy(replace(model, precision="int8"), allow_foreign=True)


def test_an_unknown_device_is_named(model, energy):
    with pytest.raises(ProfileError, match="gpu7"):
        energy(model, "gpu7.energy")

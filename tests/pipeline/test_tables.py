import shutil
from dataclasses import replace

import pytest
from doubles.tiny_chain import PROFILE, SPACE

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ForeignTableError, PrecisionError, TableError
from edgewright.latency.energy_model import EnergyModel
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.tables import (
    choose_precision,
    energy_path,
    find_energy,
    find_predictor,
    require_made_for,
    require_real,
    table_path,
)
from edgewright.spaces import find_space

CPU = DeviceProfile.find("cpu")


def test_the_profiles_first_precision_is_the_default():
    assert choose_precision(CPU, None) == "fp32"
    assert choose_precision(CPU, "int8") == "int8"
    with pytest.raises(PrecisionError, match="no precision 'fp8'; it has fp32, int8, fp16"):
        choose_precision(CPU, "fp8")


def test_a_table_lies_where_its_name_says(chain):
    assert table_path(chain.tables, CPU, chain.space, "fp32") == chain.table("cpu")
    assert chain.table("cpu").is_file()


def test_the_table_of_a_wider_space_serves_a_part_of_it(chain, tmp_path):
    wide = find_space("mobilenetv3-small-image@16+24", n_classes=4)
    made = profile_device("cpu", wide, tables=tmp_path, preset=PROFILE)
    assert find_predictor(tmp_path, CPU, chain.space, "fp32").table_id == made.table.table_id
    shutil.copytree(chain.tables, tmp_path, dirs_exist_ok=True)
    assert find_predictor(tmp_path, CPU, chain.space, "fp32").space_name == chain.space.name, (
        "its own comes first"
    )
    with pytest.raises(TableError, match=r"edgewright profile local-cpu-onnxruntime --space .*@32:4"):
        find_predictor(tmp_path, CPU, find_space("mobilenetv3-small-image@32", n_classes=4), "fp32")


def test_other_classes_need_another_table(chain):
    with pytest.raises(TableError, match="edgewright profile"):
        find_predictor(chain.tables, CPU, find_space(SPACE, n_classes=9), "fp32")


def test_a_table_of_an_emulated_device_is_refused_unless_allowed(chain):
    table = LatencyTable.load(chain.table("cpu"))
    require_real(table)
    emulated = replace(table, fingerprint=replace(table.fingerprint, emulated=True))
    with pytest.raises(ForeignTableError, match=r"emulated device.*edgewright profile .*--allow-foreign"):
        require_real(emulated)
    require_real(emulated, allow_foreign=True)
    assert emulated.summary()["emulated"]


def test_a_table_of_other_processors_is_foreign(chain):
    table = find_predictor(chain.tables, CPU, chain.space, "fp32")
    pinned = replace(CPU, affinity=(1,))
    with pytest.raises(
        ForeignTableError, match=r"on processors those that the kernel chooses, .* asks for 1;"
    ):
        require_made_for(table, pinned, "fp32")
    require_made_for(table, pinned, "fp32", allow_foreign=True)
    require_made_for(replace(table, affinity=(1,)), pinned, "fp32")
    with pytest.raises(ForeignTableError, match="on processors 1, "):
        require_made_for(replace(table, affinity=(1,)), CPU, "fp32")


def test_a_model_lies_beside_the_table(chain, energy_tables):
    model = find_energy(energy_tables, CPU, chain.space, "fp32")
    assert model.path.name == chain.table("cpu").stem + ".energy.json"
    assert model.path.parent.name == CPU.name


def test_a_part_of_the_space_is_served_by_the_wider_model(chain, energy_tables, tmp_path):
    model = find_energy(energy_tables, CPU, chain.space, "fp32")
    other = find_space("mobilenetv3-small-image@24:4")
    with pytest.raises(TableError, match=r"no energy model .*edgewright table energy local-cpu-onnxruntime"):
        find_energy(tmp_path, CPU, chain.space, "fp32")
    model.save(energy_path(tmp_path, CPU, find_space("mobilenetv3-small-image@16+24:4"), "fp32"))
    assert find_energy(tmp_path, CPU, chain.space, "fp32").table_id == model.table_id
    with pytest.raises(TableError, match=r"no energy model .*--space 'mobilenetv3-small-image@24:4'"):
        find_energy(tmp_path, CPU, other, "fp32")


def test_a_damaged_model_is_named_with_the_mend(chain, energy_tables, tmp_path):
    model = find_energy(energy_tables, CPU, chain.space, "fp32")
    path = energy_path(tmp_path, CPU, chain.space, "fp32")
    path.parent.mkdir()
    path.write_bytes(model.path.read_bytes()[:-400])
    with pytest.raises(TableError, match=r"truncated.*edgewright table energy"):
        find_energy(tmp_path, CPU, chain.space, "fp32")
    assert isinstance(EnergyModel.load(model.path), EnergyModel)

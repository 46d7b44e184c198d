import shutil
from dataclasses import replace

import numpy as np
import pytest
from doubles.lookup_tables import OFA_SPACE, ofa_yaml
from doubles.tiny_chain import PROFILE, SPACE

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ForeignTableError, InaccurateTableError, PrecisionError, TableError
from edgewright.latency.imported import import_table
from edgewright.latency.table import LatencyTable
from edgewright.pipeline.profile import profile_device
from edgewright.pipeline.tables import (
    choose_precision,
    device_cost,
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


def test_a_devices_cost_is_its_tables_prediction(chain):
    cost = device_cost("cpu", chain.space, tables=chain.tables, precision=None, allow_foreign=False)
    ends = np.stack([chain.space.encode(a) for a in (chain.space.smallest(), chain.space.largest())])
    small, large = cost.predict_ms(ends)
    assert 0 < small < large
    assert (cost.at_most_ms(ends) > cost.predict_ms(ends)).all()
    std = cost.predictor.std_ms(ends)
    assert cost.at_most_ms(ends) == pytest.approx(cost.predict_ms(ends) + cost.z * std)
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
        device_cost(str(profile), space, tables=tmp_path, precision=None, allow_foreign=False)
    cost = device_cost(str(profile), space, tables=tmp_path, precision=None, allow_foreign=True)
    x = space.encode(space.largest())[None]
    assert cost.predict_ms(x)[0] == pytest.approx(
        sum(table.entries[key].mean for op in space.operators(space.largest()) for key in table.operators[op])
    )
    assert np.isnan(cost.predictor.error)


def test_a_table_with_a_large_error_is_refused_unless_it_is_asked_for(chain, tmp_path):
    path = next((chain.tables / "local-cpu-onnxruntime").glob("*.json"))
    table = LatencyTable.load(path)
    bad = replace(table, validation=replace(table.validation, mape_percent=23.0))
    bad.save(tmp_path / "local-cpu-onnxruntime" / path.name)

    def cost(**options):
        return device_cost(
            "cpu", chain.space, tables=tmp_path, precision=None, allow_foreign=False, **options
        )

    with pytest.raises(InaccurateTableError, match=r"23% off .* --again.* --allow-inaccurate"):
        cost()
    assert cost(allow_inaccurate=True).predictor.error == pytest.approx(0.23)


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

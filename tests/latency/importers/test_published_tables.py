"""Importers on the tables as they were published; read where they lie, never copied."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml
from doubles.ofa_problem import RESOLUTIONS, data_folder

from edgewright.latency.imported import import_table
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def folder():
    folder = data_folder()
    if folder is None:
        pytest.skip("no ../shared/data; give its place in EDGEWRIGHT_DATA")
    return folder.parent


@pytest.mark.parametrize(
    ("name", "format_name", "n"),
    [
        ("fbnet_raspi4.csv", "fbnet", 22 * 9),
        ("fasterseg_tensorrt_1080ti.json", "fasterseg", 667),
        ("proxylessnas_mobile_trim.yaml", "proxylessnas", 72),
        ("single_path_nas_pixel1.json", "single-path-nas", 22 * 4),
    ],
)
def test_a_published_table_is_imported_whole(folder, name, format_name, n):
    table = import_table(folder / "luts" / name, "device")
    assert (table.format, len(table.entries), len(table.dropped)) == (format_name, n, 0)
    assert table.unit == "ms"


def ofas_class():
    """Return the class of the ``ofa`` package; what its module imports beside is for counting FLOPs."""
    found = importlib.util.find_spec("ofa")
    if found is None:
        pytest.skip("the package ofa is not installed; run: pip install --no-deps ofa")
    source = Path(found.submodule_search_locations[0]) / "nas/efficiency_predictor/latency_lookup_table.py"
    utils = types.ModuleType("ofa.utils")
    utils.download_url = utils.make_divisible = utils.MyNetwork = None
    spec = importlib.util.spec_from_file_location("ofas_lookup_table", source)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:  # the real one needs torchvision
        patch.setitem(sys.modules, "ofa", types.ModuleType("ofa"))
        patch.setitem(sys.modules, "ofa.utils", utils)
        spec.loader.exec_module(module)
    return module.MBv3LatencyTable


def network_config(space, arch):
    """Return a network as OFA's own configuration describes it."""
    ops = space.operators(arch)
    blocks = [
        {
            "mobile_inverted_conv": {
                "in_channels": op.in_channels,
                "out_channels": op.out_channels,
                "kernel_size": op.kernel_size,
                "stride": op.stride,
                "expand_ratio": op.mid_channels / op.in_channels,
                "mid_channels": op.mid_channels,
                "act_func": op.act,
                "use_se": op.se,
            },
            "shortcut": {} if op.residual else None,
        }
        for op in ops[1:-1]
    ]
    head = ops[-1]
    wide, hidden = head.mid_channels, head.hidden_channels
    return {
        "first_conv": {"out_channels": ops[0].out_channels},
        "blocks": blocks,
        "final_expand_layer": {"in_channels": head.in_channels, "out_channels": wide},
        "feature_mix_layer": {"in_channels": wide, "out_channels": hidden},
        "classifier": {"in_features": hidden, "out_features": head.out_channels},
    }


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_sums_are_those_of_ofas_own_class(folder, tmp_path, resolution):
    file = folder / "ofa_mbv3" / "note10" / f"{resolution}_lookup_table.yaml"
    space = find_space(f"mobilenetv3-w1.2@{resolution}")
    imported = import_table(file, "note10").save(tmp_path / "table.json")
    predictor = LatencyPredictor(LatencyTable.load(imported.path), space)
    theirs = object.__new__(ofas_class())  # its own reader needs a PyYAML before 6
    theirs.lut = yaml.safe_load(file.read_text("utf-8"))
    X = space.sample(np.random.default_rng(0), 200)
    expected = [
        theirs.predict_network_latency_given_config(network_config(space, space.decode(x)), resolution)
        for x in X
    ]
    # Sums in another order differ in their last bits.
    assert predictor.predict_ms(X) == pytest.approx(expected, rel=1e-12)

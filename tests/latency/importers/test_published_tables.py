"""Importers on the tables as they were published; read where they lie, never copied."""

import importlib.util
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from doubles.ofa_problem import RESOLUTIONS, data_folder

from edgewright.latency.imported import import_table
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space

pytestmark = pytest.mark.shared
ROOT = Path(__file__).parents[3]


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


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark that reads OFA's own table beside ours."""
    if importlib.util.find_spec("ofa") is None:
        pytest.skip("the package ofa is not installed; run: pip install --no-deps ofa")
    spec = importlib.util.spec_from_file_location("bench_predict", ROOT / "benchmarks" / "bench_predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_sums_are_those_of_ofas_own_class(folder, tmp_path, benchmark, resolution):
    file = folder / "ofa_mbv3" / "note10" / f"{resolution}_lookup_table.yaml"
    space = find_space(f"mobilenetv3-w1.2@{resolution}")
    imported = import_table(file, "note10").save(tmp_path / "table.json")
    predictor = LatencyPredictor(LatencyTable.load(imported.path), space)
    with patch.dict(sys.modules):  # what stands in for the package is gone after the test
        theirs = benchmark.ofas_table(file)
    X = space.sample(np.random.default_rng(0), 200)
    expected = [
        theirs.predict_network_latency_given_config(
            benchmark.configuration(space, space.decode(x)), resolution
        )
        for x in X
    ]
    # Sums in another order differ in their last bits.
    assert predictor.predict_ms(X) == pytest.approx(expected, rel=1e-12)

import json

import numpy as np
import pytest
from doubles.lookup_tables import OFA_SPACE, fbnet_csv, ofa_yaml
from doubles.signed import changed

from edgewright.devices.probe import probe
from edgewright.errors import ForeignTableError, TableError
from edgewright.latency.imported import import_table, imported_from_json
from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.table import LatencyTable
from edgewright.spaces import find_space


@pytest.fixture
def saved(tmp_path):
    source = tmp_path / "blocks.yaml"
    source.write_text(ofa_yaml(), "utf-8")
    return import_table(source, "phone", source="a test").save(tmp_path / "table.json")


def test_what_is_imported_says_so(saved):
    assert saved.source == "blocks.yaml (a test)"
    assert len(saved.sha256) == 64
    summary = saved.summary()
    assert summary["imported"] is True
    assert summary["fingerprint"] is None
    assert summary["validation"] is None
    json.dumps(summary, allow_nan=False)


def test_a_saved_import_is_read_back_whole(saved):
    data = json.loads(saved.path.read_text("utf-8"))
    assert imported_from_json(data, saved.path) == saved


def test_the_table_of_an_import_predicts_sums_and_knows_no_error(saved):
    table, space = LatencyTable.load(saved.path), find_space(OFA_SPACE)
    assert table.is_imported
    predictor = LatencyPredictor(table, space)
    x = space.encode(space.largest())[None]
    means = {op: sum(saved.entries[key].mean for key in keys) for op, keys in saved.operators.items()}
    expected = sum(means[op] for op in space.operators(space.largest()))
    assert predictor.predict_ms(x) == pytest.approx([expected])
    assert np.isnan(predictor.error)
    with pytest.raises(ForeignTableError, match="the table was imported"):
        table.require_device(probe())


def test_two_files_are_two_tables(saved, tmp_path):
    source = tmp_path / "other.yaml"
    source.write_text(ofa_yaml(factor=1.01), "utf-8")
    other = import_table(source, "phone").latency_table()
    assert other.table_id != saved.latency_table().table_id


def test_operators_of_no_space_cannot_be_searched(tmp_path):
    source = tmp_path / "fbnet.csv"
    source.write_text(fbnet_csv(), "utf-8")
    saved = import_table(source, "phone").save(tmp_path / "table.json")
    with pytest.raises(TableError, match=r"198|88 entries of fbnet.*`edgewright table show`"):
        LatencyTable.load(saved.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.__setitem__("schema", 9), "schema 9"),
        (lambda d: d.pop("sha256"), "missing key 'sha256'"),
        (lambda d: d.__setitem__("colour", "red"), "unknown key 'colour'"),
        (lambda d: d.__setitem__("device", 5), "device must be text"),
        (lambda d: d.__setitem__("threads", -1), "threads must be a count"),
        (lambda d: d.__setitem__("entries", {}), "entries must be a list"),
        (lambda d: d["entries"][0].__setitem__("mean_ms", -1.0), "-1.0 as its mean_ms"),
        (lambda d: d["entries"][0].__setitem__("mean_ms", 1e9), "as its mean_ms"),
        (lambda d: d["entries"][0].__setitem__("mean_ms", "1.0"), "as its mean_ms"),
        (lambda d: d["entries"].append(d["entries"][0]), "repeats"),
        (lambda d: d["entries"][0].pop("count"), "needs exactly"),
        (lambda d: d["operators"][0].__setitem__("keys", ["none"]), "keys that are entries"),
        (lambda d: d["operators"][0].__setitem__("keys", 5), "keys that are entries"),
        (lambda d: d["operators"][0]["operator"].pop("kind"), "operator"),
        (lambda d: d["dropped"].append({"colour": "red"}), "imported table"),
    ],
)
def test_a_forged_import_is_refused_with_its_fault(saved, change, message):
    changed(saved.path, change)
    with pytest.raises(TableError, match=message) as caught:
        LatencyTable.load(saved.path)
    assert "`edgewright table import`" in str(caught.value)


def test_a_hand_edited_import_is_noticed(saved):
    changed(saved.path, lambda d: d["entries"][0].__setitem__("mean_ms", 0.5), sign=False)
    with pytest.raises(TableError, match="edited or damaged"):
        LatencyTable.load(saved.path)
    changed(saved.path, lambda d: d["entries"][0].__setitem__("mean_ms", float("nan")), sign=False)
    with pytest.raises(TableError, match="mean_ms"):
        LatencyTable.load(saved.path)

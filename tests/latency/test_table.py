import json
from dataclasses import replace
from pathlib import Path

import pytest
from doubles.fake_device import FINGERPRINT
from doubles.fake_spaces import small_space
from doubles.signed import changed

from edgewright.backends.cross_check import CrossCheck
from edgewright.errors import ForeignTableError, MissingEntryError, TableError
from edgewright.latency.cross_check import NetworkCrossCheck
from edgewright.latency.records import Failure
from edgewright.latency.table import LatencyTable
from edgewright.spaces.operator import with_leads

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def saved(table, tmp_path):
    return table.save(tmp_path / "table.json").path


def test_a_saved_table_is_read_back_whole(table, saved):
    assert replace(LatencyTable.load(saved), path=None) == table


def test_a_table_tells_clock_and_temperature_around_every_sample(table, saved):
    loaded = LatencyTable.load(saved)
    assert loaded.weather == table.weather
    assert loaded.weather.text() == "clock 1000 to 1000 MHz, 40 to 40 °C, never throttled"
    parts = [part for entry in loaded.entries.values() for part in (entry.warm, entry.cold)]
    parts += [record.measurement for record in loaded.networks]
    assert all(sum(moment.n for moment in part.moments) == part.n for part in parts)
    assert loaded.summary()["weather"]["clock_mhz"] == [1000.0, 1000.0]


def test_what_the_vendors_tool_said_is_read_back(table, tmp_path):
    told = CrossCheck(tool="the tool", median_ms=0.01, n=100, resolution_ms=1e-3)
    check = NetworkCrossCheck(found=told, network=table.networks[0].architecture, measured_ms=0.02)
    path = replace(table, cross_check=check).save(tmp_path / "table.json").path
    assert LatencyTable.load(path).cross_check == check
    assert LatencyTable.load(path).summary()["cross_check"]["ratio"] == 0.5


@pytest.mark.parametrize("schema", [2, 3])
def test_a_table_of_an_older_schema_is_read_as_it_was_and_saved_as_of_today(tmp_path, schema):
    path = DATA / f"latency-table-{schema}.json"
    assert json.loads(path.read_text("utf-8"))["schema"] == schema
    old = LatencyTable.load(path)
    assert (old.cross_check is None) == (schema == 2)
    assert (old.batch, old.affinity) == (1, ())
    assert old.weather.text() == "clock and temperature were not noted"
    assert old.n_operators > 0
    assert old.validation.n > 0
    new = LatencyTable.load(old.save(tmp_path / "table.json").path)
    assert json.loads(new.path.read_text("utf-8"))["schema"] == 4
    assert replace(new, path=None) == replace(old, path=None)


def test_the_id_tells_tables_apart(table):
    assert table.table_id == replace(table, device="other name").table_id
    assert table.table_id != replace(table, threads=4).table_id
    assert table.table_id != replace(table, created_utc="2027-01-01T00:00:00Z").table_id


def test_a_wider_table_covers_a_part_of_its_space(table):
    table.require_space(small_space(all_resolutions=(8, 12), resolutions=(8,)))
    assert table.covers(small_space(resolutions=(12,)))


def test_missing_operators_are_all_named_with_the_command_that_measures_them(table):
    wider = small_space(resolutions=(8, 12, 16))
    with pytest.raises(MissingEntryError, match="edgewright profile fake --space 'small'") as caught:
        table.require_space(wider)
    missing = {op.key for op in with_leads(wider.all_operators())} - {op.key for op in table.entries}
    assert set(caught.value.missing) == missing
    assert f"lacks {len(missing)} of" in str(caught.value)


def test_another_number_of_classes_is_said_so(table):
    with pytest.raises(MissingEntryError, match=r"measured with 3 classes, .* has 7"):
        table.require_space(small_space(n_classes=7))


def test_a_table_of_another_machine_is_refused_unless_allowed(table):
    other = replace(FINGERPRINT, cpu_model="Another CPU", cores=64)
    with pytest.raises(ForeignTableError, match=r"Another CPU here, Fake CPU there.*--allow-foreign"):
        table.require_device(other)
    table.require_device(other, allow_foreign=True)
    table.require_device(replace(FINGERPRINT, os_release="2.0", packages={"numpy": "3.0"}))


def test_a_table_of_another_runtime_version_is_refused_unless_allowed(table):
    with pytest.raises(ForeignTableError, match=r"fake 1.0, installed is fake 2.0"):
        table.require_runtime("fake 2.0")
    table.require_runtime("fake 2.0", allow_foreign=True)
    table.require_runtime("fake 1.0")


def test_a_summary_is_json(table):
    summary = table.summary()
    json.dumps(summary, allow_nan=False)
    assert summary["n_operators"] == table.n_operators
    assert summary["validation"]["n"] == 6


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_table_is_one_line(saved, kept):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(TableError, match="truncated or not JSON") as caught:
        LatencyTable.load(saved)
    assert "\n" not in str(caught.value)


def test_a_hand_edited_sample_is_noticed(saved):
    changed(saved, lambda data: data["entries"][3]["warm"]["samples_ms"].__setitem__(0, 0.123), sign=False)
    with pytest.raises(TableError, match="edited or damaged"):
        LatencyTable.load(saved)


def test_nan_is_refused(saved):
    changed(saved, lambda d: d["entries"][3]["warm"]["samples_ms"].__setitem__(0, float("nan")), sign=False)
    with pytest.raises(TableError, match="NaN or infinite"):
        LatencyTable.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["entries"][0]["warm"]["samples_ms"].__setitem__(0, -1.0), "entry 0: a sample must be"),
        (lambda d: d["entries"].append(d["entries"][0]), "repeats"),
        (lambda d: d["entries"][0]["operator"].__setitem__("kind", "lstm"), "entry 0: operator kind"),
        (lambda d: d["entries"][0].pop("warm"), "entry 0"),
        (lambda d: d.__setitem__("entries", []), "no entries"),
        (lambda d: d.__setitem__("entries", 5), "entries must be a list"),
        (lambda d: d.__setitem__("schema", 99), "schema 99"),
        (lambda d: d.pop("precision"), "missing key 'precision'"),
        (lambda d: d.__setitem__("colour", "red"), "unknown key 'colour'"),
        (lambda d: d["correction"]["coefficients"].pop("warm"), "coefficients"),
        (lambda d: d["fingerprint"].pop("cores"), "fingerprint"),
        (lambda d: d.__setitem__("validation", {"n": 3}), "table"),
        (lambda d: d.__setitem__("cross_check", {"n": 3}), "cross-check needs exactly the keys"),
        (lambda d: d["cross_check"].__setitem__("reason", ""), "needs its reason"),
        (lambda d: d.__setitem__("schema", 2), "unknown key 'cross_check'"),
        (lambda d: d.__setitem__("schema", 3), "unknown key 'batch'; unknown key 'affinity'"),
        (lambda d: d.pop("batch"), "missing key 'batch'"),
        (lambda d: d.__setitem__("batch", 0), "batch must be a positive integer, got 0"),
        (lambda d: d.__setitem__("affinity", [0, 0]), "processor numbers, each once"),
        (lambda d: d.__setitem__("affinity", "0-3"), "processor numbers, each once"),
        (lambda d: d["entries"][0]["warm"]["moments"].append([5]), "entry 0: moments of"),
        (lambda d: d["entries"][0]["warm"].__setitem__("marks", "!"), "entry 0: .* as many marks"),
        (
            lambda d: d["entries"][0]["cold"].__setitem__("dropped", {"s": "AA"}),
            "entry 0: .* told as dropped",
        ),
        (lambda d: d.__setitem__("schema", True), "schema True, this edgewright reads 2, 3 and 4"),
        (lambda d: d.__setitem__("networks", [1]), "table"),
        (lambda d: d.__setitem__("anchor", None), "table"),
    ],
)
def test_a_forged_table_is_refused_with_its_fault(saved, change, message):
    changed(saved, change)
    with pytest.raises(TableError, match=message) as caught:
        LatencyTable.load(saved)
    assert "measure it again" in str(caught.value)


def test_every_fault_is_named_at_once(saved):
    def spoil(data):
        data["entries"][0]["warm"]["samples_ms"][0] = -1.0
        data["entries"][2]["cold"]["samples_ms"] = []

    changed(saved, spoil)
    with pytest.raises(TableError, match=r"entry 0: .*entry 2: "):
        LatencyTable.load(saved)


@pytest.mark.parametrize("text", ["[]", "5", "null", '{"schema": 1}', "{}"])
def test_json_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text, "utf-8")
    with pytest.raises(TableError):
        LatencyTable.load(path)


def test_an_absent_or_unreadable_table_is_one_line(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        LatencyTable.load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="cannot be read"):
        LatencyTable.load(tmp_path / "binary.json")
    with pytest.raises(TableError, match="cannot be read"):
        LatencyTable.load(tmp_path)


def test_operators_that_failed_are_covered(table):
    operator = sorted(table.entries)[0]
    entries = {op: entry for op, entry in table.entries.items() if op != operator}
    failed = replace(table, entries=entries, failures={operator: Failure("illegal instruction")})
    assert failed.covers(small_space())
    failed.require_space(small_space())
    assert not replace(table, entries=entries).covers(small_space())


def test_a_table_of_another_version_of_its_space_is_stale(table):
    with pytest.raises(TableError, match=r"is of version 1 of small.*has version 2.*--again"):
        table.require_space(small_space(version=2))
    table.require_space(small_space(base_name="other", version=2))


def test_a_key_that_stands_twice_is_refused(saved):
    text = saved.read_text("utf-8")
    saved.write_text(text.replace('"threads": 1', '"threads": 1, "threads": 1', 1), "utf-8")
    with pytest.raises(TableError, match="'threads' stands twice"):
        LatencyTable.load(saved)

import json
import shutil

import pytest
from doubles.signed import rewrite
from doubles.tiny_chain import SPACE

from edgewright.latency.records import architecture_from_json


@pytest.fixture
def table(chain, tmp_path):
    """A copy of a table that a test may change."""
    return shutil.copyfile(chain.table("cpu"), tmp_path / "table.json")


def test_show_says_what_was_measured_and_how_far_to_trust_it(edgewright, chain, table):
    found = edgewright("table", "show", table, "--json").json()
    assert found["space"] == chain.space.name
    assert found["n_operators"] == len(chain.space.all_operators())
    assert found["validation"]["mape_percent"] >= 0
    out = edgewright("table", "show", table).out
    assert "mape_percent" in out
    assert "anchor_drift_percent" in out
    (line,) = [line for line in out.splitlines() if line.startswith("over the profile: ")]
    assert "of the samples were disturbed and dropped" in line
    assert found["weather"]["n_moments"] > 0
    assert found["batch"] == 1


def test_show_tells_what_the_vendors_own_tool_said(edgewright, chain, table):
    found = edgewright("table", "show", chain.table("litert"), "--json").json()["cross_check"]
    assert found["vendor"]["tool"].startswith("litert-benchmark of ai-edge-litert ")
    assert found["ratio"] == found["vendor"]["median_ms"] / found["measured_ms"]
    assert chain.space.encode(architecture_from_json(found["network"])) is not None
    found = edgewright("table", "show", table, "--json").json()["cross_check"]
    assert found["vendor"]["tool"].startswith("profile of onnxruntime ")
    (line,) = [line for line in edgewright("table", "show", table).out.splitlines() if "vendor's own" in line]
    assert "around the same runs, ratio" in line
    assert "on a network of 16 px" in line
    rewrite(table, cross_check=None)
    assert "not asked" in edgewright("table", "show", table).out


def test_validate_accepts_a_table_of_this_machine(edgewright, table):
    found = edgewright("table", "validate", table, "--json").json()
    assert found["valid"] is True
    assert "unedited" in edgewright("table", "validate", table, "--space", f"{SPACE}:4").out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], ["truncated or not JSON"]),
        (lambda text: "", ["truncated or not JSON"]),
        (lambda text: "a table of numbers", ["truncated or not JSON"]),
        (lambda text: "[1, 2]", ["schema"]),
        (lambda text: text.replace('"schema": 4', '"schema": 99'), ["schema 99"]),
        (lambda text: text.replace('"precision": "fp32"', '"precision": "int8"'), ["edited or damaged"]),
        (
            lambda text: text.replace('"threads": 1', '"threads": 1, "colour": "red"'),
            ["unknown key 'colour'"],
        ),
        (lambda text: text.replace('"threads": 1', '"threads": NaN'), ["NaN"]),
        (lambda text: text.replace('"seconds"', '"minutes"'), ["missing key 'seconds'", "unknown key"]),
        (lambda text: text.replace('"threads": 1', '"threads": 1, "threads": 1'), ["'threads' stands twice"]),
        (lambda text: "[" * 100_000, ["no JSON that can be used"]),
        (lambda text: text.replace('"threads": 1', '"threads": ' + "1" * 5000), ["no JSON that can be used"]),
    ],
    ids=[
        *("half", "empty", "text", "list", "schema", "edited", "unknown key", "NaN", "missing key"),
        *("duplicate key", "too deep", "too long a number"),
    ],
)
def test_a_damaged_or_edited_table_is_refused_everywhere(
    edgewright, trained_only, table, tmp_path, damage, said
):
    table.write_text(damage(table.read_text()))
    tables = tmp_path / "tables" / "local-cpu-onnxruntime"
    tables.mkdir(parents=True)
    shutil.copyfile(table, tables / f"{SPACE}-classes4-onnxruntime-fp32.json")
    before = table.read_bytes()
    search = ("search", "--run", trained_only, "--budget", "cpu=50ms", "--tables", tables.parent)
    for command in (("table", "show", table), ("table", "validate", table), search):
        edgewright(*command).refusal(2, *said, "edgewright profile")
    assert table.read_bytes() == before


def test_a_table_that_is_not_there(edgewright, tmp_path):
    edgewright("table", "show", tmp_path / "none.json").refusal(2, "does not exist", "edgewright profile")
    edgewright("table", "show", tmp_path).refusal(2, "cannot be read", "edgewright profile")


def test_a_table_of_another_space_does_not_validate_for_this_one(edgewright, table):
    edgewright("table", "validate", table, "--space", "mobilenetv3-small-image@24:4").refusal(
        2, "lacks", "operators of mobilenetv3-small-image@24:4", "edgewright profile"
    )
    edgewright("table", "validate", table, "--space", f"{SPACE}:7").refusal(
        2, "4 classes", "has 7", "profile"
    )
    edgewright("table", "validate", table, "--space", "resnet").refusal(2, "unknown space")


def test_a_table_of_another_machine_does_not_validate(edgewright, table):
    fingerprint = json.loads(table.read_text())["fingerprint"]
    rewrite(table, fingerprint=fingerprint | {"cpu_model": "a Raspberry Pi"})
    line = edgewright("table", "validate", table).refusal(2, "another machine", "a Raspberry Pi")
    assert "edgewright profile" in line


def test_validate_asks_the_device_that_is_named(edgewright, chain, table, device):
    assert edgewright("table", "validate", table, "--on", "cpu", "--json").json()["compared_with"]
    edgewright("table", "validate", chain.table("litert"), "--on", device.profile.path).refusal(
        2, "is of local-cpu-litert", "shelf asks for", "edgewright profile shelf"
    )
    edgewright("table", "validate", table, "--on", "none-such").refusal(2, "unknown device", "known devices")
    (device.folder / "says").write_text("ssh: connect to host shelf port 22: Connection refused\n")
    rewrite(table, device="shelf", runtime="litert")
    outcome = edgewright("table", "validate", table, "--on", device.profile.path)
    outcome.refusal(4, "Connection refused", "switched on")


def test_a_table_of_another_runtime_version_does_not_validate(edgewright, table):
    rewrite(table, runtime_version="onnxruntime 0.1")
    edgewright("table", "validate", table).refusal(2, "onnxruntime 0.1", "installed is", "edgewright profile")


def in_microseconds(samples):
    return [1000 * ms for ms in samples]


def test_entries_in_another_unit_than_the_networks_are_refused(edgewright, table):
    entries = json.loads(table.read_text())["entries"]
    for entry in entries:
        for kind in ("warm", "cold"):
            entry[kind]["samples_ms"] = in_microseconds(entry[kind]["samples_ms"])
    rewrite(table, entries=entries)
    for verb in ("show", "validate"):
        edgewright("table", verb, table).refusal(2, "look like µs given as ms", "edgewright profile")


def test_a_single_absurd_entry_is_refused(edgewright, table):
    entries = json.loads(table.read_text())["entries"]
    entries[7]["warm"]["samples_ms"] = in_microseconds(entries[7]["warm"]["samples_ms"])
    rewrite(table, entries=entries)
    edgewright("table", "validate", table).refusal(2, "operators of its size take", "edgewright profile")


@pytest.mark.parametrize("sample", [-0.1, 0, 1e9, "1.0", None, True, []])
def test_an_absurd_sample_is_refused(edgewright, table, sample):
    entries = json.loads(table.read_text())["entries"]
    entries[7]["warm"]["samples_ms"][0] = sample
    rewrite(table, entries=entries)
    edgewright("table", "show", table).refusal(2, "entry 7: a sample must be", "edgewright profile")


def test_a_repeated_operator_is_refused(edgewright, table):
    entries = json.loads(table.read_text())["entries"]
    rewrite(table, entries=[*entries, entries[3]])
    edgewright("table", "show", table).refusal(2, "repeats", "edgewright profile")


def test_a_table_of_another_version_of_the_space_is_refused(edgewright, table, trained_only, tmp_path):
    rewrite(table, space_version=99)
    edgewright("table", "validate", table).refusal(2, "is of version 99", "has version 1", "--again")
    folder = tmp_path / "tables" / "local-cpu-onnxruntime"
    folder.mkdir(parents=True)
    shutil.copyfile(table, folder / f"{SPACE}-classes4-onnxruntime-fp32.json")
    search = ("search", "--run", trained_only, "--budget", "cpu=50ms", "--tables", folder.parent)
    edgewright(*search).refusal(2, "is of version 99", "--again")


def test_validate_tells_the_error_figures(edgewright, table):
    out = edgewright("table", "validate", table).out
    assert "Spearman" in out
    assert "before the correction" in out
    assert edgewright("table", "validate", table, "--json").json()["validation"]["mape_percent"] >= 0

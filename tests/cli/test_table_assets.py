import csv
import json
import shutil

import pytest
from doubles.fake_device import FakeDevice
from doubles.lookup_tables import OFA_SPACE, fbnet_csv, ofa_yaml
from doubles.signed import changed

from edgewright.latency.predictor import LatencyPredictor
from edgewright.latency.profiler import profile_space
from edgewright.latency.table import LatencyTable
from edgewright.latency.target import ProfileConfig
from edgewright.spaces import find_space

CONFIG = ProfileConfig(passes=2, rounds=6, n_fit=6, n_validate=4)
PHONE = """
schema = 1
name = "phone"
kind = "cpu"
runtime = "litert"
precisions = ["fp32"]
threads = 1
reach = "none"
description = "A phone that somebody else measured"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two resolutions of a fake device, as files."""
    folder = tmp_path_factory.mktemp("tables")
    for side in (16, 32):
        device, space = FakeDevice(noise=0.01), find_space(f"mobilenetv3-small-image@{side}:4")
        journal = folder / f"j{side}"
        table = profile_space(space, device.target(space), journal=journal, config=CONFIG)
        table.save(folder / f"{side}.json")
    return folder


@pytest.fixture
def blocks(tmp_path):
    path = tmp_path / "blocks.yaml"
    path.write_text(ofa_yaml(), "utf-8")
    return path


def slow_down(data):
    data["created_utc"] = "2030-01-01T00:00:00Z"
    for entry in data["entries"][:20]:
        entry["warm"]["samples_ms"] = [round(2 * ms, 4) for ms in entry["warm"]["samples_ms"]]


def test_import_marks_what_nobody_here_measured(edgewright, blocks, tmp_path):
    command = ("table", "import", blocks, "--device", "some-phone", "--tables", tmp_path / "tables")
    found = edgewright(*command, "--json").json()
    assert found["imported"] is True
    assert found["n_operators"] == len(find_space(OFA_SPACE).all_operators())
    assert found["runtime"] == "unknown"
    assert found["fingerprint"] is None
    table = tmp_path / "tables" / "some-phone" / f"{OFA_SPACE}-unknown-unknown.json"
    assert found["table"] == str(table)
    edgewright(*command).refusal(2, "is there already and is kept", "--again")
    assert "--allow-foreign" in edgewright(*command, "--again").out
    assert "imported" in edgewright("table", "show", table).out
    valid = edgewright("table", "validate", table)
    assert valid.status == 0
    assert "error on whole networks is unknown" in valid.out
    assert edgewright("table", "validate", table, "--json").json()["validation"] is None


def test_a_profile_says_what_an_imported_table_was_measured_with(edgewright, blocks, tmp_path):
    (tmp_path / "phone.toml").write_text(PHONE, "utf-8")
    found = edgewright(
        *("table", "import", blocks, "--device", tmp_path / "phone.toml", "--tables", tmp_path, "--json")
    ).json()
    assert (found["device"], found["runtime"], found["precision"], found["threads"]) == (
        "phone",
        "litert",
        "fp32",
        1,
    )


def test_import_of_keys_of_no_space(edgewright, tmp_path):
    source = tmp_path / "fbnet.csv"
    source.write_text(fbnet_csv(), "utf-8")
    out = tmp_path / "table.json"
    assert "not searched" in edgewright("table", "import", source, "--device", "pi", "--out", out).out
    assert "n_entries" in edgewright("table", "show", out).out
    assert "of no space" in edgewright("table", "validate", out).out
    edgewright("table", "show", out, "--pick", "largest").refusal(2, "operators of no space", "table show")
    edgewright("table", "export", out, "--csv", tmp_path / "x.csv").refusal(2, "operators of no space")


def test_faults_of_an_import_are_one_line_each_with_a_mend(edgewright, tmp_path):
    path = tmp_path / "t"
    for text, parts in {
        fbnet_csv().replace("2.5", "-2.5"): ["22 faulty entries of 88", "negative", "--drop-faulty"],
        fbnet_csv(factor=1000): ["read as ms", "looks like us", "--unit"],
        "a poem": ["none of the known formats", "fbnet", "--format"],
        ofa_yaml() + "x: !!python/object/apply:os.system ['id']\n": ["the tag", "plain floats"],
    }.items():
        path.write_text(text, "utf-8")
        command = ("table", "import", path, "--device", "x", "--out", tmp_path / "out.json")
        edgewright(*command).refusal(2, *parts)
        assert not (tmp_path / "out.json").exists()
        assert edgewright(*command, "--json").status == 2


def test_an_exported_table_imported_again_predicts_the_same(edgewright, made, tmp_path):
    out = tmp_path / "table.csv"
    found = edgewright("table", "export", made / "16.json", "--csv", out, "--json").json()
    table = LatencyTable.load(made / "16.json")
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert found["n_rows"] == len(rows) == len(table.entries)
    assert found["columns"] == list(rows[0])
    by_key = {row["key"]: row for row in rows}
    for op, entry in table.entries.items():
        row = by_key[op.key]
        assert float(row["median_ms"]) == entry.median_ms
        assert float(row["p95_ms"]) == entry.warm.p95_ms
        assert int(row["n_samples"]) == entry.warm.n
        assert row["verdict"] == entry.verdict
    edgewright("table", "export", made / "16.json", "--csv", out).refusal(2, "is kept", "--again")
    again = edgewright("table", "import", out, "--device", "x", "--out", tmp_path / "again.json", "--json")
    assert again.json()["format"] == "csv"
    space = find_space(table.space_name)
    other = LatencyTable.load(tmp_path / "again.json")
    assert other.space_name == table.space_name
    for arch in (space.smallest(), space.largest()):
        expected = LatencyPredictor(table, space).predict_one(arch)
        assert LatencyPredictor(other, space).predict_one(arch) == pytest.approx(expected, rel=1e-12)


def test_diff_tells_what_is_beyond_noise(edgewright, made, tmp_path):
    slowed = changed(made / "16.json", slow_down, to=tmp_path / "slow.json")
    found = edgewright("table", "diff", made / "16.json", slowed, "--json").json()
    assert found["n_beyond_noise"] == 20
    assert len(found["changes"]) == found["n_common"]
    out = edgewright("table", "diff", made / "16.json", slowed).out
    assert "20 of them beyond noise" in out
    assert "+100.0 %" in out
    other = edgewright("table", "diff", made / "16.json", made / "32.json").out
    assert "operators in the first alone" in other
    edgewright("table", "diff", made / "16.json", tmp_path / "none").refusal(2, "does not exist")


def test_merge_makes_one_table_and_judges_it_anew(edgewright, made, tmp_path):
    out = tmp_path / "merged.json"
    command = ("table", "merge", made / "16.json", made / "32.json", "--out", out)
    found = edgewright(*command, "--json").json()
    assert found["space"] == "mobilenetv3-small-image@16+32:4"
    assert found["n_fit"] == 12
    assert found["validation"]["n"] == 8
    edgewright(*command).refusal(2, "is kept", "--again")
    assert "edgewright" not in edgewright("table", "show", out).err


def test_merge_refuses_what_contradicts_or_is_foreign(edgewright, made, tmp_path):
    out = tmp_path / "merged.json"
    slowed = changed(made / "16.json", slow_down, to=tmp_path / "slow.json")
    merge = ("table", "merge", made / "16.json")
    edgewright(*merge, slowed, "--out", out).refusal(2, "contradict each other on 20", "--prefer newest")
    edgewright(*merge, slowed, "--out", out, "--prefer", "oldest").refusal(2, "--prefer knows newest")
    assert not out.exists()
    found = edgewright(*merge, slowed, "--out", out, "--prefer", "newest", "--json").json()
    assert found["n_newest"] == 20
    foreign = changed(
        made / "32.json", lambda d: d.update(runtime_version="ort 2"), to=tmp_path / "foreign.json"
    )
    edgewright(*merge, foreign, "--out", out, "--again").refusal(2, "ort 2", "not measured alike", "profile")
    edgewright(*merge, made / "16.json", "--out", out, "--again").refusal(2, "given twice")
    edgewright(*merge, "--out", out, "--again").refusal(2, "two tables or more")


def test_show_breaks_down_a_network(edgewright, made, tmp_path):
    space = find_space("mobilenetv3-small-image@16:4")
    show = ("table", "show", made / "16.json")
    found = edgewright(*show, "--pick", "largest", "--json").json()["breakdown"]
    assert len(found["operators"]) == len(space.operators(space.largest()))
    out = edgewright(*show, "--pick", "largest").out
    assert "█" in out
    assert f"predicted: {found['predicted_ms']:.4f} ms" in out
    encoding = json.dumps(space.encode(space.largest()).tolist())
    (tmp_path / "arch.json").write_text(json.dumps(space.largest().to_json()), "utf-8")
    for network in (encoding, json.dumps(space.largest().to_json()), tmp_path / "arch.json"):
        assert edgewright(*show, "--network", network, "--json").json()["breakdown"] == found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pick", "fastest"], "smallest or largest"),
        (["--pick", "largest", "--network", "[0]"], "not both"),
        (["--network", "[0, 1"], "cannot read the network"),
        (["--network", "[99]"], "mobilenetv3-small-image"),
        (["--network", '{"depths": 3}'], "cannot read the network"),
        (["--network", '["a"]'], "cannot read the network"),
        (["--network", "nowhere.json"], "cannot read the network"),
        (["--network", "{}"], "cannot read the network"),
        (["--network", '[{"a": 1}]'], "cannot read the network"),
    ],
)
def test_a_network_that_cannot_be_read(edgewright, made, options, said):
    edgewright("table", "show", made / "16.json", *options).refusal(2, said)


def test_show_tells_what_is_doubtful(edgewright, made, tmp_path):
    def spoil(data):
        warm = data["entries"][0]["warm"]
        warm["samples_ms"] = [0.01, 0.02, 0.03, 0.01, 0.05]
        for beside_each in ("marks", "moments"):
            warm.pop(beside_each, None)
        operator = data["entries"].pop()["operator"]
        data["failures"].append({"operator": operator, "reason": "illegal instruction"})

    path = changed(made / "16.json", spoil, to=tmp_path / "doubtful.json")
    out = edgewright("table", "show", path).out
    assert "noisy operators (" in out
    assert "failed operators (1)" in out
    assert "illegal instruction" in out
    assert "anchor over time" in out
    found = edgewright("table", "show", path, "--json").json()
    assert len(found["noisy"]) >= 1
    assert found["failures"][0]["reason"] == "illegal instruction"
    assert len(found["anchor"]["medians_ms"]) > 1


def test_nothing_is_lost_when_a_file_cannot_be_written(edgewright, made, tmp_path):
    (tmp_path / "file").write_text("kept", "utf-8")
    for command in (
        ("table", "export", made / "16.json", "--csv", tmp_path / "file" / "x.csv"),
        ("table", "merge", made / "16.json", made / "32.json", "--out", tmp_path / "file" / "x.json"),
    ):
        edgewright(*command).refusal(2, "cannot write", "folder")
    assert (tmp_path / "file").read_text() == "kept"
    before = shutil.copyfile(made / "16.json", tmp_path / "copy.json").read_bytes()
    assert (made / "16.json").read_bytes() == before


def test_plots_are_written_as_png(edgewright, made, blocks, tmp_path):
    out = tmp_path / "plots"
    found = edgewright("table", "plot", made / "16.json", "--out", out, "--json").json()
    names = {"predicted.png", "error.png", "breakdown-largest.png", "drift.png"}
    assert {path.name for path in out.iterdir()} == names
    assert len(found["files"]) == 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in out.iterdir())
    told = edgewright("table", "plot", made / "16.json", "--out", out, "--pick", "smallest").out
    assert "breakdown-smallest.png" in told
    table = tmp_path / "imported.json"
    edgewright("table", "import", blocks, "--device", "phone", "--out", table)
    found = edgewright("table", "plot", table, "--out", tmp_path / "few", "--json").json()
    assert [path.name for path in (tmp_path / "few").iterdir()] == ["breakdown-largest.png"]
    assert set(found["left_out"]) == {"error.png", "drift.png"}
    edgewright("table", "plot", table, "--out", table).refusal(2, "cannot write")


def test_an_imported_table_is_searched_only_where_that_is_allowed(
    edgewright, chain, trained_only, tmp_path, monkeypatch
):
    """A table goes out as CSV, comes back as somebody's phone, and a search holds a budget against it."""
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "phone.toml").write_text(PHONE, "utf-8")
    monkeypatch.chdir(tmp_path)
    edgewright("table", "export", chain.table("cpu"), "--csv", "table.csv")
    imported = edgewright("table", "import", "table.csv", "--device", "phone", "--json").json()
    assert imported["table"] == f"latency_tables/phone/{chain.space.slug}-litert-fp32.json"
    search = ("search", "--run", trained_only, "--budget", "phone=50ms", "--evaluations", "20")
    search += ("--surrogate", "ridge", "--no-verify")
    edgewright(*search).refusal(2, "was imported", "error on whole networks is unknown", "--allow-foreign")
    found = edgewright(*search, "--allow-foreign")
    assert found.status == 0, found.err
    assert "with an error that nobody knows" in found.err
    page = edgewright("report", trained_only)
    assert page.status == 0, page.err

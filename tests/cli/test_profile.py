import json

import pytest
from doubles.tiny_chain import DEVICES, SPACE, contents


@pytest.fixture
def table(chain, tables):
    return tables / chain.table("cpu").relative_to(chain.tables)


@pytest.mark.parametrize("device", DEVICES)
def test_a_table_that_is_there_is_returned_not_measured_again(edgewright, chain, device):
    before = contents(chain.tables)
    command = ("profile", device, "--run", chain.run, "--tables", chain.tables)
    found = edgewright(*command, "--json").json()
    assert found["reused"] is True
    assert found["table"] == str(chain.table(device))
    assert found["device"] == DEVICES[device]
    assert found["n_operators"] == len(chain.space.all_operators())
    assert found["validation"]["n"] == 6
    assert "--again measures anew" in edgewright(*command).out
    assert contents(chain.tables) == before


def test_space_and_run_name_the_same_table(edgewright, chain):
    named = ("profile", "cpu", "--space", f"{SPACE}:4", "--tables", chain.tables, "--json")
    assert edgewright(*named).json()["table"] == str(chain.table("cpu"))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["toaster", "--space", SPACE], 2, ["unknown device 'toaster'", "local-cpu-onnxruntime"]),
        (["cpu"], 2, ["--space", "--run", "mobilenetv3-w1.0"]),
        (["cpu", "--space", SPACE, "--run", "x"], 2, ["either --space", "--run"]),
        (["cpu", "--space", "resnet"], 2, ["unknown space 'resnet'", "mobilenetv3-w1.0"]),
        (["cpu", "--run", "x"], 2, ["x/run.json does not exist", "edgewright train"]),
        (["cpu", "--space", SPACE, "--preset", "hasty"], 2, ["unknown preset 'hasty'", "quick, default"]),
        (["cpu", "--space", SPACE, "--precision", "fp8"], 2, ["no precision 'fp8'", "fp32, int8, fp16"]),
        (["cpu", "--space", SPACE, "--precision", "int4"], 2, ["no precision 'int4'", "fp32, int8"]),
        (["rtx-4090", "--space", SPACE], 4, ["rtx-4090 is not attached", "reach is 'local'"]),
        (["orin-nano", "--space", SPACE], 4, ["orin-nano is not attached", "on the device itself"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_profiled(edgewright, tmp_path, arguments, status, said):
    edgewright("profile", *arguments, "--tables", tmp_path / "tables").refusal(status, *said)
    assert not (tmp_path / "tables").exists()


def test_a_machine_that_is_not_fit_is_told_apart_from_wrong_input(edgewright, tmp_path):
    profile = tmp_path / "picky.toml"
    profile.write_text(
        'schema = 1\nname = "picky"\nkind = "cpu"\nruntime = "onnxruntime"\nprecisions = ["fp32"]\n'
        'threads = 1\nreach = "local"\ndescription = "never content"\n[gates]\nmax_load = 1e-9\n'
    )
    command = ("profile", profile, "--space", SPACE, "--tables", tmp_path / "tables")
    edgewright(*command).refusal(4, "not fit to be measured", "[gates]", "picky.toml")


def test_a_truncated_table_is_kept_until_again_is_said(edgewright, chain, tables, table):
    table.write_bytes(table.read_bytes()[:5000])
    before = contents(tables)
    edgewright("profile", "cpu", "--run", chain.run, "--tables", tables).refusal(
        2, "is there already and is kept", "truncated", "--again"
    )
    assert contents(tables) == before


def test_a_file_of_something_else_is_kept(edgewright, chain, tmp_path):
    notes = tmp_path / "notes.json"
    notes.write_text('{"shopping": ["milk"]}')
    before = contents(tmp_path)
    edgewright("profile", "cpu", "--run", chain.run, "--out", notes).refusal(2, "is kept", "schema", "--out")
    edgewright("profile", "cpu", "--run", chain.run, "--out", tmp_path).refusal(2, "is kept", "--out")
    assert contents(tmp_path) == before


def test_a_table_of_another_precision_runtime_or_space_is_not_taken_for_this_one(edgewright, chain, table):
    int8 = ("profile", "cpu", "--precision", "int8", "--run", chain.run, "--out", table)
    edgewright(*int8).refusal(2, "is kept", "fp32", "asks for onnxruntime, int8", "--out")
    litert = ("profile", "litert", "--run", chain.run, "--out", table)
    edgewright(*litert).refusal(2, "is kept", "through onnxruntime", "local-cpu-litert", "--out")
    other = ("profile", "cpu", "--space", "mobilenetv3-small-image@24", "--out", table)
    edgewright(*other).refusal(2, "is kept", "lacks", "operators of mobilenetv3-small-image@24", "--out")


def test_a_journal_of_something_else_is_kept(edgewright, chain, tmp_path):
    table = tmp_path / "table.json"
    journal = tmp_path / ".table.journal"
    header = {"kind": "header", "schema": 2, "identity": {"device": "toaster"}, "facts": {}}
    journal.write_text(json.dumps(header) + "\n")
    before = contents(tmp_path)
    edgewright("profile", "cpu", "--run", chain.run, "--out", table).refusal(
        2, "measured something else", "device is toaster there", "delete"
    )
    assert contents(tmp_path) == before

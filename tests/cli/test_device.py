import pytest

GOOD = """schema = 1
name = "bench"
alias = "b"
kind = "cpu"
runtime = "onnxruntime"
precisions = ["fp32"]
threads = 1
reach = "local"
description = "a profile of a test"
"""


def test_list_has_every_shipped_device_and_ones_own(edgewright, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "device_profiles").mkdir()
    (tmp_path / "device_profiles" / "bench.toml").write_text(GOOD)
    names = {device["name"] for device in edgewright("device", "list", "--json").json()}
    assert {"bench", "local-cpu-onnxruntime", "local-cpu-litert", "raspberry-pi-5", "rtx-4090"} <= names
    out = edgewright("device", "list").out
    assert "device" in out.splitlines()[0]
    assert "raspberry-pi-4" in out


def test_show_takes_a_name_an_alias_or_a_path(edgewright, tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(GOOD)
    by_name, by_alias, by_path = (
        edgewright("device", "show", name, "--json").json() for name in ("local-cpu-onnxruntime", "cpu", path)
    )
    assert by_name == by_alias
    assert by_name["runtime"] == "onnxruntime"
    assert by_path["name"] == "bench"
    assert "source: " in edgewright("device", "show", "raspberry-pi-5").out


def test_probe_says_what_this_machine_is(edgewright):
    found = edgewright("device", "probe", "--json").json()
    assert found["cpu_model"]
    assert "cpu_model" in edgewright("device", "probe").out


def test_an_unknown_device_is_answered_with_the_known_ones(edgewright):
    edgewright("device", "show", "pi9").refusal(2, "unknown device 'pi9'", "raspberry-pi-5", "path")


@pytest.mark.parametrize(
    ("edit", "faults"),
    [
        (lambda text: text[: len(text) // 2], ["bench.toml", "not TOML"]),
        (lambda text: text + "colour = 'red'\n", ["unknown key 'colour'", "device show"]),
        (
            lambda text: text.replace('"cpu"', '"toaster"').replace("threads = 1", 'threads = "two"'),
            ["kind must be one of", "threads must be an integer", "device show"],
        ),
        (lambda text: text.replace("schema = 1", "schema = 9"), ["schema must be 1"]),
        (lambda text: text.replace('name = "bench"\n', ""), ["missing key 'name'"]),
    ],
    ids=["truncated", "unknown key", "wrong values", "other schema", "missing key"],
)
def test_a_damaged_or_edited_profile_is_refused_with_all_its_faults(edgewright, tmp_path, edit, faults):
    path = tmp_path / "bench.toml"
    path.write_text(edit(GOOD))
    before = path.read_bytes()
    edgewright("device", "show", path).refusal(2, *faults)
    edgewright("profile", path, "--space", "mobilenetv3-small-image@16").refusal(2, *faults)
    assert path.read_bytes() == before


def test_a_profile_that_is_not_there_is_refused(edgewright, tmp_path):
    edgewright("device", "show", tmp_path / "none.toml").refusal(
        2, "does not exist", "edgewright device list"
    )

import json
from pathlib import Path

import pytest
from doubles.tiny_chain import contents


def test_a_folder_that_is_not_a_demos_is_left_alone(edgewright, tmp_path):
    (tmp_path / "report.html").write_text("the annual report")
    before = contents(tmp_path)
    edgewright("demo", "--quick", "--out", tmp_path).refusal(2, "not a demo's folder", "--out")
    edgewright("demo", "--quick", "--out", tmp_path / "report.html").refusal(2, "not a demo's", "--out")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("marker", ['{"schema": 1, "seed": 0}', "{", "[]"])
def test_a_demo_with_other_settings_is_left_alone(edgewright, tmp_path, marker):
    (tmp_path / "demo.json").write_text(marker)
    before = contents(tmp_path)
    edgewright("demo", "--quick", "--out", tmp_path).refusal(2, "demo", "--out")
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_the_quick_demo_ends_in_verified_files_and_a_report(edgewright, tmp_path):
    command = ("demo", "--quick", "--out", tmp_path / "demo")
    found = edgewright(*command, "--json").json()
    assert Path(found["report"]).is_file()
    assert {row["parity"] for row in found["verification"]["finalists"]} == {"passed"}
    assert {row["device"] for row in found["verification"]["finalists"]} == set(found["tables"])
    assert list((tmp_path / "demo").rglob("model.onnx"))
    assert list((tmp_path / "demo").rglob("model.tflite"))
    weights = found["training"]["weights_sha256"]
    again = edgewright(*command, "--json").json()
    assert again["training"]["weights_sha256"] == weights
    assert again["search"] == found["search"]
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["schema"] == 1

import json
from pathlib import Path

import pytest
from doubles.tiny_chain import contents


@pytest.mark.parametrize(
    ("device", "precision", "suffix", "parity"),
    [
        ("cpu", "fp32", ".onnx", "passed"),
        ("cpu", "int8", ".onnx", "passed"),
        ("cpu", "fp16", ".onnx", "passed"),
        ("litert", "fp32", ".tflite", "passed"),
        ("litert", "fp16", ".tflite", "passed"),
        ("litert", "int8", ".tflite", "passed"),
        ("raspberry-pi-5", "fp32", ".tflite", "passed"),
    ],
)
def test_a_network_is_compiled_checked_and_described(edgewright, own_run, device, precision, suffix, parity):
    command = ("compile", own_run, "--pick", "1", "--for", device, "--precision", precision)
    found = edgewright(*command, "--json").json()
    artifact, manifest = Path(found["artifact"]), json.loads(Path(found["manifest"]).read_text())
    assert artifact.suffix == suffix
    assert found["size_bytes"] == artifact.stat().st_size == manifest["size_bytes"]
    assert found["parity"]["status"] == manifest["parity"]["status"] == parity
    assert manifest["classes"] == ["checker", "columns", "diagonal", "rows"]
    assert manifest["input"]["layout"] == ("NHWC" if suffix == ".tflite" else "NCHW")
    again = edgewright(*command)
    assert f"against torch on 100 test images: {parity}" in again.out
    assert {path.name for path in artifact.parent.iterdir()} == {"model" + suffix, "model.json"}


def test_an_engine_without_a_gpu_is_not_called_verified(edgewright, own_run):
    pytest.importorskip("tensorrt_rtx")
    found = edgewright("compile", own_run, "--pick", "smallest", "--for", "rtx-4090", "--json").json()
    assert Path(found["artifact"]).suffix == ".engine"
    if found["parity"]["status"] != "passed":  # there is no GPU here
        assert found["parity"]["status"] == "not verified"
        assert found["artifact"] in found["parity"]["reason"], "it says where the file lies"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--pick", "999", "--for", "cpu"], 2, ["no network '999'", "edgewright front show"]),
        (["--pick", "../1", "--for", "cpu"], 2, ["no network '../1'", "edgewright front show"]),
        (["--pick", "1", "--for", "orin-nano"], 4, ["on the card that runs it", "on the device itself"]),
        (["--pick", "1", "--for", "toaster"], 2, ["unknown device 'toaster'", "known devices"]),
        (
            ["--pick", "1", "--for", "cpu", "--precision", "fp8"],
            2,
            ["no precision 'fp8'", "fp32, int8, fp16"],
        ),
        (["--pick", "1", "--for", "cpu", "--precision", "int4"], 2, ["no precision 'int4'", "fp32, int8"]),
        (["--pick", "1", "--for", "cpu", "--name", "other"], 2, ["no search 'other'", "edgewright search"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_compiled(edgewright, own_run, arguments, status, said):
    before = contents(own_run)
    edgewright("compile", own_run, *arguments).refusal(status, *said)
    assert contents(own_run) == before


def test_a_run_that_is_not_trained_cannot_be_compiled(edgewright, trained_only):
    (trained_only / "supernet.safetensors").unlink()
    command = ("compile", trained_only, "--pick", "smallest", "--for", "cpu")
    edgewright(*command).refusal(2, "has not finished", "edgewright train")


def test_damaged_weights_are_refused(edgewright, trained_only):
    path = trained_only / "supernet.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    command = ("compile", trained_only, "--pick", "smallest", "--for", "cpu")
    edgewright(*command).refusal(2, "supernet.safetensors")
    assert not list(trained_only.glob("artifacts/**/model.*"))


def test_a_network_is_fine_tuned_where_asked_for(edgewright, own_run):
    command = ("compile", own_run, "--pick", "smallest", "--for", "cpu", "--fine-tune", "1")
    found = edgewright(*command, "--json").json()
    assert found["id"] == "smallest-tuned"
    assert found["fine_tuned"]["epochs"] == 1
    assert found["fine_tuned"]["after"] >= found["fine_tuned"]["before"]
    assert "fine-tuned, the best epoch of 1: validation accuracy" in edgewright(*command).out
    assert "fine_tuned" not in edgewright(*command[:-2], "--json").json()
    edgewright(*command[:-1], "-1").refusal(2, "--fine-tune", "greater than or equal to 0")

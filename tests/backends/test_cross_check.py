import json

import pytest
from contracts.exporter_contract import IN_SHAPE
from doubles.plain_networks import small_network

from edgewright.backends.cross_check import CrossCheck, NoCrossCheck, cross_check
from edgewright.backends.litert import vendor as litert
from edgewright.backends.onnxruntime import vendor as onnxruntime
from edgewright.backends.registry import exporter
from edgewright.backends.tensorrt import vendor as tensorrt
from edgewright.errors import RuntimeFailureError, UsageError


@pytest.fixture
def artifact(tmp_path):
    def make(name):
        writer = exporter(name)
        path = tmp_path / f"net{writer.suffix}"
        writer.export(small_network(), IN_SHAPE, path)
        return path

    return make


def test_onnxruntime_profiles_itself_and_agrees_with_our_clock(artifact):
    found = cross_check(artifact("onnxruntime"), "onnxruntime")
    assert isinstance(found, CrossCheck)
    assert found.n == 100
    # The same runs, two clocks: a wrong unit or a wrong event would be off by far more.
    assert 0.5 < found.ratio(float("nan")) <= 1.0
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert next(iter(found.shares)) == "Conv"
    assert "around the same runs" in found.text(1.0)
    assert json.loads(json.dumps(found.to_json()))["shares"]["Conv"] == found.shares["Conv"]


def test_litert_benchmark_is_run_and_read(artifact):
    found = cross_check(artifact("litert"), "litert")
    assert isinstance(found, CrossCheck)
    assert (found.n, found.resolution_ms) == (100, 0.01)
    assert 0 <= found.median_ms < 100
    assert found.tool.startswith("litert-benchmark of ai-edge-litert ")
    assert "told to 0.01 ms" in found.text(1.0)


def test_what_a_vendors_tool_refuses_is_a_reason_and_no_error(tmp_path):
    for name, suffix in (("litert", ".tflite"), ("onnxruntime", ".onnx")):
        path = tmp_path / f"broken{suffix}"
        path.write_bytes(b"to do: buy milk\n" * 99)
        found = cross_check(path, name)
        assert isinstance(found, NoCrossCheck)
        assert "vendor's tool failed" in found.reason


def test_a_wheel_without_the_tool_says_what_to_install(artifact, monkeypatch):
    monkeypatch.setattr(litert, "MODULE", "ai_edge_litert.no_such_tools.benchmark")
    found = cross_check(artifact("litert"), "litert")
    assert isinstance(found, NoCrossCheck)
    assert "pip install --upgrade ai-edge-litert" in found.reason


def test_what_is_no_artifact_of_the_runtime_is_an_error(artifact, tmp_path):
    with pytest.raises(RuntimeFailureError, match=r"no \.tflite file"):
        cross_check(artifact("onnxruntime"), "litert")
    with pytest.raises(UsageError, match="known runtimes"):
        cross_check(tmp_path / "x.onnx", "openvino")


def test_a_tool_that_changed_its_output_is_told():
    with pytest.raises(RuntimeFailureError, match="cannot be read"):
        litert.read_result('{"latency": {}}', "litert-benchmark")
    found = onnxruntime.read_profile([{"cat": "Session", "name": "session_initialization"}], "profile")
    assert isinstance(found, NoCrossCheck)
    for text in ("{}", "[]", '[{"computeMs": 1.0}]', "[{"):
        with pytest.raises(RuntimeFailureError, match=r"cannot be read|no run after"):
            tensorrt.read_times(text, "trtexec")


# As TensorRT's samples/common/sampleReporting.cpp writes it; the first run is of the warm-up.
TIMES = """[
  { "startEnqMs" : 1, "endEnqMs" : 1.01, "startH2dMs" : 1, "endH2dMs" : 1, "startComputeMs" : 1,
    "endComputeMs" : 3, "startD2hMs" : 3, "endD2hMs" : 3, "h2dMs" : 0, "computeMs" : 2, "d2hMs" : 0,
    "latencyMs" : 2, "endToEndMs" : 2 }
, { "startComputeMs" : 200.5, "computeMs" : 0.512, "latencyMs" : 0.512 }
, { "startComputeMs" : 201.5, "computeMs" : 0.514, "latencyMs" : 0.514 }
, { "startComputeMs" : 202.5, "computeMs" : 0.613, "latencyMs" : 0.613 }
]
"""


def test_trtexec_is_run_where_it_is_on_the_path(tmp_path, monkeypatch):
    path = tmp_path / "net.engine"
    path.write_bytes(b"an engine")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = cross_check(path, "tensorrt")
    assert isinstance(found, NoCrossCheck)
    assert "not on PATH" in found.reason
    # A stand-in that writes what the real tool does: no GPU is needed to read it.
    (tmp_path / "times").write_text(TIMES)
    tool = tmp_path / "trtexec"
    tool.write_text(
        '#!/bin/sh\nfor word in "$@"; do case "$word" in --exportTimes=*) out="${word#*=}";; '
        f'--loadEngine={path}) loaded=1;; esac; done\n[ "$loaded" ] && /bin/cat {tmp_path}/times > "$out"\n'
    )
    tool.chmod(0o755)
    found = cross_check(path, "tensorrt")
    assert isinstance(found, CrossCheck)
    assert (found.median_ms, found.n) == (0.514, 3)
    tool.write_text("#!/bin/sh\necho '[E] Error: engine of another version' >&2\nexit 1\n")
    found = cross_check(path, "tensorrt")
    assert isinstance(found, NoCrossCheck)
    assert "status 1: [E] Error: engine of another version" in found.reason

"""A package that is not installed: one line, the extra that brings it, nothing lost."""

import shutil

import pytest
from doubles.command import ShellWithout
from doubles.tiny_chain import BUDGET, SPACE, contents


@pytest.fixture(scope="module")
def without_converters():
    """What a machine lacks that has LiteRT to run, but not what makes files for the others."""
    shell = ShellWithout(
        "onnxruntime", "ai_edge_quantizer", "tensorrt_rtx", "plotly", "tensorboard", "pynvml"
    )
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def without_litert():
    shell = ShellWithout("ai_edge_litert", "tflite_runtime", "jinja2")
    yield shell
    shell.close()


def mend(extra):
    return f"pip install 'edgewright[{extra}]'"


def test_doctor_names_the_extra_of_what_is_missing(without_converters):
    checks = {check["name"]: check for check in without_converters("doctor", "--json").json()}
    for name, extra in {
        "onnxruntime": "onnxruntime",
        "ai-edge-quantizer": "litert",
        "plotly": "report",
        "tensorrt-rtx-cu13": "tensorrt-rtx",
    }.items():
        assert checks[name]["status"] == "missing"
        assert checks[name]["mend"] == mend(extra)
    assert checks["ai-edge-litert"]["status"] == "ok"
    assert checks["NVIDIA GPU"]["status"] == "absent"


def test_profile_without_the_runtime(without_converters, without_litert, tmp_path):
    command = ("profile", "--space", SPACE, "--tables", tmp_path / "tables")
    without_converters(*command, "cpu").refusal(2, "onnxruntime is not installed", mend("onnxruntime"))
    without_litert(*command, "litert").refusal(2, "not installed", mend("litert"))
    assert not (tmp_path / "tables").exists()


def test_search_without_the_runtime_of_its_table(without_converters, chain, trained_only):
    before = contents(trained_only)
    command = ("search", "--run", trained_only, "--budget", BUDGET, "--tables", chain.tables)
    without_converters(*command).refusal(2, "onnxruntime is not installed", mend("onnxruntime"))
    assert contents(trained_only) == before


def test_bench_without_the_runtime(without_litert, chain):
    command = ("bench", chain.artifact("litert"), "--on", "litert")
    without_litert(*command).refusal(2, "not installed", mend("litert"))


@pytest.mark.parametrize(
    ("device", "precision", "extra"), [("litert", "int8", "litert"), ("rtx-4090", "fp16", "tensorrt-rtx")]
)
def test_compile_without_the_converter(without_converters, own_run, device, precision, extra):
    before = contents(own_run)
    command = ("compile", own_run, "--pick", "1", "--for", device, "--precision", precision)
    without_converters(*command).refusal(2, "not installed", mend(extra))
    assert contents(own_run) == before


def test_what_is_compiled_without_its_runtime_is_not_called_verified(without_converters, own_run):
    shutil.rmtree(own_run / "artifacts")
    found = without_converters("compile", own_run, "--pick", "1", "--for", "cpu", "--json").json()
    assert found["parity"]["status"] == "not verified"
    assert mend("onnxruntime") in found["parity"]["reason"]


def test_report_without_its_extra(without_converters, without_litert, own_run):
    before = contents(own_run)
    without_converters("report", own_run).refusal(2, "plotly, which is not installed", mend("report"))
    without_litert("report", own_run).refusal(2, "not installed", mend("report"))
    assert contents(own_run) == before


def test_the_demo_names_all_that_it_lacks_before_it_begins(without_litert, tmp_path):
    demo = without_litert("demo", "--out", tmp_path / "demo")
    demo.refusal(2, "ai-edge-litert, jinja2", mend("litert"), mend("report"))
    assert not (tmp_path / "demo").exists()


def test_train_without_tensorboard(without_converters, chain, tmp_path):
    command = ("train", "--space", SPACE, "--data", chain.images, "--out", tmp_path / "run", "--epochs", "1")
    without_converters(*command, "--tensorboard").refusal(2, "TensorBoard", mend("tensorboard"))

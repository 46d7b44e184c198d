import os
import signal
import sys

import numpy as np
import pytest
import torch
from contracts.exporter_contract import IN_SHAPE
from doubles.plain_networks import small_network
from torch import nn

from edgewright.backends.registry import exporter
from edgewright.errors import RuntimeFailureError
from edgewright.latency import footprint_child
from edgewright.latency.footprint import Footprint, measure_footprint

RUNTIMES = ("onnxruntime", "litert")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """A small network and one whose weights alone take 16 MB, by runtime."""
    folder = tmp_path_factory.mktemp("artifacts")
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Conv2d(3, 8, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2**19, 1))
    found = {}
    for name in RUNTIMES:
        writer = exporter(name)
        for size, module in (("small", small_network()), ("large", wide)):
            path = folder / f"{size}{writer.suffix}"
            writer.export(module, IN_SHAPE, path)
            found[name, size] = path
    return found


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_larger_network_takes_more_memory_and_the_file_size_is_exact(artifacts, name):
    small, large = (measure_footprint(artifacts[name, size], name) for size in ("small", "large"))
    assert small.size_bytes == artifacts[name, "small"].stat().st_size
    assert 0 < small.memory_bytes < large.memory_bytes
    # All its weights are read to be run.
    assert large.memory_bytes - small.memory_bytes > 0.8 * (large.size_bytes - small.size_bytes)
    assert small.baseline_bytes > 10e6  # the interpreter and the runtime
    assert min(small.load_ms, small.first_load_ms) > 0
    assert 1 <= small.n_loads <= footprint_child.MAX_LOADS
    assert "MB" in small.text()
    assert Footprint(**small.to_json()) == small


def test_what_the_calling_process_holds_is_not_counted(artifacts):
    held = np.ones(50_000_000, dtype=np.int8)  # ru_maxrss would survive the start of the child
    found = measure_footprint(artifacts["litert", "small"], "litert")
    assert found.memory_bytes < held.nbytes


def test_what_the_runtime_refuses_is_told_in_its_words(tmp_path, artifacts):
    path = tmp_path / "broken.onnx"
    path.write_bytes(artifacts["onnxruntime", "small"].read_bytes()[:500])
    with pytest.raises(RuntimeFailureError, match=r"refuses .*broken\.onnx"):
        measure_footprint(path, "onnxruntime")
    with pytest.raises(RuntimeFailureError, match="does not exist"):
        measure_footprint(tmp_path / "none.onnx", "onnxruntime")


def test_a_process_that_is_too_slow_is_ended(artifacts):
    with pytest.raises(RuntimeFailureError, match=r"within 0 s"):
        measure_footprint(artifacts["litert", "small"], "litert", timeout_s=0.01)


def test_a_process_that_dies_is_told_with_its_status(artifacts, tmp_path, monkeypatch):
    # An interpreter that is killed by a signal, as a runtime that crashes is.
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho loading >&2\nkill -{signal.SIGSEGV.value} $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(RuntimeFailureError, match=rf"down .*status -{signal.SIGSEGV.value}: loading"):
        measure_footprint(artifacts["litert", "small"], "litert")


def test_files_of_the_working_folder_hide_no_module(artifacts, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')\n")
    artifact = artifacts["litert", "small"]
    monkeypatch.chdir(tmp_path)
    assert measure_footprint(artifact, "litert").load_ms > 0


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="not Linux")  # noqa: PTH110
def test_the_peak_is_forgotten_where_the_kernel_lets_it():
    held = np.ones(80_000_000, dtype=np.int8)
    high = footprint_child.peak_bytes()
    assert high >= held.nbytes
    del held
    footprint_child.forget_peak()
    assert footprint_child.peak_bytes() < high - 70e6

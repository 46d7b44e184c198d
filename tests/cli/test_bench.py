import json

import pytest


@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_bench_measures_and_keeps_every_sample(edgewright, chain, device):
    found = edgewright("bench", chain.artifact(device), "--on", device, "--budget", "1s", "--json").json()
    assert 0 < found["median_ms"] <= found["p95_ms"]
    assert found["budget_ms"] == 1000
    assert found["verdict"] in ("ok", "noisy", "throttled")
    assert bool(found["verdict_reason"]) == (found["verdict"] != "ok")
    assert found["samples_ms"]
    assert found["size_bytes"] == found["footprint"]["size_bytes"] == chain.artifact(device).stat().st_size
    assert found["footprint"]["load_ms"] > 0
    assert bool(found["energy"]) != bool(found["energy_reason"])
    assert "vendor" not in found


def test_bench_tells_a_reader_what_else_a_network_costs(edgewright, chain):
    told = edgewright("bench", chain.artifact("litert"), "--on", "litert").out
    assert all(words in told for words in ("median", "file 0.", "loads in", "energy", "a fresh process"))


@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_the_vendors_own_tool_stands_beside(edgewright, chain, device):
    command = ("bench", chain.artifact(device), "--on", device, "--vendor")
    found = edgewright(*command, "--json").json()
    assert found["vendor"]["n"] == 100
    assert found["vendor"]["ratio"] >= 0
    assert found["vendor_reason"] == ""
    assert found["median_ms"] > 0
    told = edgewright(*command).out
    assert found["vendor"]["tool"] in told
    assert "ratio" in told


def test_a_broken_budget_is_status_3_and_says_by_how_much(edgewright, chain):
    found = edgewright("bench", chain.artifact("cpu"), "--on", "cpu", "--budget", "0.1us")
    found.refusal(3, "% over its budget of 0.0001 ms", "edgewright front pick")
    assert "median" in found.out
    document = json.loads(
        edgewright("bench", chain.artifact("cpu"), "--on", "cpu", "--budget", "1us", "--json").out
    )
    assert document["exit_code"] == 3
    assert document["median_ms"] > 0.001


@pytest.mark.parametrize("budget", ["4", "4MB", "fast", "-1ms", "cpu=4ms", "4ms,5ms"])
def test_a_budget_that_is_no_time(edgewright, chain, budget):
    edgewright("bench", chain.artifact("cpu"), "--on", "cpu", "--budget", budget).refusal(2, budget, "4ms")


def test_a_file_that_is_not_there_or_of_another_runtime(edgewright, chain, tmp_path):
    edgewright("bench", tmp_path / "none.onnx", "--on", "cpu").refusal(
        2, "does not exist", "edgewright compile"
    )
    edgewright("bench", chain.artifact("cpu"), "--on", "litert").refusal(2, "no .tflite file")
    edgewright("bench", chain.artifact("litert"), "--on", "cpu").refusal(2, "no .onnx file")
    edgewright("bench", tmp_path, "--on", "cpu").refusal(2)


@pytest.mark.parametrize("device", ["cpu", "litert"])
@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_a_damaged_file_is_one_line(edgewright, chain, tmp_path, device, damage):
    whole = chain.artifact(device)
    path = tmp_path / whole.name
    data = {"truncated": whole.read_bytes()[:20_000], "text": b"to do: buy milk\n" * 99, "empty": b""}[damage]
    path.write_bytes(data)
    edgewright("bench", path, "--on", device).refusal(2, path, "edgewright compile")
    assert path.read_bytes() == data


def test_a_device_that_is_not_here_is_status_4(edgewright, chain):
    command = ("bench", chain.artifact("litert"), "--on", "raspberry-pi-5")
    edgewright(*command).refusal(4, "raspberry-pi-5 is not attached", "on the device itself")
    edgewright("bench", chain.artifact("cpu"), "--on", "toaster").refusal(2, "unknown device 'toaster'")

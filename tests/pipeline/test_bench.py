import os
from dataclasses import replace

import pytest
from doubles.sysfs import tree

from edgewright.devices.energy_sensors import find_sensors
from edgewright.devices.profile import DeviceProfile
from edgewright.devices.throttle import Snapshot
from edgewright.errors import BudgetError, BudgetViolationError, DeviceUnavailableError, RuntimeFailureError
from edgewright.pipeline import bench
from edgewright.pipeline.bench import bench_artifact
from edgewright.pipeline.runners import require_attached


def test_a_result_tells_its_samples_and_conditions(chain):
    found = bench_artifact(chain.artifact("litert"), "litert", budget="1s")
    found.require()
    told = found.to_json()
    assert told["median_ms"] == found.measurement.median_ms
    assert told["samples_ms"]
    assert told["threads"] == 1
    assert found.budget_ms == 1000.0
    assert str(chain.artifact("litert")) in found.text()


def test_a_violated_budget_says_by_how_much(chain):
    found = bench_artifact(chain.artifact("litert"), DeviceProfile.find("litert"), budget="0.01us")
    over = found.measurement.median_ms / 1e-5 - 1
    with pytest.raises(BudgetViolationError, match=f"{over:.1%} over its budget"):
        found.require()


def throttling(*snapshots):
    """Return a stand-in for ``snapshot`` that tells these, then the last for ever."""
    left = list(snapshots)

    def snapshot(*, gpus=False):
        return left.pop(0) if len(left) > 1 else left[0]

    return snapshot


def test_a_device_that_is_slowed_down_is_not_called_ok(chain, monkeypatch):
    cool = Snapshot(clock_mhz=1500.0, temperature_c=60.0)
    capped = Snapshot(clock_mhz=600.0, temperature_c=80.0, throttled=("frequency capped",))
    monkeypatch.setattr(bench, "snapshot", throttling(cool, capped))
    found = bench_artifact(chain.artifact("litert"), "litert")
    assert found.verdict == "throttled"
    assert "frequency capped" in found.text()
    assert found.to_json()["after"]["clock_mhz"] == 600.0


def test_an_attempt_that_nothing_slowed_is_preferred(chain, monkeypatch):
    monkeypatch.setattr(bench, "ATTEMPTS", 2)
    cool = Snapshot(clock_mhz=None, temperature_c=60.0)
    capped = Snapshot(clock_mhz=None, temperature_c=70.0, throttled=("under-voltage",))
    monkeypatch.setattr(bench, "snapshot", throttling(cool, capped, cool))
    assert bench_artifact(chain.artifact("litert"), "litert").slowed_by == ()


def test_a_device_that_grows_too_hot_is_left_alone(chain, monkeypatch):
    monkeypatch.setattr(bench, "ATTEMPTS", 3)
    cool = Snapshot(clock_mhz=None, temperature_c=60.0)
    capped = Snapshot(clock_mhz=None, temperature_c=84.0, throttled=("throttled",))
    hot = Snapshot(clock_mhz=None, temperature_c=91.0)
    monkeypatch.setattr(bench, "snapshot", throttling(cool, capped, hot))
    found = bench_artifact(chain.artifact("litert"), "litert")
    assert found.verdict == "aborted"
    assert "91 °C, its gate is 85 °C" in found.verdict_reason
    assert found.measurement.n > 0


def test_a_latency_is_kept_where_the_footprint_fails(chain, monkeypatch):
    def fail(*_, **__):
        raise RuntimeFailureError("took a fresh process down")

    monkeypatch.setattr(bench, "measure_footprint", fail)
    found = bench_artifact(chain.artifact("litert"), "litert")
    assert found.to_json()["footprint"] is None
    assert "memory and load time not measured: took a fresh process down" in found.text()


@pytest.mark.parametrize("device", ["cpu", "litert"])
def test_a_runtime_without_a_clock_on_the_device_says_so(chain, device):
    found = bench_artifact(chain.artifact(device), device)
    told = found.to_json()
    assert told["device_time"] is None
    assert "no clock on the device apart from the wall clock" in told["device_time_reason"]
    assert f"device time not measured: {told['device_time_reason']}" in found.text()


def test_energy_is_told_where_a_sensor_is(chain, monkeypatch, tmp_path):
    root = tree(
        tmp_path,
        {
            "/sys/class/hwmon/hwmon1/name": "ina3221\n",
            "/sys/class/hwmon/hwmon1/in1_label": "VDD_IN\n",
            "/sys/class/hwmon/hwmon1/in1_input": "5000\n",
            "/sys/class/hwmon/hwmon1/curr1_input": "1000\n",
        },
    )
    monkeypatch.setattr(bench, "find_sensors", lambda: find_sensors(root=root))
    found = bench_artifact(chain.artifact("litert"), "litert")
    (energy,) = found.energy
    assert energy.power_mw == pytest.approx(5000, rel=0.05)
    assert "mJ an inference on INA3221 VDD_IN" in found.text()
    assert found.to_json()["energy"][0]["sensor"] == "INA3221 VDD_IN"


def test_the_budget_is_read_before_anything_is_measured(tmp_path):
    with pytest.raises(BudgetError, match="4ms"):
        bench_artifact(tmp_path / "none.onnx", "cpu", budget="soon")


def test_a_device_elsewhere_cannot_be_measured_here():
    require_attached(DeviceProfile.find("cpu"))
    with pytest.raises(DeviceUnavailableError, match="not attached"):
        require_attached(DeviceProfile.find("raspberry-pi-4"))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins")
def test_a_bench_is_pinned_where_the_profile_says_and_free_again(chain, monkeypatch):
    before, seen = os.sched_getaffinity(0), []
    cpu = min(before)

    def spy(*args, **options):
        seen.append(os.sched_getaffinity(0))
        return measure(*args, **options)

    measure = bench.measure
    monkeypatch.setattr(bench, "measure", spy)
    found = bench_artifact(chain.artifact("litert"), replace(DeviceProfile.find("litert"), affinity=(cpu,)))
    assert {frozenset(cpus) for cpus in seen} == {frozenset([cpu])}
    assert os.sched_getaffinity(0) == before
    assert (found.to_json()["affinity"], found.to_json()["batch"]) == ([cpu], 1)


def test_a_bench_on_a_processor_that_is_not_here_is_refused(chain):
    with pytest.raises(DeviceUnavailableError, match="processors 4095"):
        bench_artifact(chain.artifact("litert"), replace(DeviceProfile.find("litert"), affinity=(4095,)))

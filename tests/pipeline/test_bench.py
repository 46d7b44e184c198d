import pytest

from edgewright.devices.profile import DeviceProfile
from edgewright.errors import BudgetError, BudgetViolationError, DeviceUnavailableError
from edgewright.pipeline.bench import bench_artifact, require_local


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


def test_the_budget_is_read_before_anything_is_measured(tmp_path):
    with pytest.raises(BudgetError, match="4ms"):
        bench_artifact(tmp_path / "none.onnx", "cpu", budget="soon")


def test_a_device_elsewhere_cannot_be_measured_here():
    require_local(DeviceProfile.find("cpu"))
    with pytest.raises(DeviceUnavailableError, match="not attached"):
        require_local(DeviceProfile.find("raspberry-pi-4"))

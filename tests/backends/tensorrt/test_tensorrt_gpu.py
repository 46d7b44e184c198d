"""What can only be seen on a machine with an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contracts.exporter_contract import IN_SHAPE
from contracts.runtime_contract import RuntimeContract
from doubles.plain_networks import small_network

from edgewright.backends.artifact import random_feeds
from edgewright.backends.tensorrt import cuda
from edgewright.backends.tensorrt.exporter import TensorRTExporter, TensorRTRTXExporter
from edgewright.backends.tensorrt.runtime import TensorRTRTXRuntime, TensorRTRuntime
from edgewright.errors import DeviceUnavailableError
from edgewright.pipeline.bench import bench_artifact

pytestmark = pytest.mark.gpu


class TestTensorRTRuntime(RuntimeContract):
    @pytest.fixture
    def exporter(self) -> TensorRTExporter:
        pytest.importorskip("tensorrt")
        return TensorRTExporter()

    @pytest.fixture
    def runtime(self) -> TensorRTRuntime:
        pytest.importorskip("tensorrt")
        return TensorRTRuntime()

    def test_events_and_wall_clock_agree_on_the_order_of_magnitude(
        self, runtime: TensorRTRuntime, artifact: Path
    ) -> None:
        with runtime.open(artifact) as session:
            infer = session.bind(random_feeds(session.inputs, np.random.default_rng(0)))
            times_ms = session.device_times_ms(infer, 20)
            assert len(times_ms) == 20
            assert min(times_ms) > 0

    def test_events_stand_beside_the_wall_clock_in_a_bench(self, artifact: Path) -> None:
        pytest.importorskip("tensorrt")
        found = bench_artifact(artifact, "generic-gpu")
        assert 0 < found.device_time.median_ms < 2 * found.measurement.median_ms
        assert found.to_json()["device_time_reason"] == ""
        assert "by the device's own clock" in found.text()

    def test_engines_are_built_for_the_card_that_is_here_alone(self, tmp_path: Path) -> None:
        here = cuda.compute_capability()
        path = tmp_path / "net.engine"
        TensorRTExporter(compute_capability=here).export(small_network(), IN_SHAPE, path)
        assert path.stat().st_size > 0
        with pytest.raises(DeviceUnavailableError, match=f"has compute capability {here}, not 1.0"):
            TensorRTExporter(compute_capability="1.0").export(small_network(), IN_SHAPE, path)

    def test_a_timing_cache_is_kept(self, tmp_path: Path) -> None:
        cache = tmp_path / "timing.cache"
        exporter = TensorRTExporter(timing_cache=cache)
        exporter.export(small_network(), IN_SHAPE, tmp_path / "net.engine")
        assert cache.stat().st_size > 0


class TestTensorRTRTXRuntime(RuntimeContract):
    @pytest.fixture
    def exporter(self) -> TensorRTRTXExporter:
        pytest.importorskip("tensorrt_rtx")
        return TensorRTRTXExporter()

    @pytest.fixture
    def runtime(self) -> TensorRTRTXRuntime:
        pytest.importorskip("tensorrt_rtx")
        return TensorRTRTXRuntime()

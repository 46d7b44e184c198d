"""What can only be seen on a machine with an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contracts.exporter_contract import IN_SHAPE
from contracts.runtime_contract import RuntimeContract
from doubles.plain_networks import small_network

from edgewright.backends.artifact import random_feeds
from edgewright.backends.tensorrt.exporter import TensorRTExporter, TensorRTRTXExporter
from edgewright.backends.tensorrt.runtime import TensorRTRTXRuntime, TensorRTRuntime

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

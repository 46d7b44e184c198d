from __future__ import annotations

import pytest
from contracts.runtime_contract import RuntimeContract

from edgewright.backends.onnxruntime.exporter import OnnxExporter
from edgewright.backends.onnxruntime.runtime import OnnxRuntime


class TestOnnxRuntime(RuntimeContract):
    @pytest.fixture
    def exporter(self) -> OnnxExporter:
        return OnnxExporter()

    @pytest.fixture
    def runtime(self) -> OnnxRuntime:
        return OnnxRuntime()

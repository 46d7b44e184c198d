from __future__ import annotations

import pytest
from contracts.runtime_contract import RuntimeContract

from edgewright.backends.litert.exporter import LiteRTExporter
from edgewright.backends.litert.runtime import LiteRTRuntime


class TestLiteRTRuntime(RuntimeContract):
    @pytest.fixture
    def exporter(self) -> LiteRTExporter:
        return LiteRTExporter()

    @pytest.fixture
    def runtime(self) -> LiteRTRuntime:
        return LiteRTRuntime()

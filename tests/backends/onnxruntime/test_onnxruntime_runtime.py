from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from contracts.runtime_contract import RuntimeContract

from edgewright.backends.artifact import random_feeds
from edgewright.backends.onnxruntime.exporter import OnnxExporter
from edgewright.backends.onnxruntime.runtime import OnnxRuntime
from edgewright.errors import RuntimeFailureError


class TestOnnxRuntime(RuntimeContract):
    @pytest.fixture
    def exporter(self) -> OnnxExporter:
        return OnnxExporter()

    @pytest.fixture
    def runtime(self) -> OnnxRuntime:
        return OnnxRuntime()

    @pytest.mark.parametrize("seed", range(8))
    def test_a_damaged_artifact_prints_nothing_and_raises_nothing_foreign(
        self, runtime: OnnxRuntime, artifact: Path, seed: int, capfd: pytest.CaptureFixture[str]
    ) -> None:
        rng = np.random.default_rng(seed)
        data = bytearray(artifact.read_bytes())
        for place in rng.integers(0, len(data), 40):
            data[place] = int(rng.integers(256))
        artifact.write_bytes(data)
        with suppress(RuntimeFailureError), runtime.open(artifact) as session:
            session.run(random_feeds(session.inputs, rng))
        captured = capfd.readouterr()
        assert (captured.out, captured.err) == ("", "")

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
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


def row_of_three(path: Path) -> Path:
    """Write a model that loads and picks one of three rows; another number makes it fail while it runs."""
    node = onnx.helper.make_node("Gather", ["rows", "which"], ["row"])
    graph = onnx.helper.make_graph(
        [node],
        "row_of_three",
        [onnx.helper.make_tensor_value_info("which", onnx.TensorProto.INT64, [1])],
        [onnx.helper.make_tensor_value_info("row", onnx.TensorProto.FLOAT, [1, 2])],
        [onnx.numpy_helper.from_array(np.zeros((3, 2), np.float32), "rows")],
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[opset]), path)
    return path


def test_a_file_that_fails_only_when_it_runs_is_told_with_the_mend(tmp_path: Path) -> None:
    with OnnxRuntime().open(row_of_three(tmp_path / "model.onnx")) as session:
        right, wrong = ({"which": np.array([row], np.int64)} for row in (2, 7))
        assert session.run(right)["row"].shape == (1, 2)
        for use in (session.run, lambda feeds: session.bind(feeds)()):
            with pytest.raises(RuntimeFailureError, match=r"(?s)while running.*edgewright compile"):
                use(wrong)

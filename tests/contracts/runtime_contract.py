"""What every runtime that can run here must hold to; a backend's test gives two fixtures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from contracts.exporter_contract import IN_SHAPE, random_images
from doubles.plain_networks import MBConv, small_network
from torch import nn

from edgewright.backends.artifact import random_feeds
from edgewright.backends.base import Exporter, Runtime
from edgewright.backends.parity import check_parity
from edgewright.errors import RuntimeFailureError


class RuntimeContract:
    @pytest.fixture
    def exporter(self) -> Exporter:
        raise NotImplementedError

    @pytest.fixture
    def runtime(self) -> Runtime:
        raise NotImplementedError

    @pytest.fixture
    def artifact(self, exporter: Exporter, tmp_path: Path) -> Path:
        path = tmp_path / f"net{exporter.suffix}"
        exporter.export(small_network(), IN_SHAPE, path)
        return path

    def test_fp32_agrees_with_torch(self, runtime: Runtime, artifact: Path) -> None:
        report = check_parity(small_network(), runtime, artifact, random_images(8))
        assert report.passed, report.reason
        assert report.relative is not None
        assert report.relative < 1e-5

    @pytest.mark.parametrize("size", [9, 16, 31])
    @pytest.mark.parametrize("kernel", [3, 5, 7])
    @pytest.mark.parametrize("stride", [1, 2])
    def test_every_padding_agrees_with_torch(
        self, exporter: Exporter, runtime: Runtime, tmp_path: Path, size: int, kernel: int, stride: int
    ) -> None:
        block = MBConv(3, 12, 8, kernel, stride, nn.Hardswish, se=True).eval()
        path = tmp_path / f"block{exporter.suffix}"
        exporter.export(block, (1, 3, size, size), path)
        images = np.random.default_rng(1).standard_normal((2, 3, size, size)).astype(np.float32)
        assert check_parity(block, runtime, path, images).passed

    def test_every_precision_runs_with_float_input_and_output(
        self, exporter: Exporter, runtime: Runtime, tmp_path: Path
    ) -> None:
        images = random_images(16)
        for precision in exporter.precisions:
            path = tmp_path / f"{precision}{exporter.suffix}"
            exporter.export(small_network(), IN_SHAPE, path, precision=precision, calibration=images)
            with runtime.open(path) as session:
                assert [spec.dtype for spec in (*session.inputs, *session.outputs)] == ["float32"] * 2
                assert (session.inputs[0].name, session.outputs[0].name) == ("input", "output")
                values = session.run(random_feeds(session.inputs, np.random.default_rng(0)))
                assert np.isfinite(values["output"]).all()

    def test_a_bound_inference_leaves_what_run_returns_unchanged(
        self, runtime: Runtime, artifact: Path
    ) -> None:
        with runtime.open(artifact) as session:
            rng = np.random.default_rng(0)
            first, second = random_feeds(session.inputs, rng), random_feeds(session.inputs, rng)
            expected = session.run(first)["output"]
            kept = expected.copy()
            infer = session.bind(second)
            infer()
            infer()
            session.synchronize()
            assert np.array_equal(expected, kept)
            assert np.array_equal(session.run(first)["output"], kept)

    def test_two_sessions_live_side_by_side(self, runtime: Runtime, artifact: Path) -> None:
        with runtime.open(artifact) as one, runtime.open(artifact, threads=2) as two:
            feeds = random_feeds(one.inputs, np.random.default_rng(0))
            assert np.allclose(one.run(feeds)["output"], two.run(feeds)["output"], atol=1e-5)

    def test_nothing_is_printed(
        self, runtime: Runtime, artifact: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with runtime.open(artifact) as session:
            session.run(random_feeds(session.inputs, np.random.default_rng(0)))
        captured = capfd.readouterr()
        assert (captured.out, captured.err) == ("", "")

    @pytest.mark.parametrize("fault", ["name", "missing", "shape", "dtype"])
    def test_wrong_feeds_say_what_was_expected(self, runtime: Runtime, artifact: Path, fault: str) -> None:
        with runtime.open(artifact) as session:
            feeds = random_feeds(session.inputs, np.random.default_rng(0))
            match fault:
                case "name":
                    feeds["other"] = feeds["input"]
                case "missing":
                    feeds = {}
                case "shape":
                    feeds = {"input": feeds["input"][:, 1:]}
                case _:
                    feeds = {"input": feeds["input"].astype(np.float64)}
            with pytest.raises(RuntimeFailureError, match="input"):
                session.run(feeds)

    @pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.9, 0.999])
    def test_a_truncated_artifact_is_refused(self, runtime: Runtime, artifact: Path, kept: float) -> None:
        data = artifact.read_bytes()
        artifact.write_bytes(data[: int(len(data) * kept)])
        with pytest.raises(RuntimeFailureError, match="compile it again"), runtime.open(artifact):
            pass

    def test_a_text_file_is_refused(self, runtime: Runtime, artifact: Path) -> None:
        artifact.write_text("not a network\n" * 100)
        with pytest.raises(RuntimeFailureError, match="compile it again"), runtime.open(artifact):
            pass

    def test_a_wrong_suffix_is_refused(self, runtime: Runtime, artifact: Path) -> None:
        other = artifact.rename(artifact.with_suffix(".bin"))
        with pytest.raises(RuntimeFailureError, match=artifact.suffix), runtime.open(other):
            pass

    def test_a_missing_artifact_is_refused(self, runtime: Runtime, artifact: Path) -> None:
        artifact.unlink()
        with pytest.raises(RuntimeFailureError, match="does not exist"), runtime.open(artifact):
            pass

    def test_conditions_are_json(self, runtime: Runtime) -> None:
        conditions = runtime.conditions(threads=2)
        assert json.loads(json.dumps(conditions)) == conditions
        assert 2 in conditions.values()

    def test_the_version_names_the_package(self, runtime: Runtime) -> None:
        package, version = runtime.version.split()
        assert package
        assert version[0].isdigit()

"""What every exporter must hold to; a backend's test subclasses it and gives two fixtures."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles.plain_networks import small_network
from numpy.typing import NDArray
from torch import nn

from edgewright.backends.base import Exporter
from edgewright.errors import ExportError, PrecisionError, StorageError

IN_SHAPE = (1, 3, 32, 32)


class Untraceable(nn.Module):
    """No converter can follow it: what it does depends on the data, through Python."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svd(x.mean(1)[0])[1][None] if x.detach().numpy().sum() >= 0 else x


class ExporterContract:
    @pytest.fixture
    def exporter(self) -> Exporter:
        raise NotImplementedError

    @pytest.fixture
    def precision(self, exporter: Exporter) -> str:
        return exporter.precisions[0]

    @pytest.fixture
    def images(self) -> NDArray[np.float32]:
        return np.random.default_rng(0).standard_normal((8, *IN_SHAPE[1:])).astype(np.float32)

    def test_every_precision_is_written(
        self, exporter: Exporter, tmp_path: Path, images: NDArray[np.float32]
    ) -> None:
        sizes = {}
        for precision in exporter.precisions:
            path = tmp_path / precision / f"net{exporter.suffix}"
            exporter.export(small_network(), IN_SHAPE, path, precision=precision, calibration=images)
            sizes[precision] = path.stat().st_size
        assert min(sizes.values()) > 1000

    def test_the_module_is_left_as_it_was(self, exporter: Exporter, tmp_path: Path) -> None:
        network = small_network().train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        exporter.export(network, IN_SHAPE, tmp_path / f"net{exporter.suffix}")
        assert all(layer.training for layer in network.modules())
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())

    def test_an_existing_artifact_is_replaced(self, exporter: Exporter, tmp_path: Path) -> None:
        path = tmp_path / f"net{exporter.suffix}"
        path.write_bytes(b"old")
        exporter.export(small_network(), IN_SHAPE, path)
        assert path.stat().st_size > 1000

    def test_nothing_is_printed(
        self,
        exporter: Exporter,
        tmp_path: Path,
        images: NDArray[np.float32],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        for precision in exporter.precisions:
            path = tmp_path / f"{precision}{exporter.suffix}"
            exporter.export(small_network(), IN_SHAPE, path, precision=precision, calibration=images)
        captured = capfd.readouterr()
        assert (captured.out, captured.err) == ("", "")

    def test_int8_without_calibration_is_refused(self, exporter: Exporter, tmp_path: Path) -> None:
        path = tmp_path / f"net{exporter.suffix}"
        with pytest.raises(PrecisionError, match="calibration"):
            exporter.export(small_network(), IN_SHAPE, path, precision="int8")
        empty = np.zeros((0, *IN_SHAPE[1:]), np.float32)
        with pytest.raises(PrecisionError, match="calibration"):
            exporter.export(small_network(), IN_SHAPE, path, precision="int8", calibration=empty)
        assert not path.exists()

    @pytest.mark.parametrize("fault", ["shape", "nan"])
    def test_unfit_calibration_is_refused(self, exporter: Exporter, tmp_path: Path, fault: str) -> None:
        images = np.zeros((2, 3, 16, 16) if fault == "shape" else (2, *IN_SHAPE[1:]), np.float32)
        if fault == "nan":
            images[0, 0, 0, 0] = np.nan
        path = tmp_path / f"net{exporter.suffix}"
        with pytest.raises(PrecisionError, match=r"\(n, 3, 32, 32\)"):
            exporter.export(small_network(), IN_SHAPE, path, precision="int8", calibration=images)

    def test_an_unknown_precision_lists_those_offered(self, exporter: Exporter, tmp_path: Path) -> None:
        with pytest.raises(PrecisionError, match=exporter.precisions[0]):
            exporter.export(small_network(), IN_SHAPE, tmp_path / f"a{exporter.suffix}", precision="fp8")

    def test_a_wrong_suffix_is_refused(self, exporter: Exporter, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=exporter.suffix):
            exporter.export(small_network(), IN_SHAPE, tmp_path / "net.txt")

    @pytest.mark.parametrize("shape", [(2, 3, 32, 32), (1, 3, 32), (1, 3, 0, 32)])
    def test_an_impossible_input_shape_is_refused(
        self, exporter: Exporter, tmp_path: Path, shape: tuple[int, ...]
    ) -> None:
        with pytest.raises(ExportError, match="shape"):
            exporter.export(small_network(), shape, tmp_path / f"a{exporter.suffix}")  # type: ignore[arg-type]

    def test_a_channel_mismatch_is_refused(self, exporter: Exporter, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match="channels"):
            exporter.export(small_network(), (1, 5, 32, 32), tmp_path / f"a{exporter.suffix}")

    def test_a_module_that_nothing_can_express_is_refused_in_one_line(
        self, exporter: Exporter, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / f"net{exporter.suffix}"
        with pytest.raises(ExportError, match="Untraceable") as caught:
            exporter.export(Untraceable(), IN_SHAPE, path)
        assert "\n" not in str(caught.value)
        assert not path.exists()
        assert capfd.readouterr().out == ""

    def test_a_full_disk_leaves_the_old_artifact(
        self, exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / f"net{exporter.suffix}"
        path.write_bytes(b"old")

        def full(self: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="no space"):
            exporter.export(small_network(), IN_SHAPE, path)
        monkeypatch.undo()
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


def random_images(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return ``(n, 3, 32, 32)`` of noise."""
    return np.random.default_rng(seed).standard_normal((n, *IN_SHAPE[1:])).astype(np.float32)

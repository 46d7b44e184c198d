import builtins
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from doubles import report_data
from PIL import Image

from edgewright.errors import MissingExtraError, StorageError
from edgewright.report import plots
from edgewright.report.data import Breakdown, Drift, OperatorBar, PredictionPoint

POINTS = report_data.predictions()
FOUND = report_data.points(40)
ROWS = report_data.finalists(FOUND)
BREAKDOWN = report_data.breakdowns(ROWS, FOUND)[0]
DRIFT = report_data.drifts()[0]
ALL = {
    "predictions": lambda path: plots.draw_predictions(POINTS, "title", path),
    "errors": lambda path: plots.draw_errors(POINTS, "title", path),
    "breakdown": lambda path: plots.draw_breakdown(BREAKDOWN, "title", path),
    "drift": lambda path: plots.draw_drift(DRIFT, "title", path),
}


@pytest.mark.parametrize("name", ALL)
def test_a_plot_is_a_png_with_something_on_it_and_the_same_each_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"{name}.png"
    ALL[name](path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 50
    first = path.read_bytes()
    ALL[name](path)
    assert path.read_bytes() == first


def test_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    nan = float("nan")
    unknown = PredictionPoint(device="cpu", id="a", predicted_ms=nan, measured_ms=1.0)
    plots.draw_errors((*POINTS, unknown), "t", tmp_path / "e.png")
    bars = (OperatorBar(label="stem", cost_ms=None), OperatorBar(label="head", cost_ms=nan))
    plots.draw_breakdown(Breakdown(id="a", device="cpu", bars=bars), "t", tmp_path / "b.png")
    plots.draw_drift(replace(DRIFT, taint=None, operator=""), "t", tmp_path / "d.png")
    plots.draw_drift(Drift(device="cpu", medians_ms=(1.0, 1.0)), "t", tmp_path / "f.png")
    assert len(list(tmp_path.glob("*.png"))) == 4


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def blocked(name: str, *args: object, **kwargs: object) -> object:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgewright\[report\]'"):
        plots.draw_drift(DRIFT, "t", tmp_path / "d.png")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(StorageError, match="cannot write"):
        plots.draw_drift(DRIFT, "t", tmp_path / "file" / "d.png")

"""OFA-MobileNetV3 at width 1.2 on a Note10: published accuracy predictor, measured latency table."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from edgewright.spaces import MobileSpace, Operator, find_space

RESOLUTIONS = (160, 176, 192, 208, 224)


def data_folder() -> Path | None:
    """Return the folder of published measurements, or None where there is none."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("EDGEWRIGHT_DATA", default)) / "ofa_mbv3"
    return folder if folder.is_dir() else None


class OfaProblem:
    """Error in percent and latency in ms of encodings of :attr:`space`."""

    def __init__(self, folder: Path) -> None:
        self.space: MobileSpace = find_space("mobilenetv3-w1.2@" + "+".join(map(str, RESOLUTIONS)))
        with np.load(folder / "accuracy_predictor.npz") as data:
            self.layers = [(data[f"{i}.weight"], data[f"{i}.bias"]) for i in (0, 2, 4, 6)]
        tables = {r: _read_means(folder / "note10" / f"{r}_lookup_table.yaml") for r in RESOLUTIONS}
        self.latency = self.space.tabulate(lambda operator: _latency_ms(tables, operator))

    def error(self, X: np.ndarray) -> np.ndarray:
        """Return the predicted top-1 error in percent, ``(n,)``."""
        space = self.space
        active = space.active_slots(X)
        start = 1 + len(space.stages)
        hot = [
            (X[:, b : b + space.n_slots, None] == np.arange(3)) & active[:, :, None]
            for b in (start, start + space.n_slots)
        ]
        resolution = np.asarray(RESOLUTIONS)[X[:, 0]][:, None] == np.arange(112, 225, 16)
        h = np.concatenate([hot[0].reshape(len(X), -1), hot[1].reshape(len(X), -1), resolution], axis=1)
        h = h.astype(np.float64)
        for i, (W, b) in enumerate(self.layers):
            h = h @ W.T + b
            if i < len(self.layers) - 1:
                h = np.maximum(h, 0.0)
        return 100.0 * (1.0 - h[:, 0])


def _read_means(path: Path) -> dict[str, float]:
    """Return the mean of each key of a lookup table, in ms."""
    means, key = dict[str, float](), ""
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith(" "):
            key = line.rstrip(":")
        elif line.strip().startswith("mean:"):
            means[key] = float(line.split(":")[1])
    return means


def _latency_ms(tables: dict[int, dict[str, float]], op: Operator) -> float:
    """Return the mean of an operator, found in whichever resolution's table has its size."""
    found = [sum(table[key] for key in _keys(op)) for table in tables.values() if _keys(op) <= table.keys()]
    return found[0]


def _keys(op: Operator) -> set[str]:
    """Return the keys of OFA's table that make up an operator."""
    size, out = op.in_size, op.out_size
    if op.kind == "stem":
        return {f"Conv-input:{size}x{size}x3-output:{out}x{out}x{op.out_channels}"}
    if op.kind == "head":
        mid, hidden = op.mid_channels, op.hidden_channels
        return {
            f"Conv_1-input:{size}x{size}x{op.in_channels}-output:{size}x{size}x{mid}",
            f"AvgPool2D-input:{size}x{size}x{mid}-output:1x1x{mid}",
            f"Conv_2-input:1x1x{mid}-output:1x1x{hidden}",
            f"Logits-input:1x1x{hidden}-output:{op.out_channels}",
        }
    return {
        f"expanded_conv-input:{size}x{size}x{op.in_channels}-output:{out}x{out}x{op.out_channels}"
        f"-expand:{op.mid_channels}-kernel:{op.kernel_size}-stride:{op.stride}"
        f"-idskip:{int(op.residual)}-se:{int(op.se)}-hs:{int(op.act == 'h_swish')}"
    }

"""Lower precisions judged on a network that has learned something: random weights decide nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from doubles.plain_networks import small_network
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from edgewright.backends.parity import check_parity
from edgewright.backends.registry import exporter, runtime

Digits = tuple[nn.Module, NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


@pytest.fixture(scope="module")
def digits() -> Digits:
    """Return a network trained on 1,400 handwritten digits, some of those, 397 others, their labels."""
    data, target = load_digits(return_X_y=True)
    images = torch.tensor(data, dtype=torch.float32).reshape(-1, 1, 8, 8) / 8 - 1
    images = F.interpolate(images, size=16, mode="bilinear", align_corners=False)
    labels = torch.tensor(target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    network = small_network(n_channels=1).train()
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these layers are too small to share
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout
        for _ in range(5):
            for batch in train[torch.randperm(len(train), generator=generator)].split(64):
                optimizer.zero_grad()
                F.cross_entropy(network(images[batch]), labels[batch]).backward()
                optimizer.step()
    torch.set_num_threads(threads)
    return network.eval(), images[train[:128]].numpy(), images[test].numpy(), labels[test].numpy()


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
        ("litert", "fp32"),
        ("litert", "fp16"),
        ("litert", "int8"),
    ],
)
def test_a_trained_network_keeps_its_accuracy(
    digits: Digits, tmp_path: Path, name: str, precision: str
) -> None:
    network, calibration, images, labels = digits
    writer = exporter(name)
    path = tmp_path / f"digits{writer.suffix}"
    writer.export(network, (1, 1, 16, 16), path, precision=precision, calibration=calibration)
    report = check_parity(network, runtime(name), path, images, labels=labels, precision=precision)
    report.require()
    assert report.reference_accuracy is not None
    assert report.reference_accuracy > 0.9
    print(report)

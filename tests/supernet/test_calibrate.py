import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_data, tiny_space
from torch import nn

from edgewright.errors import DataError
from edgewright.supernet import Supernet, calibrate, extract


@pytest.fixture
def network():
    space = tiny_space()
    return extract(shaken(Supernet(space)), space.largest()).double()


def first_norm(network):
    return next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def batches(*sizes):
    generator = torch.Generator().manual_seed(3)
    return [torch.empty(n, 3, 12, 12, dtype=torch.float64).normal_(generator=generator) for n in sizes]


def test_statistics_are_means_over_batches_weighted_by_size(network):
    drawn = batches(6, 2)
    calibrate(network, drawn)
    with torch.no_grad():
        maps = [network[0][0](x) for x in drawn]
    weights = torch.tensor([0.75, 0.25], dtype=torch.float64)
    means = torch.stack([m.mean(dim=(0, 2, 3)) for m in maps])
    variances = torch.stack([m.var(dim=(0, 2, 3)) for m in maps])
    norm = first_norm(network)
    torch.testing.assert_close(norm.running_mean, weights @ means, rtol=0, atol=1e-12)
    torch.testing.assert_close(norm.running_var, weights @ variances, rtol=0, atol=1e-12)


def test_calibration_forgets_what_was_there_and_restores_modes(network):
    calibrate(network, batches(8))
    once = first_norm(network).running_mean.clone()
    calibrate(network, batches(3, 5))
    calibrate(network, batches(8))
    assert torch.equal(first_norm(network).running_mean, once)
    assert not any(module.training for module in network.modules())
    assert {m.momentum for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}


def test_calibration_without_images_is_refused(network):
    with pytest.raises(DataError, match="at least one image"):
        calibrate(network, [])


def test_a_subnet_whose_statistics_are_calibrated_normalises_its_maps():
    space, data = tiny_space(), tiny_data()
    network = extract(Supernet(space), space.smallest())
    calibrate(network, [data.prepare(data.train.images, 8)])
    with torch.no_grad():
        y = network[0][:2](data.prepare(data.train.images, 8))
    assert y.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (y.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-2

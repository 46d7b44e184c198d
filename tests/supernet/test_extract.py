from dataclasses import replace

import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_space
from torch.utils.flop_counter import FlopCounterMode

from edgewright.errors import ArchitectureError
from edgewright.spaces import SPACES, find_space
from edgewright.supernet import Supernet, extract


def costs_by_torch(network, resolution):
    """Return parameters and multiply-accumulates of a module for one square image, as torch counts them.

    Nothing is computed: the module is left on no device.
    """
    network.to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, resolution, resolution, dtype=torch.float64, device="meta"))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2


def largest_difference(name, rng, n, size):
    """Between elastic and extracted logits over ``n`` random subnets and the two extremes, float64.

    Parameters and multiply-accumulates of each extracted module are checked against torch on the way.
    """
    space = find_space(name)
    supernet = shaken(Supernet(space).double()).eval()
    x = torch.empty(2, 3, size, size, dtype=torch.float64)
    x.normal_(generator=torch.Generator().manual_seed(1))
    archs = [space.largest(), space.smallest(), *(space.decode(e) for e in space.sample(rng, n))]
    worst, spread = 0.0, 0.0
    for arch in archs:
        network = extract(supernet, arch)
        with torch.no_grad():
            elastic, plain = supernet(x, arch), network(x)
        worst = max(worst, float((elastic - plain).abs().max()))
        spread = max(spread, float((elastic[0] - elastic[1]).abs().max()))
        operators = space.operators(arch)
        exact = sum(op.params for op in operators), sum(op.macs for op in operators)
        assert costs_by_torch(network, arch.resolution) == exact
    assert spread > 1e-6, "the two images must give different logits, or the comparison says nothing"
    return worst


@pytest.mark.parametrize(("name", "n"), [("mobilenetv3-small-image", 10), ("mobilenetv3-w1.0", 1)])
def test_extracted_subnets_equal_their_elastic_forward(name, n, rng):
    assert largest_difference(name, rng, n, 16) <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_fifty_extracted_subnets_of_each_space_equal_their_elastic_forward(name, rng):
    assert largest_difference(name, rng, 50, 32) <= 1e-12


def test_an_extracted_network_owns_its_weights():
    space = tiny_space()
    supernet = Supernet(space)
    network = extract(supernet, space.largest())
    before = supernet.stem[0].weight.clone()
    with torch.no_grad():
        network[0][0].weight.zero_()
    assert torch.equal(supernet.stem[0].weight, before)


def test_extraction_refuses_an_architecture_of_another_space():
    space = tiny_space()
    with pytest.raises(ArchitectureError, match="depth of stage 1"):
        extract(Supernet(space), replace(space.largest(), depths=(3, 2)))

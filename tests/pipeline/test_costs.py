import numpy as np

from edgewright.pipeline.costs import macs, params
from edgewright.spaces import find_space
from edgewright.supernet.plain import network_from_architecture

SPACE = find_space("mobilenetv3-small-image@16+24", n_classes=7)


def test_params_are_those_of_the_module():
    encodings = SPACE.sample(np.random.default_rng(1), 6)
    found = params(SPACE)(encodings)
    for x, n in zip(encodings, found, strict=True):
        network = network_from_architecture(SPACE, SPACE.decode(x))
        assert n == sum(p.numel() for p in network.parameters())


def test_costs_grow_from_the_smallest_to_the_largest_network():
    ends = np.stack([SPACE.encode(SPACE.smallest()), SPACE.encode(SPACE.largest())])
    for cost in (macs(SPACE), params(SPACE)):
        small, large = cost(ends)
        assert 0 < small < large

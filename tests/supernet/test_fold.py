import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_space
from torch import nn

from edgewright.supernet import Supernet, extract, fold_norms


@pytest.mark.parametrize("end", ["smallest", "largest"])
def test_a_folded_network_computes_the_same_without_a_batch_norm(end):
    space = tiny_space()
    network = extract(shaken(Supernet(space).double()), getattr(space, end)())
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(x)
        assert expected.std() > 0.01
        fold_norms(network.train())
        torch.testing.assert_close(network(x), expected, rtol=1e-9, atol=1e-9)
    assert not network.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_only_neighbours_in_a_sequence_are_folded():
    class Beside(nn.Module):
        """A convolution and a BatchNorm of which nobody says that one reads the other."""

        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.conv(self.norm(x))

    network = nn.Sequential(Beside(), nn.ReLU(), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1))
    fold_norms(network)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 2

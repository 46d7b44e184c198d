import pytest
import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from edgewright.errors import ArchitectureError
from edgewright.spaces import SPACES, Architecture, find_space
from edgewright.supernet import module_from_operator, network_from_architecture

ALLOWED = (
    nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Hardswish, nn.Hardsigmoid, nn.AdaptiveAvgPool2d, nn.Flatten,
    nn.Dropout, nn.Linear,
)  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_operators_say_the_params_macs_and_shapes_of_the_modules_they_describe(name, rng):
    space = find_space(name)
    operators = {op for x in space.sample(rng, 1) for op in space.operators(space.decode(x))}
    for op in sorted(operators):
        module = module_from_operator(op)
        assert sum(p.numel() for p in module.parameters()) == op.params, op.key
        x = torch.zeros(1, op.in_channels, op.in_size, op.in_size)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            y = module(x)
        assert counter.get_total_flops() == 2 * op.macs, op.key
        wanted = (1, op.out_channels) if op.kind == "head" else (1, op.out_channels, op.out_size, op.out_size)
        assert tuple(y.shape) == wanted, op.key


def test_networks_are_made_of_layers_that_every_backend_knows():
    space = find_space("mobilenetv3-small-image")
    traced = fx.symbolic_trace(network_from_architecture(space, space.largest()))
    called = [traced.get_submodule(n.target) for n in traced.graph.nodes if n.op == "call_module"]
    assert all(type(module) in ALLOWED for module in called)
    functions = {n.target.__name__ for n in traced.graph.nodes if n.op == "call_function"}
    assert functions == {"add", "mul"}


def test_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    space = find_space("mobilenetv3-small-image@16")
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, other = (network_from_architecture(space, space.smallest(), seed=3) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_an_architecture_of_another_space_is_refused():
    space = find_space("mobilenetv3-small-image@16")
    good = space.smallest()
    with pytest.raises(ArchitectureError, match="resolution"):
        network_from_architecture(space, Architecture(17, good.depths, good.kernel_sizes, good.expands))

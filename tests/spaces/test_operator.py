import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from edgewright.errors import SpaceError
from edgewright.spaces import Operator, find_space, list_spaces
from edgewright.spaces.operator import make_divisible
from edgewright.supernet.plain import module_from_operator

OPERATORS = sorted({op for name in list_spaces() for op in find_space(name).all_operators()})


def counted_macs(module: torch.nn.Module, op: Operator) -> int:
    image = torch.zeros(1, op.in_channels, op.in_size, op.in_size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta").eval()(image)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("kind", ["stem", "mbconv", "head"])
def test_params_and_macs_are_those_of_the_module(kind):
    of_kind = [op for op in OPERATORS if op.kind == kind]
    some = of_kind[:: max(1, len(of_kind) // 60)]
    for op in some:
        module = module_from_operator(op)
        assert sum(p.numel() for p in module.parameters()) == op.params, op.key
        assert counted_macs(module, op) == op.macs, op.key


def test_keys_are_unique_among_all_operators_of_all_spaces():
    assert len({op.key for op in OPERATORS}) == len(OPERATORS)


def test_output_size_is_that_of_the_module():
    for op in OPERATORS[::97]:
        image = torch.zeros(1, op.in_channels, op.in_size, op.in_size, device="meta")
        out = module_from_operator(op).to("meta")(image)
        assert out.shape[1] == op.out_channels
        if op.kind != "head":
            assert out.shape[2:] == (op.out_size, op.out_size)


@given(st.sampled_from(OPERATORS))
def test_json_reads_back_to_the_same_operator(op):
    assert Operator.from_json(op.to_json()) == op


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "pool"}, "stem"),
        ({"in_size": "8"}, "in_size"),
        ({"in_size": 8.0}, "in_size"),
        ({"se": 1}, "se"),
        ({"unknown": 1}, "exactly the keys"),
    ],
)
def test_json_of_no_operator_is_refused(change, named):
    with pytest.raises(SpaceError, match=named):
        Operator.from_json({**OPERATORS[0].to_json(), **change})


@pytest.mark.parametrize("data", [None, [], "stem", {}])
def test_json_that_is_no_object_or_lacks_keys_is_refused(data):
    with pytest.raises(SpaceError, match="exactly the keys"):
        Operator.from_json(data)


@given(st.floats(1, 4096))
def test_widths_are_multiples_of_eight_and_lose_at_most_a_tenth(value):
    width = make_divisible(value)
    assert width % 8 == 0
    assert width >= 0.9 * value
    assert width <= value + 8

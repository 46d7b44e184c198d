"""Our spaces against the code that defined them, where it is installed."""

import sys
import types

import pytest
import torch
from doubles.tiny_spaces import shaken

from edgewright.spaces import find_space
from edgewright.supernet import Supernet, extract


@pytest.fixture
def ofa_supernet(monkeypatch):
    """Return a function from a width multiplier to OFA's own supernet."""
    for name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
        monkeypatch.setitem(sys.modules, name, _Anything(name))
    functional = _Anything("torchvision.transforms.functional")
    monkeypatch.setitem(sys.modules, functional.__name__, functional)
    sys.modules["torchvision.transforms"].functional = functional
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    sys.modules["torchvision"].datasets = sys.modules["torchvision.datasets"]
    module = pytest.importorskip(
        "ofa.imagenet_classification.elastic_nn.networks.ofa_mbv3",
        reason="compares with the `ofa` package, which is not installed",
    )

    def build(width_mult):
        return module.OFAMobileNetV3(
            width_mult=width_mult, ks_list=[3, 5, 7], expand_ratio_list=[3, 4, 6], depth_list=[2, 3, 4]
        )

    return build


class _Anything(types.ModuleType):
    """A module that has whatever is asked of it: OFA imports torchvision and does not need it here."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def choose(ofa, arch):
    ofa.set_active_subnet(ks=list(arch.kernel_sizes), e=list(arch.expands), d=list(arch.depths))


def ours_from_ofa(state, space):
    """Rename the tensors of OFA's supernet to ours."""
    renamed = {}
    for name, tensor in state.items():
        parts = (
            name.replace("bn.bn.", "bn.").replace(".conv.conv.", ".conv.").replace("linear.linear", "linear")
        )
        for old, new in (
            ("first_conv.", "stem."),
            ("blocks.0.conv.depth_conv", "first_block.depthwise"),
            ("blocks.0.conv.point_linear", "first_block.project"),
            ("final_expand_layer.", "head.final."),
            ("feature_mix_layer.conv.", "head.mix."),
            ("classifier.linear.", "head.classifier."),
            ("inverted_bottleneck", "expand"),
            ("depth_conv.se.fc", "se"),
            ("depth_conv", "depthwise"),
            ("point_linear", "project"),
            ("_matrix", ""),
            ("conv.7to5", "conv.transforms.7to5"),
            ("conv.5to3", "conv.transforms.5to3"),
        ):
            parts = parts.replace(old, new)
        if parts.startswith("blocks."):
            _, index, _, rest = parts.split(".", 3)
            parts = f"blocks.{int(index) - 1}.{rest}"
            if parts.endswith("num_batches_tracked"):
                continue
        renamed[parts] = tensor
    return renamed


@pytest.mark.parametrize(("name", "width_mult"), [("mobilenetv3-w1.0", 1.0), ("mobilenetv3-w1.2", 1.2)])
def test_subnets_have_as_many_parameters_as_ofas(ofa_supernet, name, width_mult, rng):
    space, ofa = find_space(name), ofa_supernet(width_mult)
    for arch in (space.largest(), space.smallest(), space.decode(space.sample(rng, 1)[0])):
        choose(ofa, arch)
        theirs = sum(p.numel() for p in ofa.get_active_subnet(preserve_weight=False).parameters())
        assert sum(op.params for op in space.operators(arch)) == theirs


def test_a_supernet_of_ofa_gives_the_same_logits_in_ours(ofa_supernet, rng):
    space = find_space("mobilenetv3-w1.0")
    ofa = shaken(ofa_supernet(1.0).double()).eval()
    ours = Supernet(space).double().eval()
    ours.load_state_dict(ours_from_ofa(ofa.state_dict(), space))
    x = torch.empty(2, 3, 32, 32, dtype=torch.float64).normal_(generator=torch.Generator().manual_seed(1))
    for arch in (space.largest(), space.smallest(), *(space.decode(e) for e in space.sample(rng, 2))):
        choose(ofa, arch)
        with torch.no_grad():
            expected = ofa(x)
            torch.testing.assert_close(ours(x, arch), expected, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(extract(ours, arch)(x), expected, rtol=1e-9, atol=1e-9)

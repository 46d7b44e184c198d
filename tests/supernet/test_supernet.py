from dataclasses import replace

import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_space
from torch.nn import functional

from edgewright.supernet import Supernet
from edgewright.supernet.conv import ElasticDepthwiseConv2d
from edgewright.supernet.initialise import initialise_


@pytest.fixture
def space():
    return tiny_space()


@pytest.fixture
def images():
    return torch.empty(4, 3, 12, 12).normal_(generator=torch.Generator().manual_seed(1))


def test_a_subnet_is_chosen_by_argument_alone(space, images):
    supernet = shaken(Supernet(space)).eval()
    with torch.no_grad():
        alone = supernet(images, space.smallest())
        supernet(images, space.largest())
        assert torch.equal(supernet(images, space.smallest()), alone)


def test_gradients_outside_the_active_slice_are_zero(space, images):
    supernet = shaken(Supernet(space)).train()
    supernet(images, space.smallest()).square().sum().backward()
    used, idle = supernet.elastic_blocks[0], supernet.elastic_blocks[1]
    mid = space.block(0, 12, 3, space.expands[0]).mid_channels
    for name in ("expand", "depthwise"):
        conv = getattr(used, name).conv.weight.grad
        assert conv[:mid].abs().sum() > 0
        assert conv[mid:].abs().sum() == 0
    assert used.project.conv.weight.grad[:, mid:].abs().sum() == 0
    assert used.depthwise.conv.transforms["7to5"].grad.abs().sum() > 0
    assert all(p.grad is None for p in idle.parameters()), "a block beyond the depth takes no part"


def test_channels_beyond_the_active_ones_keep_their_running_statistics(space, images):
    supernet = Supernet(space).train()
    norm = supernet.elastic_blocks[0].expand.bn
    mid = space.block(0, 12, 3, space.expands[0]).mid_channels
    supernet(images, space.smallest())
    assert (norm.running_mean[:mid] != 0).all()
    assert (norm.running_mean[mid:] == 0).all()


def test_a_small_kernel_starts_as_the_centre_of_the_large_one(space):
    conv = Supernet(space).elastic_blocks[0].depthwise.conv
    for kernel_size, margin in ((7, 0), (5, 1), (3, 2)):
        centre = conv.weight[:5, :, margin : 7 - margin, margin : 7 - margin]
        assert torch.equal(conv.weight_for(5, kernel_size), centre)


def test_a_kernel_passes_through_the_matrices_of_all_larger_steps(space):
    conv = shaken(Supernet(space)).elastic_blocks[0].depthwise.conv
    with torch.no_grad():
        five = conv.weight[0, 0, 1:6, 1:6].reshape(25) @ conv.transforms["7to5"].T
        three = five.view(5, 5)[1:4, 1:4].reshape(9) @ conv.transforms["5to3"].T
        torch.testing.assert_close(conv.weight_for(1, 3)[0, 0], three.view(3, 3))


def test_sorting_channels_keeps_what_the_widest_networks_compute(space, images):
    supernet = shaken(Supernet(space).double()).eval()
    x = images.double()
    narrow = replace(space.largest(), expands=(space.expands[0],) * space.n_slots)
    with torch.no_grad():
        wide_before, narrow_before = supernet(x, space.largest()), supernet(x, narrow)
        supernet.sort_channels()
        torch.testing.assert_close(supernet(x, space.largest()), wide_before, rtol=0, atol=1e-12)
        assert not torch.allclose(supernet(x, narrow), narrow_before)


def test_sorting_puts_the_most_important_channels_first(space):
    supernet = shaken(Supernet(space))
    supernet.sort_channels()
    for block in supernet.elastic_blocks:
        importance = block.project.conv.weight.abs().sum(dim=(0, 2, 3))
        assert (importance.diff() <= 1e-6).all()


def test_sorting_keeps_the_channel_sets_of_expansions_already_trained(space, images):
    supernet = shaken(Supernet(space).double()).eval()
    x = images.double()
    # The widths inside squeeze-and-excitations follow the expansion, so their sets are kept as well.
    middle = replace(space.largest(), expands=(space.expands[1],) * space.n_slots)
    with torch.no_grad():
        before = supernet(x, middle)
        supernet.sort_channels(trained_expands=space.expands[1:])
        torch.testing.assert_close(supernet(x, middle), before, rtol=0, atol=1e-12)


def test_the_same_seed_gives_the_same_supernet(space):
    one, same, other = Supernet(space, seed=1), Supernet(space, seed=1), Supernet(space, seed=2)
    assert torch.equal(one.head.classifier.weight, same.head.classifier.weight)
    assert not torch.equal(one.head.classifier.weight, other.head.classifier.weight)


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride"), [(1, 7, 1), (2, 7, 1), (2, 5, 2), (3, 7, 2), (4, 7, 1)]
)
def test_a_kernel_wider_than_the_map_gives_what_the_whole_kernel_gives(size, kernel_size, stride):
    conv = ElasticDepthwiseConv2d(6, (3, 5, 7), stride=stride).double()
    initialise_(conv, torch.Generator().manual_seed(0))
    x = torch.empty(2, 6, size, size, dtype=torch.float64).normal_(generator=torch.Generator().manual_seed(1))
    got = conv(x, kernel_size)
    whole = functional.conv2d(x, conv.weight_for(6, kernel_size), None, stride, kernel_size // 2, groups=6)
    torch.testing.assert_close(got, whole, rtol=0, atol=1e-14)

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from edgewright.errors import ArchitectureError, SpaceError
from edgewright.spaces import Architecture, find_space, list_spaces
from edgewright.supernet.plain import network_from_architecture

SPACES = {name: find_space(name) for name in list_spaces()}
seeds = st.integers(0, 2**32 - 1)
names = st.sampled_from(sorted(SPACES))


def draw(name: str, seed: int, n: int = 1) -> np.ndarray:
    return SPACES[name].sample(np.random.default_rng(seed), n)


@given(names, seeds)
@settings(max_examples=50, deadline=None)
def test_decoding_an_encoding_and_encoding_it_again_is_the_identity(name, seed):
    space, x = SPACES[name], draw(name, seed)[0]
    arch = space.decode(x)
    np.testing.assert_array_equal(space.encode(arch), x)
    assert space.decode(space.encode(arch)) == arch


@given(names, seeds)
@settings(max_examples=50, deadline=None)
def test_equal_networks_share_one_encoding_whatever_their_inactive_slots_say(name, seed):
    space = SPACES[name]
    rng = np.random.default_rng(seed)
    arch = space.decode(space.sample(rng, 1)[0])
    active = space.active_slots(space.encode(arch)[None])[0]
    other = replace(
        arch,
        kernel_sizes=tuple(
            k if on else int(rng.choice(space.kernel_sizes))
            for k, on in zip(arch.kernel_sizes, active, strict=True)
        ),
        expands=tuple(
            e if on else int(rng.choice(space.expands)) for e, on in zip(arch.expands, active, strict=True)
        ),
    )
    np.testing.assert_array_equal(space.encode(other), space.encode(arch))
    assert space.operators(other) == space.operators(arch)


@pytest.mark.parametrize("name", SPACES)
def test_no_network_at_all_is_repaired_and_costs_nothing(name):
    space = SPACES[name]
    none = space.sample(np.random.default_rng(0), 0)
    assert space.repair(none).shape == none.shape == (0, len(space.n_choices))
    assert space.tabulate(lambda op: float(op.macs))(none).shape == (0,)


@given(names, seeds, seeds)
@settings(max_examples=50, deadline=None)
def test_different_encodings_build_different_networks(name, first, second):
    space, a, b = SPACES[name], draw(name, first)[0], draw(name, second)[0]
    same = space.operators(space.decode(a)) == space.operators(space.decode(b))
    assert same == np.array_equal(a, b)


@given(names, seeds)
@settings(max_examples=50, deadline=None)
def test_repair_is_idempotent_leaves_its_argument_alone_and_canonical_rows_too(name, seed):
    space = SPACES[name]
    raw = np.random.default_rng(seed).integers(0, space.n_choices, size=(5, len(space.n_choices)))
    kept = raw.copy()
    once = space.repair(raw)
    np.testing.assert_array_equal(raw, kept)
    np.testing.assert_array_equal(space.repair(once), once)
    np.testing.assert_array_equal(once, [space.encode(space.decode(x)) for x in raw])


@given(names, seeds)
@settings(max_examples=50, deadline=None)
def test_a_tabulated_cost_is_the_sum_over_operators(name, seed):
    space, X = SPACES[name], draw(name, seed, 4)

    def cost(op):
        return op.macs * 1e-6 + op.params * 1e-5 + op.kernel_size

    expected = [sum(cost(op) for op in space.operators(space.decode(x))) for x in X]
    np.testing.assert_allclose(space.tabulate(cost)(X), expected, rtol=1e-12)


@given(names, seeds)
@settings(max_examples=50, deadline=None)
def test_operators_of_a_network_fit_together_and_are_among_all_operators(name, seed):
    space = SPACES[name]
    ops = space.operators(space.decode(draw(name, seed)[0]))
    assert ops[0].kind == "stem"
    assert ops[-1].kind == "head"
    for before, after in pairwise(ops):
        assert after.in_channels == before.out_channels
        assert after.in_size == before.out_size


@pytest.mark.parametrize("name", sorted(SPACES))
def test_all_operators_are_sorted_distinct_and_cover_random_networks(name):
    space = SPACES[name]
    known = space.all_operators()
    assert list(known) == sorted(set(known))
    for x in draw(name, 0, 30):
        assert set(space.operators(space.decode(x))) <= set(known)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_params_and_macs_of_whole_networks_are_exact(name):
    space = SPACES[name]
    macs, params = (space.tabulate(lambda op, key=key: float(getattr(op, key))) for key in ("macs", "params"))
    ends = [space.encode(space.smallest()), space.encode(space.largest())]
    for x in [*ends, *draw(name, 1, 3)]:
        arch = space.decode(x)
        network = network_from_architecture(space, arch).to("meta")
        image = torch.zeros(1, 3, arch.resolution, arch.resolution, device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            logits = network(image)
        assert logits.shape == (1, space.n_classes)
        assert macs(x[None])[0] == counter.get_total_flops() / 2
        assert params(x[None])[0] == sum(p.numel() for p in network.parameters())


def test_ofas_own_spaces_have_its_published_size():
    for name in ("mobilenetv3-w1.0", "mobilenetv3-w1.2"):
        space = SPACES[name]
        assert len(space.n_choices) == 46
        assert space.resolutions == tuple(range(128, 225, 4))
    # Blocks of a stage: sums over depth of (kernels * expansions) ** depth; five stages.
    blocks = sum(9**depth for depth in (2, 3, 4))
    assert blocks**5 * 25 > 1e19


def test_the_small_image_space_stays_below_thirty_million_macs():
    space = SPACES["mobilenetv3-small-image"]
    macs = space.tabulate(lambda op: float(op.macs))
    assert macs(space.encode(space.largest())[None])[0] <= 31e6
    assert space.resolutions[0] == 16
    assert space.resolutions[-1] == 64


@pytest.mark.parametrize("name", sorted(SPACES))
def test_smallest_and_largest_bound_every_cost(name):
    space = SPACES[name]
    macs = space.tabulate(lambda op: float(op.macs))
    low, high = (macs(space.encode(arch)[None])[0] for arch in (space.smallest(), space.largest()))
    values = macs(draw(name, 2, 200))
    assert low < values.min()
    assert values.max() < high


def test_depths_are_sampled_equally_often():
    space = SPACES["mobilenetv3-w1.0"]
    depths = draw("mobilenetv3-w1.0", 0, 3000)[:, 1 : 1 + len(space.stages)]
    shares = [(depths == d).mean() for d in range(3)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)


def test_an_architecture_outside_the_space_is_refused_with_every_fault():
    space = SPACES["mobilenetv3-w1.0"]
    arch = space.smallest()
    bad = replace(
        arch, resolution=130, depths=(9, *arch.depths[1:]), kernel_sizes=(4, *arch.kernel_sizes[1:])
    )
    with pytest.raises(ArchitectureError) as caught:
        space.encode(bad)
    for part in ("resolution", "130", "depth of stage 1", "9", "kernel of block 1.1", "4"):
        assert part in str(caught.value)


def test_an_architecture_of_another_shape_is_refused():
    with pytest.raises(ArchitectureError, match=r"\(5, 20, 20\)"):
        SPACES["mobilenetv3-w1.0"].encode(SPACES["mobilenetv3-small-image"].smallest())


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(3, dtype=np.int64),
        np.zeros(46),
        np.full(46, -1),
        np.full(46, 99),
        [],
        ["a"] * 46,
    ],
)
def test_an_encoding_outside_the_space_is_refused(x):
    with pytest.raises(ArchitectureError):
        SPACES["mobilenetv3-w1.0"].decode(x)


def test_a_wrong_code_is_named():
    x = np.zeros(46, dtype=np.int64)
    x[2] = 3
    with pytest.raises(ArchitectureError, match=r"variable 2 \(depth of stage 2\).*\[0, 3\), got 3"):
        SPACES["mobilenetv3-w1.0"].decode(x)


@pytest.mark.parametrize(
    "change",
    [
        {"resolutions": ()},
        {"resolutions": (32, 16)},
        {"depths": (0, 1)},
        {"depths": (2, 2)},
        {"kernel_sizes": (3, 4)},
        {"expands": ()},
        {"stages": ()},
        {"n_classes": 1},
    ],
)
def test_a_space_that_cannot_be_built_is_refused(change):
    with pytest.raises(SpaceError):
        replace(SPACES["mobilenetv3-small-image"], all_resolutions=(), **change)


def test_an_architecture_is_hashable_and_json():
    arch = SPACES["mobilenetv3-small-image"].smallest()
    assert {arch: 1}[Architecture(**arch_fields(arch))] == 1


def arch_fields(arch: Architecture) -> dict[str, object]:
    data = arch.to_json()
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}

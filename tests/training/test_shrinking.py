from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.tiny_spaces import tiny_data, tiny_space

from edgewright.errors import UsageError
from edgewright.spaces import find_space
from edgewright.supernet import Supernet
from edgewright.training import TrainConfig
from edgewright.training.data.batches import Share
from edgewright.training.shrinking import ShrinkingRecipe, plan_phases


def test_phases_shrink_kernel_then_depth_then_width_one_choice_at_a_time():
    phases = plan_phases(find_space("mobilenetv3-w1.0"), 59)
    assert [p.name for p in phases] == [
        "full", "kernel", "depth 3+", "depth 2+", "expansion 4+", "expansion 3+",
    ]  # fmt: skip
    assert [p.n_subnets for p in phases] == [1, 1, 2, 2, 4, 4]
    assert sum(p.epochs for p in phases) == 59
    assert [p.start for p in phases] == np.cumsum([0, *(p.epochs for p in phases)])[:-1].tolist()
    assert phases[0].epochs > phases[1].epochs > phases[2].epochs >= 1


def test_fewer_epochs_than_phases_are_refused():
    with pytest.raises(UsageError, match="6 phases of at least one epoch, got 5"):
        plan_phases(find_space("mobilenetv3-w1.0"), 5)


def test_a_dimension_without_choice_has_no_phase():
    space = replace(tiny_space(), kernel_sizes=(3,), expands=(4,))
    assert [p.name for p in plan_phases(space, 4)] == ["full", "depth 1+"]


def test_each_phase_samples_its_own_choices(rng):
    space = tiny_space()
    recipe = ShrinkingRecipe(Supernet(space), TrainConfig(recipe="shrinking", epochs=10))
    for phase in recipe.phases:
        recipe.begin_epoch(phase.start)
        archs = [recipe.sample(rng) for _ in range(60)]
        assert {d for a in archs for d in a.depths} == set(space.depths[phase.lowest_depth :])
        first = {(a.kernel_sizes[0], a.expands[0]) for a in archs}
        assert {k for k, _ in first} == set(space.kernel_sizes[phase.lowest_kernel :])
        assert {e for _, e in first} == set(space.expands[phase.lowest_expand :])


def test_the_teacher_is_the_largest_network_as_the_full_phase_left_it(rng):
    space, data = tiny_space(), tiny_data()
    recipe = ShrinkingRecipe(Supernet(space), TrainConfig(recipe="shrinking", epochs=10))
    recipe.begin_epoch(0)
    assert recipe.state() == {}
    recipe.begin_epoch(recipe.phases[1].start)
    x = data.prepare(data.train.images, 8)
    recipe.step(x, data.train.labels, rng, Share(0, len(x), len(x)))
    teacher = {name: tensor.clone() for name, tensor in recipe.state().items()}
    assert torch.equal(teacher["head.classifier.weight"], recipe.supernet.head.classifier.weight)
    again = ShrinkingRecipe(Supernet(space, seed=9), recipe.config)
    again.load_state(teacher)
    assert all(torch.equal(again.state()[name], tensor) for name, tensor in teacher.items())

import numpy as np
import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_data, tiny_space
from torch.nn import functional

from edgewright.supernet import Supernet
from edgewright.training.distillation import soft_cross_entropy
from edgewright.training.sandwich import sandwich_step


@pytest.fixture
def setting():
    space, data = tiny_space(), tiny_data()
    return space, shaken(Supernet(space)).train(), data.prepare(data.train.images, 8), data.train.labels


def test_the_smallest_subnet_learns_from_the_largest_not_from_the_labels(setting, rng):
    space, supernet, x, labels = setting
    archs = (space.largest(), space.smallest())
    sandwich_step(supernet, x, labels, archs, label_smoothing=0.1, dropout_rate=0.0, rng=rng)
    got = {name: p.grad.clone() for name, p in supernet.named_parameters() if p.grad is not None}
    supernet.zero_grad()
    teacher = supernet(x, archs[0])
    loss = functional.cross_entropy(teacher, labels, label_smoothing=0.1)
    (loss + soft_cross_entropy(supernet(x, archs[1]), teacher)).backward()
    for name, grad in got.items():
        parameter = supernet.get_parameter(name)
        torch.testing.assert_close(grad, parameter.grad, msg=name, rtol=1e-3, atol=1e-5)


def test_no_gradient_reaches_the_teacher():
    teacher = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    student = torch.zeros(4, 3, requires_grad=True)
    soft_cross_entropy(student, teacher).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_soft_cross_entropy_is_least_where_student_and_teacher_agree():
    teacher = torch.tensor([[2.0, 0.0, -1.0]])
    probabilities = teacher.softmax(dim=1)
    entropy = -(probabilities * probabilities.log()).sum()
    torch.testing.assert_close(soft_cross_entropy(teacher, teacher), entropy)
    assert soft_cross_entropy(torch.zeros(1, 3), teacher) > entropy


def test_dropout_comes_from_the_generator_alone(setting):
    space, supernet, x, labels = setting
    losses = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed + len(losses))
        losses.append(
            sandwich_step(
                supernet,
                x,
                labels,
                (space.largest(),),
                label_smoothing=0.0,
                dropout_rate=0.5,
                rng=np.random.default_rng(seed),
            )
        )
    assert losses[0] == losses[1] != losses[2]

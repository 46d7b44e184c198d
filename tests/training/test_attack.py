import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_data, tiny_space
from torch import nn

from edgewright.errors import DataError, UsageError
from edgewright.supernet import Supernet
from edgewright.supernet.extract import extract
from edgewright.training.attack import DEFAULT_EPSILON, Attack, adversarial_error
from edgewright.training.data import ImageData, Split
from edgewright.training.evaluate import evaluate


class Linear(nn.Module):
    """Two classes told apart by a weighted sum of the pixels; the images that an attack shows are kept."""

    def __init__(self, weight, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = bias
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        score = (x * self.weight).sum(dim=(1, 2, 3)) + self.bias
        return torch.stack([-score, score], dim=1)


def grey(n=40, size=8, seed=0, low=80, high=176):
    """Images of two classes, far from black and white unless told otherwise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(low, high, (n, 3, size, size), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.arange(n) % 2)
    return ImageData.from_splits(split, split, split, ("no", "yes"), flip=False)


@pytest.fixture
def network():
    space = tiny_space()
    return extract(shaken(Supernet(space)), space.largest())


def error(network, data, **changes):
    attack = {"split": "val", "resolution": 8, "batch_size": 7} | changes
    attack["attack"] = attack.get("attack", Attack(epsilon=8 / 255))
    return adversarial_error(network, data, **attack)


@pytest.mark.parametrize("epsilon", [0.002, 0.006, 0.012])
def test_of_a_linear_network_every_image_that_can_be_misclassified_is(epsilon):
    data = grey()
    images, labels = data.val
    weight = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    scores = (data.prepare(images, 8) * weight).sum(dim=(1, 2, 3))
    network = Linear(weight, -float(scores.median()))
    margins = (scores + network.bias) * (2 * labels - 1)
    # What the worst perturbation takes off: epsilon in pixels is more where a channel's deviation is less.
    most = epsilon * (weight.abs() / torch.tensor(data.std).view(3, 1, 1)).sum()
    expected = float((margins <= most).float().mean())
    clean = evaluate(network, data, split="val", resolution=8).error
    assert clean < expected < 1.0
    assert error(network, data, attack=Attack(epsilon=epsilon)) == pytest.approx(expected, abs=1 / 40)


def test_a_perturbed_image_is_an_image_and_near_the_one_that_it_was():
    data = grey(low=0, high=256)
    weight = 1e-6 * torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    network = Linear(weight, bias=1.0)  # which nothing fools: all steps are taken for half of the images
    error(network, data, batch_size=40, attack=Attack(epsilon=0.1, n_steps=3))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (data.mean, data.std))
    clean, *steps = (x * std + mean for x in network.seen)
    assert len(steps) == 4
    right = clean[[i for i in range(40) if _label(data, clean[i]) == 1]]
    for step in steps:
        assert step.shape == right.shape
        assert (step - right).abs().max() <= 0.1 + 1e-5
        assert step.min() >= -1e-5
        assert step.max() <= 1 + 1e-5
    assert (steps[0] - right).abs().max() > 0.09, "it begins anywhere in the ball"


def _label(data, image):
    """Return the label of an image that an attack showed."""
    pixels = (image * 255).round().to(torch.uint8)
    return int(data.val.labels[(data.val.images == pixels).all(dim=(1, 2, 3))][0])


def test_it_is_at_least_the_error_and_grows_with_what_is_allowed(network):
    data = tiny_data()
    clean = evaluate(network, data, split="val", resolution=8).error
    found = [error(network, data, attack=Attack(epsilon=e)) for e in (1e-6, 2 / 255, 8 / 255, 64 / 255)]
    assert found[0] == clean
    assert found == sorted(found)
    assert found[-1] > clean


def test_it_depends_on_nothing_but_its_arguments(network):
    data = tiny_data()
    first = error(network, data)
    torch.manual_seed(5)
    assert error(network, data) == first
    assert error(network, data, batch_size=24) == pytest.approx(first, abs=1 / 24)
    with torch.no_grad():
        assert error(network, data) == first


def test_the_network_stays_as_it_was(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    error(network, tiny_data())
    assert network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_no_more_images_are_attacked_than_asked_for():
    data = grey()
    network = Linear(torch.zeros(3, 8, 8), bias=1.0)
    error(network, data, attack=Attack(n_images=10), batch_size=40)
    assert len(network.seen[0]) == 10
    again = Linear(torch.zeros(3, 8, 8), bias=1.0)
    error(again, data, attack=Attack(n_images=10), batch_size=40)
    assert torch.equal(network.seen[0], again.seen[0]), "the same ones every time"
    assert error(network, data, attack=Attack(n_images=1000)) == 0.5


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5, float("nan"), float("inf")])
def test_an_epsilon_that_is_none_is_refused(epsilon):
    with pytest.raises(UsageError, match=r"above 0 and at most 1.*--epsilon 2/255"):
        Attack(epsilon=epsilon)


def test_an_attack_reads_back_and_says_what_it_is():
    attack = Attack(epsilon=0.02, n_steps=7, n_images=99)
    assert Attack.from_json(attack.to_json()) == attack
    assert Attack().epsilon == DEFAULT_EPSILON
    assert Attack().text() == "PGD of 5 steps, epsilon 2/255"


def test_an_empty_split_is_refused(network):
    data = tiny_data()
    empty = Split(data.val.images[:0], data.val.labels[:0])
    hollow = ImageData.from_splits(data.train, empty, data.test, data.classes, flip=False)
    with pytest.raises(DataError, match="val split holds no image"):
        error(network, hollow)

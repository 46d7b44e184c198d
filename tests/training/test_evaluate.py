import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_data, tiny_space
from torch import nn

from edgewright.errors import DataError
from edgewright.supernet import Supernet, weights
from edgewright.supernet.extract import extract
from edgewright.training.data import ImageData, Split
from edgewright.training.evaluate import evaluate, evaluate_subnet, images_at_a_time, images_of_one_statistic


class Always(nn.Module):
    """Says class 1, whatever it sees."""

    def forward(self, x):
        return torch.tensor([0.0, 5.0, 0.0]).expand(len(x), 3)


def test_accuracy_is_the_share_of_correct_answers():
    result = evaluate(Always(), tiny_data(), split="val", resolution=8, batch_size=7)
    assert (result.top1, result.n) == (8 / 24, 24)
    assert result.error == 1 - 8 / 24


def test_the_batch_size_does_not_change_the_result():
    space, data = tiny_space(), tiny_data()
    network = extract(shaken(Supernet(space)), space.smallest())
    one, other = (evaluate(network, data, split="val", resolution=8, batch_size=b) for b in (48, 7))
    assert one.top1 == other.top1
    assert one.loss == pytest.approx(other.loss, rel=1e-6)


def test_fewer_large_images_are_predicted_at_a_time_than_small_ones():
    sizes = (1, 32, 64, 128, 224, 4096)
    assert [images_at_a_time(size) for size in sizes] == [128, 128, 128, 32, 10, 8]
    assert [images_of_one_statistic(size) for size in sizes] == [128, 128, 128, 128, 41, 32]


def test_an_evaluation_depends_on_nothing_that_came_before(tmp_path, rng):
    space, data = tiny_space(), tiny_data()
    supernet = shaken(Supernet(space))
    weights.save(supernet, tmp_path / "supernet.safetensors")
    archs = [space.largest(), space.smallest(), *map(space.decode, space.sample(rng, 3))]
    here = [evaluate_subnet(supernet, arch, data) for arch in archs]
    elsewhere = weights.load(tmp_path / "supernet.safetensors", space)  # as another worker has it
    torch.manual_seed(5)
    backwards = [evaluate_subnet(elsewhere, arch, tiny_data()) for arch in reversed(archs)]
    assert backwards[::-1] == here
    assert [evaluate_subnet(supernet, arch, data) for arch in archs] == here


def test_evaluation_leaves_the_supernet_as_it_was():
    space, data = tiny_space(), tiny_data()
    supernet = shaken(Supernet(space)).train()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    evaluate_subnet(supernet, space.largest(), data)
    assert supernet.training
    assert all(torch.equal(before[name], tensor) for name, tensor in supernet.state_dict().items())


def test_an_empty_split_is_refused():
    data = tiny_data()
    empty = Split(data.val.images[:0], data.val.labels[:0])
    hollow = ImageData.from_splits(data.train, empty, data.test, data.classes, flip=False)
    with pytest.raises(DataError, match="val split holds no image"):
        evaluate(Always(), hollow, split="val", resolution=8)

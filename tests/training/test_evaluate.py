import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_data, tiny_space
from torch import nn

from edgewright.errors import DataError
from edgewright.supernet import Supernet
from edgewright.training.data import ImageData, Split
from edgewright.training.evaluate import evaluate, evaluate_subnet


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
    supernet = shaken(Supernet(space))
    one, other = (evaluate_subnet(supernet, space.smallest(), data, batch_size=b) for b in (48, 48))
    assert one == other
    assert 0 <= one.top1 <= 1


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

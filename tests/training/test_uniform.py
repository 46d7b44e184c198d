import pytest
from doubles.tiny_spaces import tiny_data, tiny_space

from edgewright.errors import SpaceError
from edgewright.spaces import find_space
from edgewright.training import TrainConfig, evaluate, train_network
from edgewright.training.uniform import scale_widths


def test_scaled_widths_are_multiples_of_eight_and_keep_the_classes():
    space = find_space("mobilenetv3-w1.0")
    scaled = scale_widths(space, 0.5)
    assert [stage.width for stage in scaled.stages] == [16, 24, 40, 56, 80]
    assert scaled.n_classes == space.n_classes
    assert scaled.digest != space.digest


def test_the_published_wider_space_is_the_scaled_one():
    scaled = scale_widths(find_space("mobilenetv3-w1.0"), 1.2)
    assert scaled.stages == find_space("mobilenetv3-w1.2").stages


def test_a_multiplier_that_is_not_positive_is_refused():
    with pytest.raises(SpaceError, match="positive, got 0"):
        scale_widths(tiny_space(), 0)


def test_one_network_learns_alone_and_is_read_back(tmp_path):
    space, data = tiny_space(), tiny_data()
    config = TrainConfig(epochs=6, batch_size=16, optimizer="adamw", lr=5e-3, dropout=0.0, threads=1)
    arch = space.largest()
    network = train_network(space, arch, data, config, tmp_path)
    first = evaluate(network, data, split="test", resolution=arch.resolution)
    again = train_network(space, arch, data, config, tmp_path)
    assert evaluate(again, data, split="test", resolution=arch.resolution) == first
    assert first.top1 > 0.6

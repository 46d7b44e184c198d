import pytest
import torch
from doubles.tiny_spaces import shaken, tiny_space

from edgewright.errors import RunError
from edgewright.supernet import Supernet, weights


@pytest.fixture
def saved(tmp_path):
    supernet = shaken(Supernet(tiny_space()))
    path = tmp_path / "supernet.safetensors"
    weights.save(supernet, path)
    return supernet, path


def test_saved_weights_come_back_bit_for_bit(saved):
    supernet, path = saved
    again = weights.load(path, tiny_space()).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in supernet.state_dict().items())


def test_a_restricted_space_reads_the_weights_of_the_whole_one(saved):
    _, path = saved
    assert weights.load(path, tiny_space().restrict([8])).space.resolutions == (8,)


def test_weights_of_another_number_of_classes_are_refused(saved):
    _, path = saved
    with pytest.raises(RunError, match="with 3 classes, wanted tiny with 5"):
        weights.load(path, tiny_space(5))


@pytest.mark.parametrize("damage", ["truncated", "text", "absent"])
def test_damaged_weights_are_one_clear_line(saved, damage):
    _, path = saved
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "text":
        path.write_text("not weights")
    else:
        path.unlink()
    with pytest.raises(RunError, match="edgewright train") as caught:
        weights.load(path, tiny_space())
    assert "\n" not in str(caught.value)

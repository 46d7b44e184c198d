import numpy as np
import pytest
import torch
from doubles.tiny_spaces import tiny_data

from edgewright.errors import DataError
from edgewright.training.data import Augmentation, batches, load_digits_data


def test_digits_are_real_scans_in_three_stratified_splits():
    data = load_digits_data(size=16)
    assert len(data.train) + len(data.val) + len(data.test) == 1797
    assert data.train.images.shape[1:] == (3, 16, 16)
    for split in (data.train, data.val, data.test):
        counts = torch.bincount(split.labels)
        assert len(counts) == 10
        assert counts.max() - counts.min() <= 0.1 * counts.max() + 1
    assert data.train.images.max() == 255
    assert not data.flip


def test_the_three_splits_share_no_image():
    data = load_digits_data(size=16)
    seen = [set(map(bytes, s.images.flatten(1).numpy())) for s in (data.train, data.val, data.test)]
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_prepared_training_images_have_zero_mean_and_unit_variance():
    data = tiny_data()
    x = data.prepare(data.train.images, 12)
    assert x.mean().abs() < 1e-5
    assert abs(float(x.std(dim=(0, 2, 3), correction=0).mean()) - 1) < 1e-5
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_images_are_resized_with_antialiasing():
    data = tiny_data()
    stripes = torch.zeros(1, 3, 12, 12, dtype=torch.uint8)
    stripes[..., ::2] = 255
    x = data.prepare(stripes, 4)
    assert x.shape == (1, 3, 4, 4)
    grey = (0.5 - data.mean[0]) / data.std[0]
    assert (x[0, 0] - grey).abs().max() < 0.2 / data.std[0], "stripes finer than a pixel turn grey"


def test_a_shuffled_epoch_shows_each_image_at_most_once():
    data = tiny_data(50)
    drawn = list(batches(data.train, batch_size=16, rng=np.random.default_rng(0)))
    assert [len(batch) for batch in drawn] == [16, 16, 16]
    images = torch.cat([batch.images for batch in drawn])
    assert len(set(map(bytes, images.flatten(1).numpy()))) == 48


def test_batches_without_a_generator_are_the_split_in_order():
    data = tiny_data(50)
    drawn = list(batches(data.train, batch_size=16))
    assert torch.equal(torch.cat([batch.labels for batch in drawn]), data.train.labels)


def test_fewer_images_than_a_batch_are_one_batch():
    data = tiny_data(5)
    drawn = list(batches(data.train, batch_size=16, rng=np.random.default_rng(0)))
    assert [len(batch) for batch in drawn] == [5]


def test_augmentation_shifts_and_mirrors_without_touching_its_input():
    image = torch.zeros(64, 3, 8, 8, dtype=torch.uint8)
    image[:, :, 2, 3] = 200
    before = image.clone()
    changed = Augmentation(crop_fraction=0.25, flip=True).apply(image, np.random.default_rng(0))
    assert torch.equal(image, before)
    places = {tuple(torch.nonzero(one[0])[0].tolist()) for one in changed}
    assert len(places) > 10
    assert all(0 <= row <= 4 for row, _ in places)
    assert {column for _, column in places} == set(range(1, 7))


def test_no_augmentation_changes_nothing():
    images = tiny_data().train.images
    same = Augmentation(crop_fraction=0, flip=False).apply(images, np.random.default_rng(0))
    assert torch.equal(same, images)


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="train, val or test, got 'valid'"):
        tiny_data().split("valid")

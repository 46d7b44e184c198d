import pytest

from edgewright.errors import DataError
from edgewright.pipeline.data import load_data


def test_digits_and_folders_are_told_apart(chain):
    digits = load_data("digits", size=8)
    assert digits.n_classes == 10
    assert not digits.flip
    photos = load_data(str(chain.images), size=12, val_fraction=0.2)
    assert photos.classes == ("checker", "columns", "diagonal", "rows")
    assert (len(photos.train), len(photos.val), len(photos.test)) == (152, 40, 100)


def test_the_seed_decides_the_split_and_the_digest_shows_it(chain):
    first, again, other = (load_data(str(chain.images), size=12, seed=seed) for seed in (0, 0, 1))
    assert first.digest == again.digest != other.digest


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_data(str(tmp_path / "none"), size=12)

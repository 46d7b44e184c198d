import numpy as np
import pytest
from PIL import Image

from edgewright.errors import DataError
from edgewright.training.data import load_image_folder


def write_image(path, value, *, size=(20, 16), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = (value, 0, 0) if mode == "RGB" else value
    Image.new(mode, size, shade).save(path)


@pytest.fixture
def tree(tmp_path):
    """Two classes of ten training and two test images each."""
    for label, name in enumerate(("cat", "dog")):
        for i in range(10):
            write_image(tmp_path / "train" / name / f"{i}.png", 100 * label + i)
        for i in range(2):
            write_image(tmp_path / "test" / name / f"{i}.png", 100 * label + i)
    return tmp_path


def test_images_come_as_squares_with_a_stratified_split_held_out(tree):
    data = load_image_folder(tree, size=8, val_fraction=0.2)
    assert data.classes == ("cat", "dog")
    assert data.train.images.shape == (16, 3, 8, 8)
    assert data.val.labels.tolist() == [0, 0, 1, 1]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    shades = {split: set(getattr(data, split).images[:, 0, 0, 0].tolist()) for split in ("train", "val")}
    assert not shades["train"] & shades["val"]
    assert shades["train"] | shades["val"] == {*range(10), *range(100, 110)}


def test_the_seed_decides_which_images_are_held_out(tree):
    first, same, other = (load_image_folder(tree, size=8, seed=s) for s in (0, 0, 1))
    assert first.digest == same.digest
    assert first.digest != other.digest


def test_the_longer_side_is_cropped_at_its_centre(tree):
    picture = np.zeros((8, 16, 3), dtype=np.uint8)
    picture[:, 4:12] = 200  # the centre square
    Image.fromarray(picture).save(tree / "test" / "cat" / "0.png")
    data = load_image_folder(tree, size=8)
    assert (data.test.images[0] == 200).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_other_pixel_formats_become_rgb(tree, mode):
    path = tree / "test" / "cat" / "0.png"
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 128 << 8, dtype=np.uint16)).save(path)
    else:
        Image.new("L", (8, 8), 128).convert(mode).save(path)
    data = load_image_folder(tree, size=8)
    assert (data.test.images[0] == 128).all()


def test_progress_reaches_the_number_of_images(tree):
    told = []
    load_image_folder(tree, size=8, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (24, 24)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"does not exist; give one that holds train/CLASS"):
        load_image_folder(tmp_path / "absent", size=8)


def test_an_empty_folder_lacks_both_halves(tmp_path):
    with pytest.raises(DataError, match=r"train/ is missing; test/ is missing"):
        load_image_folder(tmp_path, size=8)


def test_all_faults_are_listed_at_once(tree):
    (tree / "train" / "empty").mkdir()
    (tree / "test" / "bird").mkdir()
    with pytest.raises(DataError) as caught:
        load_image_folder(tree, size=8)
    text = str(caught.value)
    assert "too few in: empty (0)" in text
    assert "too few in: bird (0)" in text
    assert "test/ lacks the classes empty" in text
    assert "test/ has classes that train/ lacks: bird" in text


def test_one_class_alone_is_refused(tree):
    for half in ("train", "test"):
        for path in (tree / half / "dog").iterdir():
            path.unlink()
        (tree / half / "dog").rmdir()
    with pytest.raises(DataError, match="one class only, 'cat'"):
        load_image_folder(tree, size=8)


@pytest.mark.parametrize("content", [b"", b"not an image", b"truncated"])
def test_corrupt_images_are_counted_and_the_first_is_named(tree, content):
    path = tree / "train" / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:40] if content == b"truncated" else content)
    (tree / "train" / "dog" / "5.png").write_bytes(b"broken too")
    with pytest.raises(
        DataError, match=r"2 of 24 images .* first train/dog/3.png .*replace or delete"
    ) as caught:
        load_image_folder(tree, size=8)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_images_are_passed_over(tree):
    (tree / "train" / "cat" / "notes.txt").write_text("a cat")
    (tree / "train" / "cat" / ".hidden.png").write_bytes(b"junk")
    assert len(load_image_folder(tree, size=8).train) == 18


def test_more_images_than_memory_holds_are_refused_before_reading(tree):
    with pytest.raises(DataError, match="GB are free"):
        load_image_folder(tree, size=10**6)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_split_that_leaves_nothing_is_refused(tree, fraction):
    with pytest.raises(DataError, match="between 0 and 1"):
        load_image_folder(tree, size=8, val_fraction=fraction)

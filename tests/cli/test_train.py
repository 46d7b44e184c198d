import shutil

import pytest
from doubles.tiny_chain import CLASSES, SPACE, contents

VAL = ("--val-fraction", "0.25")  # as the run of the session has it
QUICK = ("--space", SPACE, "--epochs", "1", "--batch-size", "16", "--threads", "1")


@pytest.fixture
def images(chain, tmp_path):
    """A copy of the images that a test may spoil."""
    return shutil.copytree(chain.images, tmp_path / "images")


def test_train_makes_a_run_that_training_again_finds_finished(edgewright, chain, tmp_path):
    run = tmp_path / "run"
    command = ("train", *QUICK, "--data", chain.images, "--out", run)
    first = edgewright(*command, "--json").json()
    assert first["run"] == str(run)
    assert first["epochs"] == 1
    assert first["space"] == f"{SPACE}:{len(CLASSES)}"
    assert set(first["validation_accuracy"]) == {"largest", "smallest"}
    again = edgewright(*command)
    assert again.status == 0
    assert "next: edgewright profile" in again.out
    assert edgewright(*command, "--json").json() == first


def test_a_folder_that_is_not_a_run_is_left_alone(edgewright, chain, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    before = contents(tmp_path)
    command = ("train", *QUICK, "--data", chain.images, "--out")
    edgewright(*command, tmp_path / "thesis").refusal(2, "not an edgewright run", "--out")
    edgewright(*command, tmp_path / "thesis" / "chapter.tex").refusal(2, "not an edgewright run", "--out")
    edgewright(*command, tmp_path / "thesis" / "chapter.tex" / "run").refusal(2, "cannot write", "folder")
    assert contents(tmp_path) == before


def test_a_run_with_other_settings_is_left_alone(edgewright, chain, own_run):
    before = contents(own_run)
    line = edgewright("train", *QUICK, "--data", chain.images, "--out", own_run, "--seed", "5").refusal(
        2, "another", "data.seed (0, now 5)", "training.epochs (10, now 1)", "--out"
    )
    assert "training.batch_size" not in line
    assert contents(own_run) == before


def test_images_that_changed_since_are_noticed(edgewright, own_run, chain, images):
    victim = next((images / "train" / "rows").iterdir())
    shutil.copyfile(images / "train" / "columns" / "03.jpg", victim)
    edgewright("train", *QUICK, "--epochs", "10", "--data", images, "--out", own_run).refusal(
        2, "another", "data.digest", "--out"
    )


def test_a_data_folder_that_is_not_there(edgewright, tmp_path):
    edgewright("train", *QUICK, "--data", tmp_path / "none", "--out", tmp_path / "run").refusal(
        2, "does not exist", "train/CLASS/*.jpg"
    )
    assert not (tmp_path / "run").exists()


def _empty(images):
    for path in images.rglob("*.jpg"):
        path.unlink()


def _without_test(images):
    shutil.rmtree(images / "test")


def _one_class(images):
    for half in ("train", "test"):
        for name in CLASSES[1:]:
            shutil.rmtree(images / half / name)


def _corrupt(images):
    path = images / "train" / "rows" / "07.jpg"
    path.write_bytes(path.read_bytes()[:100])
    (images / "test" / "rows" / "01.jpg").write_text("no image")


def _other_classes(images):
    (images / "test" / "rows").rename(images / "test" / "bananas")


def _flat(images):
    for path in list(images.rglob("*.jpg")):
        path.rename(images / "train" / f"{path.parent.parent.name}-{path.parent.name}-{path.name}")
    for folder in [*(images / "train").iterdir(), *(images / "test").iterdir()]:
        if folder.is_dir():
            folder.rmdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, ["does not exist", "train/CLASS/*.jpg"]),
        (_empty, ["too few", "checker (0)", "train/CLASS/*.jpg"]),
        (_without_test, ["test/ is missing", "test/CLASS/*.jpg"]),
        (_one_class, ["one class only", "at least two", "train/CLASS/*.jpg"]),
        (_corrupt, ["2 of 292 images", "cannot be read", "train/rows/07.jpg", "replace or delete"]),
        (_other_classes, ["test/ lacks the classes rows", "test/ has classes that train/ lacks: bananas"]),
        (_flat, ["holds no class folders", "train/CLASS/*.jpg"]),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_images_that_cannot_be_trained_on(edgewright, images, tmp_path, spoil, said):
    spoil(images)
    edgewright("train", *QUICK, "--data", images, "--out", tmp_path / "run").refusal(2, *said)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--space", "resnet"], ["unknown space 'resnet'", "mobilenetv3-small-image"]),
        (["--space", "mobilenetv3-small-image@17"], ["no resolution [17]", "16, 24"]),
        (["--space", "mobilenetv3-small-image@big"], ["cannot read the space", "mobilenetv3-small-image@16"]),
        (["--recipe", "magic"], ["recipe is one of", "sandwich"]),
        (["--optimizer", "adam"], ["optimizer is one of", "adamw"]),
        (["--lr", "-1", "--optimizer", "adam"], ["lr is positive", "optimizer is one of"]),
        (["--lr", "nan"], ["lr is positive, got nan"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_that_cannot_be(edgewright, chain, tmp_path, arguments, said):
    command = ("train", *QUICK, "--data", chain.images, "--out", tmp_path / "run", *arguments)
    edgewright(*command).refusal(2, *said)
    assert not (tmp_path / "run").exists()


def test_training_that_diverges_says_so_and_what_to_lower(edgewright, chain, tmp_path):
    command = ("train", *QUICK, "--epochs", "3", "--data", chain.images, "--out", tmp_path / "run")
    edgewright(*command, "--optimizer", "sgd", "--lr", "1e30").refusal(
        2, "diverged", "learning rate", "--out"
    )


@pytest.mark.parametrize("damage", ["truncated", "swapped"])
def test_a_damaged_checkpoint_is_told_from_a_whole_one(edgewright, chain, own_run, damage):
    weights = own_run / "supernet.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2] if damage == "truncated" else data[:-4] + b"\0\0\0\1")
    command = (
        *("train", "--space", SPACE, "--epochs", "10", "--batch-size", "16", "--optimizer", "adamw"),
        *VAL,
        *("--threads", "1", "--data", chain.images, "--out", own_run),
    )
    edgewright(*command).refusal(2, "truncated or changed", "delete")


def test_a_lost_log_takes_nothing_from_a_finished_run(edgewright, chain, own_run):
    (own_run / "train.jsonl").unlink()
    command = (
        *("train", "--space", SPACE, "--epochs", "10", "--batch-size", "16", "--optimizer", "adamw"),
        *VAL,
        *("--data", chain.images, "--out", own_run),
    )
    assert "not in its log" in edgewright(*command).out

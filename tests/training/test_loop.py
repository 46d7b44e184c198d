import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from doubles.tiny_spaces import tiny_data, tiny_space

from edgewright.errors import DataError, MissingExtraError, RunError, StorageError
from edgewright.supernet import weights
from edgewright.training import TrainConfig, evaluate_subnet, train
from edgewright.training.log import EpochReport, TrainLog, read_log

SHORT = {"epochs": 3, "batch_size": 16, "optimizer": "adamw", "lr": 5e-3, "threads": 1}


def short(**changes):
    return TrainConfig(**(SHORT | changes))


class StopError(Exception):
    """Stands for whatever ends a process."""


def stop_after(epoch):
    def told(progress):
        if (progress.epoch, progress.step) == (epoch + 1, 2):
            raise StopError

    return told


def test_training_teaches_the_largest_and_the_smallest_subnet(tmp_path):
    space, data = tiny_space(), tiny_data(96)
    supernet = train(space, data, short(epochs=10, evaluate_every=0), tmp_path)
    assert evaluate_subnet(supernet, space.largest(), data, split="test").top1 > 0.8
    assert evaluate_subnet(supernet, space.smallest(), data, split="test").top1 > 0.6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.json", "supernet.safetensors", "train.jsonl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "sgd", "lr": 0.05}, {"recipe": "shrinking", "epochs": 6}],
    ids=["adamw", "sgd", "shrinking"],
)
def test_an_interrupted_run_ends_with_the_weights_of_an_undisturbed_one(tmp_path, changes):
    space, data, config = tiny_space(), tiny_data(), short(**changes)
    whole = train(space, data, config, tmp_path / "whole")
    for epoch in range(config.epochs):
        with pytest.raises(StopError):
            train(space, data, config, tmp_path / "parts", progress=stop_after(epoch))
    parts = train(space, data, config, tmp_path / "parts")
    for name, tensor in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[name], tensor), name
    logs = [read_log(tmp_path / run) for run in ("whole", "parts")]
    assert [row["epoch"] for row in logs[1]] == list(range(1, config.epochs + 1))
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]


KILLED = """
import json, sys
from pathlib import Path
from doubles.tiny_spaces import tiny_data, tiny_space
from edgewright.training import TrainConfig, train
print("ready", flush=True)
config = TrainConfig(**json.loads(sys.argv[1]))
train(tiny_space(), tiny_data(), config, Path(sys.argv[2]), progress=lambda p: print("step", flush=True))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is a thing of POSIX")
def test_a_killed_process_started_again_ends_with_the_same_weights(tmp_path):
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "sdk"), str(root / "tests")])}
    command = [sys.executable, "-c", KILLED, json.dumps(SHORT), str(tmp_path / "killed")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(6):  # into the second epoch of three steps each
        assert process.stdout.readline()
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "supernet.safetensors").exists()
    assert (tmp_path / "killed" / "checkpoint.json").exists()
    train(tiny_space(), tiny_data(), short(), tmp_path / "killed")
    train(tiny_space(), tiny_data(), short(), tmp_path / "whole")
    killed, whole = (tmp_path / run / "supernet.safetensors" for run in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()


def test_a_finished_run_is_read_not_trained_again(tmp_path):
    space, data = tiny_space(), tiny_data()
    first = train(space, data, short(), tmp_path)
    started = time.perf_counter()
    told = []
    again = train(space, data, short(), tmp_path, progress=told.append)
    assert not told, f"trained again for {time.perf_counter() - started:.1f} s"
    assert torch.equal(again.head.classifier.weight, first.head.classifier.weight)
    assert torch.equal(
        weights.load(tmp_path / "supernet.safetensors", space).head.classifier.weight,
        first.head.classifier.weight,
    )


@pytest.fixture
def interrupted(tmp_path):
    with pytest.raises(StopError):
        train(tiny_space(), tiny_data(), short(), tmp_path, progress=stop_after(1))
    return tmp_path


def test_a_run_with_other_settings_says_which_differ(interrupted):
    with pytest.raises(RunError, match=r"epochs was 3, now 4; seed was 0, now 1; use the settings"):
        train(tiny_space(), tiny_data(), short(epochs=4, seed=1), interrupted)


def test_a_run_on_other_data_is_refused(interrupted):
    with pytest.raises(RunError, match="holds another training run: data was"):
        train(tiny_space(), tiny_data(seed=1), short(), interrupted)


@pytest.mark.parametrize("damage", ["truncated", "missing", "json", "keys"])
def test_a_damaged_checkpoint_is_one_clear_line(interrupted, damage):
    tensors = next(interrupted.glob("checkpoint-*.safetensors"))
    if damage == "truncated":
        tensors.write_bytes(tensors.read_bytes()[:100])
    elif damage == "missing":
        tensors.unlink()
    elif damage == "json":
        (interrupted / "checkpoint.json").write_text("{")
    else:
        (interrupted / "checkpoint.json").write_text("{}")
    with pytest.raises(RunError, match="to start over") as caught:
        train(tiny_space(), tiny_data(), short(), interrupted)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_half_written_beside_a_whole_one_is_ignored(interrupted):
    (interrupted / "checkpoint-0002.safetensors").write_bytes(b"torn")
    train(tiny_space(), tiny_data(), short(), interrupted)
    assert not list(interrupted.glob("checkpoint-*.safetensors"))


def test_ctrl_c_passes_through_and_loses_nothing_finished(tmp_path):
    def interrupt(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny_space(), tiny_data(), short(), tmp_path, progress=interrupt)
    assert json.loads((tmp_path / "checkpoint.json").read_text())["epoch"] == 1


def test_data_with_another_number_of_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="3 classes, space tiny 5"):
        train(tiny_space(5), tiny_data(), short(), tmp_path)


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(RunError, match=r"diverged in epoch 1 .* lower the learning rate"):
        train(tiny_space(), tiny_data(), short(lr=1e30, optimizer="sgd", warmup_epochs=0), tmp_path)


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        train(tiny_space(), tiny_data(), short(), tmp_path / "file" / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named_and_leaves_the_checkpoint(interrupted):
    before = (interrupted / "checkpoint.json").read_text()
    with TrainLog(interrupted, first_epoch=1, tensorboard=False) as log:
        (interrupted / "train.jsonl").unlink()
        (interrupted / "train.jsonl").symlink_to("/dev/full")
        with pytest.raises(StorageError, match="no space left"):
            log.write(EpochReport(2, 3, 1.0, 0.1, 1.0, 1.0, {}))
    assert (interrupted / "checkpoint.json").read_text() == before


def test_the_log_has_one_line_an_epoch_with_accuracies(tmp_path):
    train(tiny_space(), tiny_data(), short(evaluate_every=2), tmp_path)
    rows = read_log(tmp_path)
    assert [sorted(row["evaluations"]) for row in rows] == [
        [],
        ["largest", "smallest"],
        ["largest", "smallest"],
    ]
    assert all(row["images_per_s"] > 0 and row["lr"] >= 0 for row in rows)


def test_a_torn_last_line_of_the_log_is_left_out(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"epoch": 1}\n{"epo')
    assert read_log(tmp_path) == [{"epoch": 1}]


def test_tensorboard_is_an_option(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"edgewright\[tensorboard\]"):
        train(tiny_space(), tiny_data(), short(tensorboard=True), tmp_path)
    monkeypatch.undo()
    shutil.rmtree(tmp_path)
    pytest.importorskip("tensorboard", reason="writes a TensorBoard log, which is not installed")
    train(tiny_space(), tiny_data(), short(epochs=1, tensorboard=True), tmp_path)
    assert list((tmp_path / "tensorboard").glob("events.*"))

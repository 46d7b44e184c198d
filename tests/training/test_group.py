"""Training in several processes, each a real one, joined by gloo."""

import json
import re
from datetime import timedelta

import numpy as np
import pytest
import torch
from doubles.processes import finish_group, free_port, start_group
from doubles.tiny_spaces import tiny_data, tiny_space
from safetensors.torch import load_file

from edgewright.errors import ProcessLostError, UsageError
from edgewright.training import TrainConfig, train, train_network
from edgewright.training import group as group_module
from edgewright.training.data import Augmentation, batches
from edgewright.training.group import ALONE, Group, group_from_environment
from edgewright.training.log import read_log

SETTINGS = {
    "sandwich": {"epochs": 2, "batch_size": 15, "lr": 0.05},  # shares of 7 and 8
    "adamw": {"epochs": 1, "batch_size": 16, "optimizer": "adamw", "lr": 2e-3},
    "shrinking": {"recipe": "shrinking", "epochs": 6, "batch_size": 48, "lr": 0.05},
    "network": {"epochs": 2, "batch_size": 16, "lr": 0.05},
}
TRAINING = """
import json, os, sys
from pathlib import Path
from doubles.tiny_spaces import tiny_data, tiny_space
from safetensors.torch import save_file
from edgewright.training import TrainConfig, train, train_network
from edgewright.training.group import group_from_environment

out, every = Path(sys.argv[1]), json.loads(sys.argv[2])
space, data = tiny_space(), tiny_data()
with group_from_environment() as group:
    for name, settings in every.items():
        config = TrainConfig(threads=1, **settings)
        if name == "network":
            made = train_network(space, space.largest(), data, config, out / name, group=group)
        else:
            made = train(space, data, config, out / name, group=group)
        state = {key: tensor.contiguous() for key, tensor in made.state_dict().items()}
        save_file(state, out / f"{name}-{group.rank}.safetensors")
"""


def trained(name, out):
    """Train as ``name`` says in this process; return where the weights are."""
    space, data = tiny_space(), tiny_data()
    config = TrainConfig(threads=1, **SETTINGS[name])
    if name == "network":
        train_network(space, space.largest(), data, config, out / name)
        return out / name / "network.safetensors"
    train(space, data, config, out / name)
    return out / name / "supernet.safetensors"


def assert_alike(found, wanted):
    """Check that two files hold the same weights but for the order in which floats were summed."""
    found, wanted = load_file(found), load_file(wanted)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_processes_together_train_what_one_trains_with_the_same_batch(tmp_path):
    (tmp_path / "two").mkdir()
    ended = finish_group(start_group(2, "-c", TRAINING, tmp_path / "two", json.dumps(SETTINGS)))
    assert [status for status, _, _ in ended] == [0, 0], ended
    for name in SETTINGS:
        alone = trained(name, tmp_path / "one")
        if name != "adamw":  # it divides by a gradient's size, even of one that is all rounding
            assert_alike(tmp_path / "two" / name / alone.name, alone)
        states = [tmp_path / "two" / f"{name}-{rank}.safetensors" for rank in (0, 1)]
        assert states[0].read_bytes() == states[1].read_bytes(), "all processes have the same weights"
        for mine, other in zip(*(read_log(tmp_path / n / name) for n in ("two", "one")), strict=True):
            assert mine["loss"] == pytest.approx(other["loss"], rel=1e-5)
            assert mine["lr"] == other["lr"]
            for network, wanted in other["evaluations"].items():
                found = mine["evaluations"][network]
                assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
                assert (found["top1"], found["n"]) == (wanted["top1"], wanted["n"])
        assert sorted(path.name for path in (tmp_path / "two" / name).iterdir()) == [
            "checkpoint.json", alone.name, "train.jsonl",
        ]  # fmt: skip


FAILING = """
import sys
from pathlib import Path
from doubles.tiny_spaces import tiny_data, tiny_space
from edgewright.errors import DataError, SDKError
from edgewright.training import TrainConfig, train
from edgewright.training.group import group_from_environment

def refuse(in_process):
    if group.rank == in_process:
        raise DataError("these images are none")
    return {}

def other_data():
    train(tiny_space(), tiny_data(seed=group.rank), TrainConfig(), Path(sys.argv[1]), group=group)

with group_from_environment() as group:
    for work in (
        lambda: group.agreed(lambda: refuse(1)),
        lambda: group.first(lambda: refuse(0)),
        other_data,
    ):
        try:
            work()
        except SDKError as error:
            print(type(error).__name__, error.exit_code, error, sep="|")
"""


def test_what_fails_in_one_process_fails_in_all(tmp_path):
    ended = finish_group(start_group(2, "-c", FAILING, tmp_path / "run"))
    assert [status for status, _, _ in ended] == [0, 0], ended
    first, second = (out.splitlines() for _, out, _ in ended)
    assert first[0] == "ProcessFailedError|2|process 1 of 2: these images are none"
    assert second[0] == "DataError|2|these images are none"
    assert first[1] == "DataError|2|these images are none"
    assert second[1] == "ProcessFailedError|2|process 0 of 2: these images are none"
    assert first[2] == second[2]
    assert re.match(
        r"UsageError\|2\|the 2 processes were not given the same: data is .* in process 1; ", first[2]
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shares_make_up_the_batch_in_shuffling_and_augmentation(size):
    data, augmentation = tiny_data(), Augmentation(flip=True)
    n = 16

    def drawn(share):
        rng = np.random.default_rng(3)
        return list(batches(data.train, batch_size=n, rng=rng, augmentation=augmentation, share=share))

    shares = [Group(rank, size).share(n) for rank in range(size)]
    assert sum(share.weight for share in shares) == pytest.approx(1)
    parts = [drawn(share) for share in shares]
    for step, whole in enumerate(drawn(None)):
        assert torch.equal(torch.cat([part[step].images for part in parts]), whole.images)
        assert torch.equal(torch.cat([part[step].labels for part in parts]), whole.labels)


def test_a_batch_too_small_for_all_processes_is_refused():
    with pytest.raises(UsageError, match="3 images cannot be shared by 4 processes; start fewer"):
        Group(0, 4).share(3)


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with group_from_environment() as group:
        assert group is ALONE
    assert ALONE.exchange("said") == ["said"]
    assert ALONE.agreed(lambda: 3) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"WORLD_SIZE": "2"},
            r"WORLD_SIZE is 2, .* RANK, MASTER_ADDR, MASTER_PORT is not set; .* unset WORLD_SIZE",
        ),
        ({"WORLD_SIZE": "two"}, r"WORLD_SIZE in the environment is a whole number, got 'two'; .*torchrun"),
        ({"WORLD_SIZE": "0"}, r"WORLD_SIZE .* got '0'"),
        (
            {"WORLD_SIZE": "2", "RANK": "-1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"},
            r"RANK in the environment is a whole number, got '-1'",
        ),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_half_an_environment_is_refused(monkeypatch, given, said):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said), group_from_environment():
        pass


def test_a_process_that_nobody_joins_gives_up(monkeypatch):
    monkeypatch.setattr(group_module, "PATIENCE", timedelta(seconds=1))
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    said = r"process 0 of 2 cannot join the others at 127\.0\.0\.1:\d+ .*torchrun"
    with pytest.raises(ProcessLostError, match=said), group_from_environment():
        pass

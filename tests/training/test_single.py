from dataclasses import replace

import pytest
import torch
from doubles.tiny_spaces import tiny_data, tiny_space

from edgewright.errors import RunError
from edgewright.training import TrainConfig, evaluate, fine_tune, train
from edgewright.training.evaluate import calibrated_subnet
from edgewright.training.log import read_log

CONFIG = TrainConfig(epochs=4, batch_size=16, optimizer="adamw", lr=2e-3, dropout=0.0, threads=1)


class StopError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def supernet(tmp_path_factory):
    config = replace(CONFIG, epochs=3, lr=5e-3, evaluate_every=0)
    return train(tiny_space(), tiny_data(), config, tmp_path_factory.mktemp("supernet"))


def tuned(supernet, out, config=CONFIG, **told):
    arch, data = supernet.space.smallest(), tiny_data()
    network = calibrated_subnet(supernet, arch, data)
    return fine_tune(network, supernet.space, arch, data, config, out, inherited="abc", **told)


def test_the_epoch_that_does_best_on_the_validation_images_is_kept(supernet, tmp_path):
    found = tuned(supernet, tmp_path)
    epochs = [row["evaluations"]["network"]["top1"] for row in read_log(tmp_path)]
    assert len(epochs) == CONFIG.epochs
    assert found.after.top1 == max(found.before.top1, *epochs)
    resolution = supernet.space.smallest().resolution
    assert evaluate(found.network, tiny_data(), split="val", resolution=resolution) == found.after
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.json", "network.safetensors", "train.jsonl",
    ]  # fmt: skip
    told = []
    again = tuned(supernet, tmp_path, progress=told.append)
    assert not told, "it is read, not trained again"
    assert (again.before, again.after) == (found.before, found.after)


def test_training_that_only_does_harm_leaves_the_inherited_weights(supernet, tmp_path):
    found = tuned(supernet, tmp_path, replace(CONFIG, epochs=1, lr=5.0, warmup_epochs=0))
    assert found.after == found.before
    inherited = calibrated_subnet(supernet, supernet.space.smallest(), tiny_data()).state_dict()
    assert all(torch.equal(inherited[name], t) for name, t in found.network.state_dict().items())


def test_an_interrupted_fine_tuning_ends_as_an_undisturbed_one(supernet, tmp_path):
    whole = tuned(supernet, tmp_path / "whole")
    for epoch in (1, 2, 4):

        def stop(at, epoch=epoch):
            if (at.epoch, at.step) == (epoch, 2):
                raise StopError

        with pytest.raises(StopError):
            tuned(supernet, tmp_path / "parts", progress=stop)
    parts = tuned(supernet, tmp_path / "parts")
    assert (parts.before, parts.after) == (whole.before, whole.after)
    assert parts.path.read_bytes() == whole.path.read_bytes()


def test_another_start_is_another_run(supernet, tmp_path):
    tuned(supernet, tmp_path, replace(CONFIG, epochs=1))
    space, data = supernet.space, tiny_data()
    arch, config = space.largest(), replace(CONFIG, epochs=1)
    network = calibrated_subnet(supernet, arch, data)
    with pytest.raises(RunError, match="holds another training run: inherited was abc, now def; network was"):
        fine_tune(network, space, arch, data, config, tmp_path, inherited="def")

import json

import numpy as np
import pytest
import torch

from edgewright.errors import RunError
from edgewright.pipeline.trained import TrainedRun


def test_a_network_of_the_run_is_plain_and_evaluates_as_it_did_in_training(trained, chain):
    logged = json.loads((chain.run / "train.jsonl").read_text().splitlines()[-1])["evaluations"]
    for name, arch in (("largest", trained.space.largest()), ("smallest", trained.space.smallest())):
        assert trained.evaluate(arch).top1 == pytest.approx(logged[name]["top1"])


def test_evaluating_twice_gives_the_same_error(trained):
    arch = trained.space.decode(trained.space.sample(np.random.default_rng(2), 1)[0])
    assert trained.evaluate(arch) == trained.evaluate(arch)
    torch.manual_seed(5)  # nothing reads the global generator
    assert trained.evaluate(arch, "test").n == 100


def test_images_are_spread_over_the_split_and_prepared(trained):
    images, labels = trained.images("test", 16, 8)
    assert images.shape == (8, 3, 16, 16)
    assert images.dtype == np.float32
    assert set(labels) == {0, 1, 2, 3}
    assert trained.images("test", 16, 9999)[0].shape[0] == 100
    assert trained.calibration_images(16, 5).shape == (5, 3, 16, 16)


def test_a_run_that_is_not_finished_is_not_opened(trained_only):
    (trained_only / "supernet.safetensors").unlink()
    with pytest.raises(RunError, match="edgewright train"):
        TrainedRun.open(trained_only)

import json
from dataclasses import replace

import pytest
from doubles.listener import Listener
from doubles.tiny_chain import SPACE, TRAINING

from edgewright.errors import OutputExistsError, RunError
from edgewright.files import file_digest
from edgewright.pipeline.lock import exclusive
from edgewright.pipeline.train import train_run


def test_a_run_describes_itself_and_tells_how_far_it_is(chain, tmp_path):
    listener = Listener()
    config = replace(TRAINING, epochs=2)
    result = train_run(SPACE, str(chain.images), tmp_path / "run", config, progress=listener)
    assert result.digest == file_digest(tmp_path / "run" / "supernet.safetensors")
    assert set(result.accuracies) == {"largest", "smallest"}
    assert listener.tasks == ["reading images", f"training {SPACE}:4"]
    assert listener.updates[-1][0] == 2
    assert "validation largest" in listener.updates[-1][1]
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["data"]["source"] == str(chain.images)
    assert (described["data"]["n_train"], described["data"]["n_test"]) == (172, 100)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(chain, tmp_path):
    config = replace(TRAINING, epochs=1)
    digests = [
        train_run(SPACE, str(chain.images), tmp_path / name, replace(config, seed=seed)).digest
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_what_cannot_be_written_is_said_before_images_are_read(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OutputExistsError):
        train_run(SPACE, str(tmp_path / "no images either"), tmp_path, TRAINING)


def test_a_run_in_which_another_process_trains_is_left_alone(chain, tmp_path):
    config = replace(TRAINING, epochs=1)
    train_run(SPACE, str(chain.images), tmp_path / "run", config)
    with exclusive(tmp_path / "run"), pytest.raises(RunError, match="another process"):
        train_run(SPACE, str(chain.images), tmp_path / "run", config)

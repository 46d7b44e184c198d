import json

import numpy as np
import onnxruntime
import pytest
import torch

from edgewright.backends.parity import check_parity
from edgewright.devices.profile import DeviceProfile
from edgewright.errors import ParityError, UsageError
from edgewright.pipeline.compile import compile_architecture, compile_pick
from edgewright.pipeline.front import load_front
from edgewright.pipeline.trained import TrainedRun
from edgewright.pipeline.tune import tuning_config
from edgewright.training.log import read_log


def test_the_file_computes_what_the_network_does(chain, own_run):
    made = compile_pick(own_run, "1", "cpu")
    trained = TrainedRun.open(own_run)
    arch = load_front(own_run).find("1").architecture
    images, _ = trained.images("test", arch.resolution, 3)
    session = onnxruntime.InferenceSession(str(made.path))
    (name,) = (node.name for node in session.get_inputs())
    found = np.concatenate([session.run(None, {name: image[None]})[0] for image in images])
    with torch.inference_mode():
        expected = trained.network(arch)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


def test_a_file_is_made_once_and_again_when_it_was_harmed(own_run):
    first = compile_pick(own_run, "smallest", "litert")
    made = first.path.stat().st_mtime_ns
    data = first.path.read_bytes()
    assert compile_pick(own_run, "smallest", "litert") == first
    assert first.path.stat().st_mtime_ns == made, "kept"
    first.path.write_bytes(data[:100])
    assert compile_pick(own_run, "smallest", "litert").size_bytes == len(data)
    assert first.path.read_bytes() == data
    first.manifest.write_text("{")
    compile_pick(own_run, "smallest", "litert")
    assert json.loads(first.manifest.read_text())["size_bytes"] == len(data)


def test_a_file_that_disagrees_with_torch_is_not_kept(own_run, monkeypatch):
    trained = TrainedRun.open(own_run)
    profile = DeviceProfile.find("cpu")

    def against_another(network, *rest, **options):
        return check_parity(_Negated(network), *rest, **options)

    # No exporter of ours is wrong by itself, so the file is held against another network.
    monkeypatch.setattr("edgewright.pipeline.compile.check_parity", against_another)
    with pytest.raises(ParityError, match="disagrees with torch"):
        compile_architecture(trained, "7", trained.space.largest(), profile, "fp32")
    assert not list(trained.folder.artifact_folder("7", profile.name, "fp32").iterdir())


class _Negated(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return -self.network(x)


def test_the_manifest_holds_what_a_device_needs(chain, own_run):
    made = compile_pick(own_run, "largest", "cpu", precision="int8")
    told = json.loads(made.manifest.read_text())
    trained = TrainedRun.open(own_run)
    assert told["input"]["mean"] == list(trained.data.mean)
    assert told["input"]["shape"] == [1, 3, 16, 16]
    assert told["architecture"] == trained.space.largest().to_json()
    assert told["precision"] == "int8"
    assert told["file"] == made.path.name
    assert "of the range" in made.text()


def test_a_fine_tuned_network_lies_beside_the_one_with_inherited_weights(own_run):
    plain = compile_pick(own_run, "1", "cpu")
    tuned = compile_pick(own_run, "1", "cpu", fine_tune=2)
    assert (plain.id, tuned.id) == ("1", "1-tuned")
    assert plain.path.is_file()
    assert tuned.parity.status == "passed"
    assert tuned.fine_tuned.epochs == 2
    assert tuned.fine_tuned.after >= tuned.fine_tuned.before
    assert "the best epoch of 2: validation accuracy" in tuned.text()
    (folder,) = (own_run / "finetuned").iterdir()
    assert len(read_log(folder)) == 2
    made = tuned.path.stat().st_mtime_ns
    assert compile_pick(own_run, "1", "cpu", fine_tune=2) == tuned
    assert tuned.path.stat().st_mtime_ns == made, "kept"
    other = compile_pick(own_run, "1", "litert", fine_tune=2)
    assert other.fine_tuned == tuned.fine_tuned
    assert len(list((own_run / "finetuned").iterdir())) == 1, "trained once for all devices"


def test_fine_tuning_is_as_the_supernet_was_trained(own_run):
    trained = TrainedRun.open(own_run)
    config = tuning_config(trained, 3)
    assert (config.epochs, config.optimizer, config.batch_size) == (3, "adamw", 16)
    assert config.lr == trained.folder.description["training"]["lr"]
    with pytest.raises(UsageError, match="at least 1 epoch, got -1"):
        compile_pick(own_run, "1", "cpu", fine_tune=-1)

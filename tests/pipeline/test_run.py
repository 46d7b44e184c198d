import json

import pytest
from doubles.tiny_chain import CLASSES, contents

from edgewright.errors import OutputExistsError, RunError, UsageError
from edgewright.pipeline.run import RunFolder


@pytest.fixture
def description(chain):
    return json.loads((chain.run / "run.json").read_text())


def test_a_run_knows_its_space_and_data(chain):
    folder = RunFolder.open(chain.run)
    assert folder.space.n_classes == len(CLASSES)
    assert folder.data_source == str(chain.images)
    folder.require_trained()


def test_making_the_same_run_twice_changes_nothing(description, tmp_path):
    RunFolder.create(tmp_path / "run", description)
    before = contents(tmp_path)
    assert RunFolder.create(tmp_path / "run", description).description == description
    assert contents(tmp_path) == before


def test_another_run_is_refused_by_all_that_differs(description, tmp_path):
    RunFolder.create(tmp_path, description)
    other = description | {
        "space": "mobilenetv3-small-image@24",
        "data": description["data"] | {"digest": "0", "seed": 9},
    }
    with pytest.raises(RunError, match=r"data\.digest.*data\.seed \(0, now 9\).*space .*@24.*--out"):
        RunFolder.create(tmp_path, other)


def test_an_empty_folder_is_free(description, tmp_path):
    (tmp_path / "run").mkdir()
    assert RunFolder.create(tmp_path / "run", description).root == tmp_path / "run"


def test_foreign_content_is_never_touched(description, tmp_path):
    (tmp_path / ".hidden").write_text("mine")
    with pytest.raises(OutputExistsError, match="nothing was touched"):
        RunFolder.create(tmp_path, description)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_every_fault_of_a_description_is_named_at_once(description, tmp_path):
    description["space"] = "resnet"
    del description["training"]
    del description["data"]["digest"]
    description["data"]["source"] = 7
    (tmp_path / "run.json").write_text(json.dumps(description))
    with pytest.raises(RunError) as caught:
        RunFolder.open(tmp_path)
    for fault in ("'training'", "'data.digest'", "data.source must be text", "unknown space 'resnet'"):
        assert fault in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "-x", "a b", "x" * 65])
def test_a_search_is_never_named_out_of_its_run(chain, name):
    with pytest.raises(UsageError, match="--name"):
        RunFolder.open(chain.run).search_folder(name)


def test_artifacts_of_named_searches_do_not_meet(chain):
    folder = RunFolder.open(chain.run)
    assert folder.subnet_label("default", "7") == "7"
    assert folder.subnet_label("fast", "7") != folder.subnet_label("small", "7")

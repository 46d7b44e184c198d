import json
from pathlib import Path

import numpy as np
import pytest

from edgewright.errors import UsageError
from edgewright.evaluation import EvaluatorSpec


def test_a_spec_survives_json_and_builds_its_evaluator(tmp_path):
    path = tmp_path / "error.txt"
    path.write_text("0.25")
    spec = EvaluatorSpec(factory="doubles.evaluators:reads", files={"path": path}, threads=2)
    again = EvaluatorSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert isinstance(again.files["path"], Path)
    assert again.build()(None) == 0.25


@pytest.mark.parametrize("factory", ["doubles.evaluators", "doubles.evaluators:nothing", "no.such:thing", ""])
def test_a_factory_that_is_none_is_named(factory):
    with pytest.raises(UsageError, match=r"package\.module:function"):
        EvaluatorSpec(factory=factory).build()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"how": "raises"}, r"refuses' \(ValueError: weights.bin has 3 tensors\); look at"),
        ({"when": 1}, r"refuses' \(TypeError: .*unexpected keyword argument 'when'\)"),
        ({"how": "none"}, r"refuses' \(it returned None, expected what evaluates one network\)"),
    ],
)
def test_a_factory_that_makes_no_evaluator_is_told_in_its_own_words(arguments, said):
    with pytest.raises(UsageError, match=said):
        EvaluatorSpec(factory="doubles.evaluators:refuses", arguments=arguments).build()


def test_memory_that_a_factory_lacks_is_left_to_whoever_hires_workers():
    with pytest.raises(MemoryError):
        EvaluatorSpec(factory="doubles.evaluators:refuses", arguments={"how": "memory"}).build()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arguments": {"n": object()}}, "arguments are JSON values by name, got {'n': <object"),
        ({"arguments": {"n": np.int64(3)}}, r"got {'n': np.int64\(3\)}"),
        ({"arguments": [1]}, r"arguments are JSON values by name, got \[1\]"),
        ({"files": ["a"]}, r"files are paths by name, got \['a'\]"),
        ({"files": {"path": 3}}, "files are paths by name, got {'path': 3}"),
        ({"threads": 0}, "threads are a whole number of at least 1, got 0"),
        ({"threads": "2"}, "threads are a whole number of at least 1, got '2'"),
    ],
)
def test_what_no_worker_can_be_told_is_refused_at_once(given, said):
    with pytest.raises(UsageError, match=said):
        EvaluatorSpec(factory="doubles.evaluators:reads", **given)

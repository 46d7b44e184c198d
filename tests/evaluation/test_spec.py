import json
from pathlib import Path

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

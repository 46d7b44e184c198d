"""What docs/own-space.md tells a reader to write can be run, in the order in which it stands there."""

import re
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "own-space.md").read_text("utf-8")
MODULE, *BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the page's module in it."""
    (tmp_path / "digits_mlp.py").write_text(MODULE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("digits_mlp", None)


def test_the_blocks_run_as_they_are_written(here, capsys):
    names = {}
    for block in BLOCKS:
        exec(compile(block, "own-space.md", "exec"), names)
    found, again = names["found"], names["again"]
    assert found.n_evaluations == 24
    assert not found.n_failures
    assert all(row.objectives[1] <= 4000 for row in found.front)
    assert found.front[0].objectives[0] < 0.2
    assert capsys.readouterr().out.count("'activation'") == len(found.front)
    assert [row.x for row in again.front] == [row.x for row in found.front]
    assert (here / "digits.sqlite").is_file()
    head, *lines = (here / "digits.csv").read_text().splitlines()
    assert head.startswith("id,iteration,x,error,params,seconds,")
    assert len(lines) == 24

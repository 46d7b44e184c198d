"""`edgewright train` in several processes: by torchrun, and as whatever else sets its variables."""

import json
import subprocess
import sys
import time

import pytest
import torch
from doubles.processes import environment, finish_group, start_group
from doubles.tiny_chain import SPACE
from safetensors.torch import load_file


def command(chain, out, *more):
    return (
        *("train", "--space", SPACE, "--data", chain.images, "--out", out, "--epochs", "3"),
        *("--batch-size", "32", "--lr", "0.005", "--threads", "1", *more),
    )


def assert_same_weights(found, wanted):
    """Check that two runs ended alike, but for the order in which floats were summed."""
    found, wanted = (load_file(run / "supernet.safetensors") for run in (found, wanted))
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.fixture(scope="module")
def alone(chain, tmp_path_factory):
    """A run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    (ended,) = finish_group(start_group(1, "-m", "edgewright", *command(chain, run)))
    assert ended[0] == 0, ended
    return run


def test_torchrun_gives_the_run_of_one_process_and_tells_of_it_once(chain, alone, tmp_path):
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "edgewright", *map(str, command(chain, tmp_path / "run", "--json"))),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["run"] == str(tmp_path / "run")
    assert set(told["validation_accuracy"]) == {"largest", "smallest"}
    assert_same_weights(tmp_path / "run", alone)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_all_and_one_process_goes_on(edgewright, chain, alone, tmp_path):
    run = tmp_path / "run"
    processes = start_group(2, "-m", "edgewright", *command(chain, run))
    deadline = time.monotonic() + 120
    while not (run / "checkpoint.json").exists():
        assert time.monotonic() < deadline
        assert processes[0].poll() is None, processes[0].communicate()
        time.sleep(0.005)
    processes[1].kill()
    (status, out, err), _ = finish_group(processes)
    assert status == 4, err
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("edgewright: ")]
    assert "process 0 of 2 lost the others (" in line
    assert ".cc:" not in line
    assert "run the same command again" in line
    assert "Traceback" not in err
    assert not json.loads((run / "checkpoint.json").read_text())["finished"]
    edgewright(*command(chain, run), "--json").json()
    assert_same_weights(run, alone)


def test_the_first_process_alone_tells_what_is_wrong(chain, tmp_path):
    (tmp_path / "file").touch()
    ended = finish_group(start_group(2, "-m", "edgewright", *command(chain, tmp_path / "file" / "run")))
    assert [status for status, _, _ in ended] == [2, 2]
    first, second = (err for _, _, err in ended)
    assert first.startswith("edgewright: cannot write")
    assert (len(first.splitlines()), second) == (1, "")

"""What holds for every command: help, errors, exit statuses, interrupts, a stdout that fails."""

import json
from pathlib import Path

import pytest
import typer
from doubles.command import finish, start

from edgewright.cli.main import app

COMMANDS = (
    ("doctor",),
    ("device", "list"),
    ("device", "show"),
    ("device", "probe"),
    ("profile",),
    ("table", "show"),
    ("table", "validate"),
    ("train",),
    ("search",),
    ("front", "show"),
    ("front", "pick"),
    ("compile",),
    ("bench",),
    ("verify",),
    ("report",),
    ("demo",),
    ("device", "check"),
    ("device", "clean"),
    ("device", "parity"),
    ("device", "prepare"),
    ("table", "diff"),
    ("table", "energy"),
    ("table", "export"),
    ("table", "import"),
    ("table", "merge"),
    ("table", "plot"),
    ("table", "precision"),
    ("table", "transfer"),
)


def leaves(command, path=()):
    """Yield the path of every command below ``command``."""
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))
    if not hasattr(command, "commands"):
        yield path


def test_these_are_all_commands():
    assert sorted(leaves(typer.main.get_command(app))) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_its_json(edgewright, command):
    found = edgewright(*command, "--help")
    assert found.status == 0
    assert f"Usage: edgewright {' '.join(command)}" in found.out
    assert "--json" in found.out
    assert found.err == ""


def test_help_names_every_command(edgewright):
    out = edgewright("--help").out
    assert all(command[0] in out for command in COMMANDS)


def test_version(edgewright):
    assert edgewright("--version").out.startswith("edgewright 0.")


def test_nothing_is_answered_with_the_help(edgewright):
    found = edgewright()
    assert found.status == 2
    assert "Usage: edgewright" in found.err


@pytest.mark.parametrize(
    ("arguments", "found", "mend"),
    [
        (["frobnicate"], "No such command 'frobnicate'", "edgewright --help"),
        (["device", "lost"], "No such command 'lost'", "edgewright device --help"),
        (["train", "--epoch", "3"], "--epoch", "edgewright train --help"),
        (["train", "--space", "x"], "--data", "edgewright train --help"),
        (["search", "--run", "r", "--evaluations", "many"], "--evaluations", "edgewright search --help"),
        (["search", "--run", "r", "--evaluations", "0"], "--evaluations", "edgewright search --help"),
        (["search", "--run", "r", "--seed", "-1"], "equal to 0, got '-1'", "edgewright search --help"),
        (["search", "--run", "r", "--seed=abc"], ", got 'abc'", "edgewright search --help"),
        (["front", "pick"], "run", "edgewright front pick --help"),
        (["bench", "model.onnx"], "--on", "edgewright bench --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_cannot_be_read_is_one_line_with_status_2(edgewright, arguments, found, mend):
    edgewright(*arguments).refusal(2, found, mend)


def test_an_error_is_json_too_where_json_was_asked_for(edgewright, tmp_path):
    found = edgewright("front", "show", tmp_path / "none", "--json")
    line = found.refusal(2, "does not exist", "edgewright train")
    assert json.loads(found.out) == {"error": line.removeprefix("edgewright: "), "exit_code": 2}


def test_a_reader_that_leaves_is_no_error():
    process = start("device", "probe", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a thing of Linux")
@pytest.mark.parametrize("arguments", [["--version"], ["device", "list"], ["device", "list", "--json"]])
def test_a_full_disk_under_stdout_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        found = finish(start(*arguments, stdout=full))
    found.refusal(2, "No space left on device", "free space")

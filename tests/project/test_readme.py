"""What the README tells a reader to type can be typed."""

import ast
import inspect
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from doubles.chain_fixtures import brisk, chain, own_run  # noqa: F401
from doubles.tiny_chain import CLASSES, DEVICES, SPACE
from doubles.torch_fixtures import one_thread  # noqa: F401

import edgewright
from edgewright.cli.main import app, run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = ("python", "toml", "json", "text")


def commands(program, text=README):
    """Return what is typed after ``program`` in the blocks of a document, as words."""
    found = []
    for language, block in BLOCK.findall(text):
        if language.strip() in ELSEWHERE:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            if words and words[0] == program:
                found.append(words[1:])
    return found


def leaf(words):
    """Return the command of the real tree that ``words`` name, and the words left for it."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, "a group of commands is named, but no command"
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def read(words):
    """Have the real parser read a command; nothing is run. Raises what the parser raises."""
    command, rest = leaf(words)
    command.make_context(" ".join(words), list(rest))


def joined(words):
    return " ".join(words)


@pytest.mark.parametrize("words", commands("edgewright"), ids=joined)
def test_every_command_is_one_that_edgewright_reads(words):
    read(words)


def test_the_check_would_notice():
    for words in (["frobnicate"], ["device"], ["device", "lost"]):
        with pytest.raises(AssertionError):
            read(words)
    for words in (["train", "--space", "x"], ["front", "pick", "run", "--beneath", "cpu=3ms"]):
        with pytest.raises(Exception, match=r"data|--beneath"):
            read(words)
    text = "```console\n$ edgewright front \\\n  show run  # all\nmake x\n```\n```python\nedgewright\n```\n"
    assert commands("edgewright", text) == [["front", "show", "run"]]
    assert commands("make", text) == [["x"]]


def test_every_verb_is_shown():
    shown = {words[0] for words in commands("edgewright")} | {"demo"}
    assert shown >= set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("words", commands("make"), ids=joined)
def test_every_make_target_exists(words):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(words) <= set(targets)


def test_every_extra_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"edgewright\[([\w,-]+)\]", README)
    assert named
    assert {extra for names in named for extra in names.split(",")} <= project["optional-dependencies"].keys()


def calls():
    """Return the calls of the public API in the README's Python."""
    blocks = [block for language, block in BLOCK.findall(README) if language.strip() == "python"]
    nodes = [node for block in blocks for node in ast.walk(ast.parse(block))]
    return [
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "ew"
    ]


@pytest.mark.parametrize("call", calls(), ids=ast.unparse)
def test_every_call_of_the_api_fits_its_signature(call):
    assert call.func.attr in edgewright.__all__
    signature = inspect.signature(getattr(edgewright, call.func.attr))
    signature.bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords})


REMOTE = "my-pi.toml"  # tests/pi run what names it
CHEAP = ("doctor", "device", "front", "compile", "bench", "report", "table", "profile")


@pytest.fixture
def here(own_run, chain, tmp_path, monkeypatch):  # noqa: F811
    """A folder in which ``run``, ``photos`` and every latency table are what the README supposes.

    A table that the README names is the tiny chain's of the same device, whatever space its name tells;
    the run's own tables lie where a profile of it puts them, so that none is measured again.
    """
    folder = tmp_path / "here"
    folder.mkdir()
    shutil.move(own_run, folder / "run")
    shutil.copytree(chain.images, folder / "photos")
    shutil.copytree(chain.tables, folder / "latency_tables")
    for words in commands("edgewright"):
        for path in (Path(word) for word in words if word.startswith("latency_tables/")):
            (device,) = (key for key, name in DEVICES.items() if name == path.parent.name)
            shutil.copy(chain.table(device), folder / path)
    monkeypatch.chdir(folder)
    return folder


def in_seconds(words):
    """Return a command on the tiny space instead of one whose profile takes minutes."""
    return [f"{SPACE}:{len(CLASSES)}" if word == "mobilenetv3-w1.0" else word for word in words]


def test_the_cheap_commands_run_as_they_are_written(here, capfd):
    ran = [in_seconds(words) for words in commands("edgewright") if words[0] in CHEAP and REMOTE not in words]
    assert {words[0] for words in ran} == set(CHEAP)
    for words in ran:
        assert run(words) == 0, f"{joined(words)}: {capfd.readouterr().err}"


@pytest.mark.slow
def test_the_chain_runs_as_it_is_written(here, capfd):
    shutil.rmtree(here / "run")
    (block,) = (block for _, block in BLOCK.findall(README) if "\nedgewright train" in block)
    for words in commands("edgewright", f"```\n{block}```"):
        assert run(words) == 0, f"{joined(words)}: {capfd.readouterr().err}"


def python_block(*changes):
    """Return the README's example of the API, other classes and ``changes`` put in; each must be there."""
    (block,) = (block for language, block in BLOCK.findall(README) if language.strip() == "python")
    for before, after in (("n_classes=10", f"n_classes={len(CLASSES)}"), *changes):
        assert before in block, f"the README's Python no longer says {before!r}"
        block = block.replace(before, after)
    return block


def perform(block):
    """Run what a reader would paste, and return what it leaves in its names."""
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_the_python_runs_on_a_smaller_space(here):
    shutil.rmtree(here / "run")
    perform(
        python_block(
            ("mobilenetv3-small-image@24+32", SPACE),
            ('"photos", run)', '"photos", run, ew.TrainConfig(epochs=2, batch_size=16, threads=1))'),
            ("evaluations=200", "evaluations=16"),
        )
    )
    assert (here / "run" / "report.html").is_file()


@pytest.mark.slow
def test_the_python_runs_as_it_is_written(here):
    shutil.rmtree(here / "run")
    perform(python_block())
    assert (here / "run" / "report.html").is_file()


@pytest.mark.slow
def test_several_processes_work_as_it_is_written(here):
    (block,) = (block for _, block in BLOCK.findall(README) if "torchrun" in block)
    modules = {"edgewright": "edgewright", "torchrun": "torch.distributed.run"}
    for words in map(shlex.split, block.splitlines()):
        command = [sys.executable, "-m", modules[words[0]], *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{joined(words)}: {done.stderr}"

import json
import os
import pty
import sys
from contextlib import contextmanager

import pytest

from edgewright.cli.console import Console
from edgewright.cli.main import run


def test_a_result_is_text_or_one_json_document(capsys):
    Console().result({"a": 1}, "one")
    assert capsys.readouterr().out == "one\n"
    Console(as_json=True).result({"a": 1}, "one")
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_numbers_that_json_cannot_say_become_null(capsys):
    Console(as_json=True).result({"a": float("nan"), "b": [float("inf"), 1.5]}, "")
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5]}


def test_what_is_told_on_the_way_never_mixes_with_the_result(capsys):
    Console().say("half way")
    Console(as_json=True).say("half way")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "half way\n"


def test_no_bar_is_drawn_where_nobody_looks(capsys):
    with Console().task("working", 2) as task:
        task.update(1, note="x")
    assert capsys.readouterr() == ("", "")


@contextmanager
def terminal(monkeypatch):
    """Let stderr be a terminal; yield a function that returns what was drawn on it."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    pieces = []

    def drawn():
        stream.flush()
        try:
            while piece := os.read(master, 100_000):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces).decode()

    with os.fdopen(slave, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        yield drawn
    os.close(master)


@pytest.mark.parametrize("as_json", [False, True])
def test_tasks_inside_tasks_are_drawn_on_a_terminal_alone(monkeypatch, as_json):
    with terminal(monkeypatch) as drawn:
        console = Console(as_json)
        with console.task("outer", 2) as outer:
            outer.update(1, note="half")
            console.say("a line that stays")
            with console.task("inner") as inner:
                inner.update(3, 4, note="nested")
            outer.update(2)
        for text in ("outer", "inner", "a line that stays"):
            assert (text in drawn()) is not as_json


def test_a_verb_on_a_terminal_shows_how_far_it_is(monkeypatch, own_run, capsys):
    """Verifying opens tasks inside tasks."""
    with terminal(monkeypatch) as drawn:
        assert run(["verify", str(own_run), "--finalists", "1"]) == 0, drawn()
        assert "verifying finalists" in drawn()
        assert run(["front", "show", str(own_run / "none")]) == 2
        assert "edgewright: run description" in drawn()
    assert "budget met" in capsys.readouterr().out

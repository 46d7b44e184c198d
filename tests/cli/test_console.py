import io
import json
import os
import pty
import sys
import time
from contextlib import contextmanager

import pytest
from rich.text import Text

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


class Recorder(io.StringIO):
    """A terminal that remembers each write."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def isatty(self):
        return True

    def write(self, text):
        self.writes.append(text)
        return super().write(text)


def test_a_view_never_flickers_and_gives_the_terminal_back(monkeypatch):
    """What takes a picture away is written together with the whole next one."""
    monkeypatch.setattr(sys, "stderr", stream := Recorder())
    monkeypatch.setenv("TERM", "xterm")
    console = Console()
    assert console.has_view

    class Picture:
        n = 0

        def __rich_console__(self, _, options):
            self.n += 1
            yield Text(f"first {self.n}")
            yield Text("last")

    def work():
        with console.view(picture := Picture()):
            while picture.n < 4:
                time.sleep(0.01)
            console.say("a line above")
            with console.task("quiet") as task:
                task.update(1, 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    written = [text for text in stream.writes if text]
    for text in written[:-3]:
        if "\x1b[2K" in text:
            assert text.index("\x1b[2K") < text.index("first")
            assert text.rstrip().endswith("last")
    whole = "".join(written)
    assert "a line above" in whole
    assert "quiet" not in whole
    assert whole.rindex("\x1b[?25h") > whole.rindex("\x1b[?25l")
    assert not console._view


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_has_no_view(monkeypatch, term):
    monkeypatch.setattr(sys, "stderr", Recorder())
    monkeypatch.setenv("TERM", term)
    assert not Console().has_view
    monkeypatch.setenv("TERM", "xterm")
    assert Console().has_view
    assert not Console(as_json=True).has_view


def test_events_are_lines_and_the_result_is_the_last_of_them(capsys):
    console = Console(as_json=True)
    console.event("iteration", {"tau": float("nan"), "predicted": (1.0, None)})
    console.result({"a": [1]}, "text", ends_events=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"event": "iteration", "tau": None, "predicted": [1.0, None]},
        {"event": "result", "a": [1]},
    ]
    Console().event("iteration", {})
    Console().result({}, "text", ends_events=True)
    assert capsys.readouterr().out == "text\n"


def test_a_verb_on_a_terminal_shows_how_far_it_is(monkeypatch, own_run, capsys):
    """Verifying opens tasks inside tasks."""
    with terminal(monkeypatch) as drawn:
        assert run(["verify", str(own_run), "--finalists", "1"]) == 0, drawn()
        assert "verifying finalists" in drawn()
        assert run(["front", "show", str(own_run / "none")]) == 2
        assert "edgewright: run description" in drawn()
    assert "budget met" in capsys.readouterr().out

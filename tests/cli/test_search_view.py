import io
import re

import numpy as np
import pytest
from doubles.terminal import OnTerminal
from rich.console import Console as RichConsole
from rich.text import Text

from edgewright.cli.search_view import ASCII, Frame, clock, lines, plot
from edgewright.pipeline.watch import SearchState
from edgewright.search import Archive


def state(n=40, *, names=("error", "cpu", "size"), failed=0, total=60, seed=0):
    rng = np.random.default_rng(seed)
    with Archive.open(None) as archive:
        for i in range(n + failed):
            cost = rng.random()
            archive.add(
                (i,),
                objectives=None
                if i >= n
                else (0.6 - 0.4 * cost + 0.1 * rng.random(), 3 * cost, 1e6)[: len(names)],
                iteration=max(0, (i - 16) // 8),
                position=i,
                seed=0,
                seconds=1.0,
                failure="it raised" if i >= n else None,
            )
        rows = archive.evaluations
    reports = [
        {"iteration": i, "hypervolume": 0.5 + 0.1 * i, "surrogate": "ridge+gp" if i else None}
        | {"tau": 0.8 if i else None, "spearman": 0.9 if i else None, "rmse": 0.01 if i else None}
        for i in range(3)
    ]
    return SearchState(names, total, rows=rows, reports=reports)


def plain(found):
    return [Text.from_markup(line).plain for line in found]


def test_a_frame_says_what_was_found_and_what_is_left():
    text = "\n".join(plain(lines(state(failed=2), 79, 10)))
    assert "42 of 60 evaluated" in text
    assert "18 left, 2 failed" in text
    assert "hypervolume  0.7000  ▁▅█  +0.1000 in the last iteration" in text
    assert "surrogate    ridge+gp  tau 0.80, Spearman 0.90, RMSE 0.0100 on the newest" in text
    assert "on the front of error, cpu, size" in text
    assert "40 in all" in text


def test_a_frame_says_how_far_the_front_reaches():
    seen = state()
    assert "coverage" not in "\n".join(plain(lines(seen, 79, 10)))  # reports of before do not tell
    reach = {"previous": None, "initial": 0.0, "costs": {"cpu": 0.4}}
    seen.reports[-1] = {**seen.reports[-1], "coverage": reach}
    assert "coverage     reaches 40% of cpu" in plain(lines(seen, 79, 10))
    seen.reports[-1]["coverage"] = {**reach, "previous": 0.25, "costs": {"cpu": 0.45, "size": 0.5}}
    told = "25% of the last front overtaken; reaches 45% of cpu, 50% of size"
    assert f"coverage     {told}" in plain(lines(seen, 79, 10))
    seen.reports[-1]["coverage"] = {**reach, "costs": {}}
    assert "coverage" not in "\n".join(plain(lines(seen, 79, 10)))


def test_before_anything_is_known_a_frame_says_so():
    text = "\n".join(plain(lines(SearchState(("error", "macs"), 60), 79, 10)))
    assert "0 of 60 evaluated" in text
    assert "60 left, 0 failed, 0:00 so far" in text
    assert "after the initial design" in text
    assert "none yet" in text


@pytest.mark.parametrize("width", [20, 40, 59, 79, 200])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_the_plot_keeps_to_its_width(width, n):
    found = plain(plot(*state(n).points(), ("error", "cpu", "size"), width, 8))
    assert len(found) == 11
    assert all(len(line) <= max(width, 19) for line in found[:9])


def test_the_plot_has_the_best_at_the_top_and_the_cheapest_at_the_left():
    F = np.array([[0.1, 4.0], [0.5, 1.0], [0.5, 4.0]])
    found = plain(plot(F, (0, 0, 1), ("error", "cpu"), 79, 6))
    assert found[0].startswith("    90.0% │")
    assert found[0].endswith("●")
    assert found[5].startswith("    50.0% │●")
    assert found[5].endswith("+")
    assert "1 ms" in found[7]
    assert "cpu  4 ms" in found[7]


def test_a_cost_lies_across_and_no_error():
    F = np.array([[0.1, 0.9, 4.0], [0.5, 0.5, 1.0]])
    found = plain(plot(F, (0, 0), ("error", "adversarial-error", "cpu"), 100, 6))
    assert "1 ms" in found[7]
    assert "cpu  4 ms" in found[7]
    assert "2 on the front of error, adversarial-error, cpu" in found[8]
    found = plain(plot(F[:, :2], (0, 0), ("error", "adversarial-error"), 79, 6))
    assert "adversarial-error  90.00%" in found[7]


def test_each_of_several_surrogates_is_told_of():
    seen = state(names=("error", "adversarial-error", "cpu"))
    fidelity = {"adversarial-error": {"tau": 0.5}, "error": {"tau": 0.8}}  # as JSON orders them
    seen.reports[-1] |= {"surrogate": "gp, ridge", "fidelity": fidelity}
    text = "\n".join(plain(lines(seen, 79, 10)))
    assert "surrogate    gp, ridge  tau 0.80 of error, tau 0.50 of adversarial-error on the newest" in text


def test_one_objective_alone_has_no_plot():
    assert len(lines(state(names=("error",)), 79, 10)) == 4


@pytest.mark.parametrize("width", [30, 60, 80])
def test_no_line_is_wider_than_the_terminal_however_much_there_is_to_say(width):
    seen = state(names=("error", "adversarial-error", "a-device-of-a-long-name"))
    fidelity = {name: {"tau": 0.5} for name in seen.names[:2]}
    seen.reports[-1] |= {"surrogate": "lightgbm, ridge", "fidelity": fidelity}
    stream = io.StringIO()
    RichConsole(file=stream, width=width, height=30).print(Frame(seen))
    found = stream.getvalue().splitlines()
    assert max(map(len, found)) < width
    assert len(found) == len(lines(seen, width - 1, 14)), "none is wrapped"


@pytest.mark.parametrize(("rows", "drawn"), [(50, 14), (24, 13), (16, 5), (14, 0), (5, 0)])
def test_a_low_terminal_gets_fewer_rows_or_no_plot(rows, drawn):
    stream = io.StringIO()
    RichConsole(file=stream, width=80, height=rows).print(Frame(state()))
    found = stream.getvalue().splitlines()
    assert len([line for line in found if "│" in line]) == drawn
    assert len(found) <= max(4, rows - 2)


def test_a_terminal_of_ascii_alone_gets_ascii():
    assert "".join(plain(lines(state(), 79, 10, ASCII))).isascii()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (62.4, "1:02"), (3725, "1:02:05")])
def test_durations_are_read_at_a_glance(seconds, text):
    assert clock(seconds) == text


@pytest.fixture
def command(chain, trained_only):
    """Return the words of a search of 40 networks."""
    common = ("search", "--run", trained_only, "--tables", chain.tables, "--evaluations", "40")
    return (*common, "--budget", "cpu=50ms", "--surrogate", "ridge", "--no-verify")


@pytest.mark.parametrize("plain", [False, True], ids=["colour", "no colour"])
def test_a_search_on_a_terminal_is_seen_while_it_runs(command, plain):
    search = OnTerminal(*command, **({"NO_COLOR": "1"} if plain else {}))
    search.wait_for("surrogate    ridge")
    outcome = search.finish()
    assert outcome.status == 0, outcome
    seen = "\n".join(search.frames)
    for words in ("of 40 evaluated", "0 failed", "so far, about", "hypervolume  0.", "tau ", "│", "●"):
        assert words in seen
    assert search.screen.coloured is not plain
    assert search.screen.wrapped == [], "80 columns are enough"
    assert search.screen.highest < 24 + 4, "the view is drawn over itself"
    # The view is gone, and one line of it stays; the table is on stdout alone.
    assert re.fullmatch(
        r"minimising error, cpu; cpu at most 50 ms.*\nreading images .*\n"
        r"40 networks evaluated in \d:\d\d, hypervolume 0\.\d{4}",
        outcome.err,
    )
    assert search.screen.cursor_shown
    assert outcome.out.startswith("40 networks evaluated")
    assert "\x1b" not in outcome.out


def test_ctrl_c_gives_the_terminal_back(command):
    search = OnTerminal(*command)
    search.wait_for("of 40 evaluated")
    search.wait_for("●")
    search.press("\x03")
    outcome = search.finish()
    assert outcome.status == 130
    assert search.screen.cursor_shown
    lines = outcome.err.splitlines()
    assert re.fullmatch(r"(\^C)?\d+ of 40 networks evaluated in .*", lines[-2])
    assert lines[-1].startswith("edgewright: interrupted; what was finished is saved")
    assert "Traceback" not in outcome.err
    again = OnTerminal(*command)
    assert again.finish().status == 0


def test_under_json_a_terminal_shows_nothing(command):
    search = OnTerminal(*command, "--json")
    outcome = search.finish()
    assert outcome.err == ""
    assert outcome.json()["n_evaluations"] == 40


def test_a_terminal_that_cannot_move_its_cursor_is_left_alone(command):
    search = OnTerminal(*command, TERM="dumb")
    outcome = search.finish()
    assert outcome.status == 0
    assert search.screen.cursor_shown

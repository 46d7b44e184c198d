from edgewright.pipeline.tabulate import columns


def test_figures_stand_flush_right_and_words_left():
    text = columns([("a", "1.5 ms"), ("longer", "12 ms")], ("name", "time"))
    assert text.splitlines() == ["name      time", "a       1.5 ms", "longer   12 ms"]


def test_no_rows_leave_the_header():
    assert columns([], ("id", "cost")) == "id  cost"

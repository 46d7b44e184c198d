from dataclasses import replace

from doubles import report_data

from edgewright.report import markdown
from edgewright.report.data import ReportData


def test_finalists_has_a_row_an_artifact() -> None:
    data = report_data.full(60)
    lines = markdown.finalists(data).splitlines()
    assert len(lines) == 2 + len(data.finalists)
    assert len({len(line) for line in lines}) == 1
    assert "| met" in lines[2]


def test_energy_has_a_column_where_a_sensor_told_any() -> None:
    data = report_data.full(60)
    assert "energy" not in markdown.finalists(data)
    assert "11.3 MB" in markdown.finalists(data)
    metered = replace(data.finalists[0], energy_mj=1.25)
    lines = markdown.finalists(replace(data, finalists=(metered, *data.finalists[1:]))).splitlines()
    assert "energy" in lines[0]
    assert "1.25 mJ" in lines[2]


def test_markup_in_names_is_escaped() -> None:
    data = report_data.full(60)
    nasty = replace(data.finalists[0], id="a|b<script>\nc")
    text = markdown.finalists(replace(data, finalists=(nasty,)))
    assert "a\\|b&lt;script&gt; c" in text
    assert len(text.splitlines()) == 3


def test_front_is_sorted_and_may_be_thinned_to_its_ends() -> None:
    data = replace(report_data.full(200), baselines=())
    whole = markdown.front(data).splitlines()[2:]
    few = markdown.front(data, limit=4).splitlines()[2:]
    assert len(few) == 4
    assert [few[0].split()[1], few[-1].split()[1]] == [whole[0].split()[1], whole[-1].split()[1]]


def test_tables_shows_error_and_failures() -> None:
    text = markdown.tables(report_data.full(40))
    assert "2.1 %" in text
    assert "351 (1 failure)" in text


def test_summary_of_nothing_is_the_headline() -> None:
    assert markdown.summary(ReportData(title="t")).startswith("**Nothing has been measured yet.**\n")


def test_summary_of_a_run_has_every_part() -> None:
    text = markdown.summary(report_data.full(60))
    assert text.startswith("**All 4 compiled finalists meet every budget")
    assert text.count("| ---") >= 3

import builtins
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from doubles import report_data

from edgewright.errors import MissingExtraError
from edgewright.report.data import FrontPoint, Objective, ReportData, TableSummary
from edgewright.report.page import SCRIPTS, render, table_trust, write

NASTY = "</script><img src=x onerror=alert(1)>&\"'`"


class Outline(HTMLParser):
    """Collects tags, the addresses they name and the data block."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.data = ""
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action") and v]
        self.ids += [v for k, v in attrs if k == "id" and v]
        self._in_data = tag == "script" and found.get("id") == "data"

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False


def outline(page: str) -> Outline:
    # plotly.js is 4.8 MB of text that says nothing about the page.
    parsed = Outline()
    parsed.feed(re.sub(r"<script>.*?</script>", "<script></script>", page, flags=re.DOTALL))
    return parsed


def test_page_names_no_address_outside_itself() -> None:
    parsed = outline(render(report_data.full(60)))
    assert all(address.startswith(("#", "data:")) for address in parsed.addresses)
    assert "link" in parsed.tags
    assert parsed.tags.count("script") == 3


def test_ids_are_unique() -> None:
    ids = outline(render(report_data.full(60))).ids
    assert len(ids) == len(set(ids))


def test_page_says_the_outcome_and_every_finalist() -> None:
    data = report_data.full(60)
    page = render(data)
    assert "All 4 compiled finalists meet every budget, measured on 2 devices." in page
    for row in data.finalists:
        assert row.artifact in page


def test_markup_in_names_stays_text() -> None:
    data = report_data.full(60)
    nasty = replace(
        data,
        title=NASTY,
        subtitle=NASTY,
        run=NASTY,
        points=(replace(data.points[0], id=NASTY, on_front=True), *data.points[1:]),
        finalists=(replace(data.finalists[0], id=NASTY, device=NASTY, note=NASTY, faults=(NASTY,)),),
        tables=(replace(data.tables[0], device=NASTY, conditions={NASTY: NASTY}, cross_check=NASTY),),
        predictions=tuple(replace(p, device=NASTY, id=NASTY) for p in data.predictions),
        objectives=tuple(replace(o, label=NASTY) for o in data.objectives),
        provenance={NASTY: {NASTY: NASTY}},
    )
    page = render(nasty)
    assert "<img" not in page.replace("<image", "")
    parsed = outline(page)
    assert "img" not in parsed.tags
    assert json.loads(parsed.data)["points"][0]["id"] == NASTY


def test_page_of_nothing_says_what_to_do() -> None:
    page = render(ReportData(title="t"))
    assert "Nothing has been measured yet." in page
    assert page.count('class="empty"') == 6


@pytest.mark.parametrize(
    "part",
    [
        *("points", "finalists", "tables", "predictions", "breakdowns", "drifts"),
        *("hypervolume", "training", "provenance", "objectives", "curves", "left_out", "failures"),
    ],
)
def test_any_part_may_be_missing(part: str) -> None:
    empty: object = {} if part in ("provenance", "left_out") else ()
    assert "</html>" in render(replace(report_data.full(40), **{part: empty}))  # type: ignore[arg-type]


def test_values_may_be_unknown() -> None:
    data = report_data.full(40)
    nan = float("nan")
    broken = replace(
        data,
        points=(FrontPoint(id="bare", objectives={}, on_front=True), *data.points),
        finalists=(
            replace(data.finalists[0], measured_ms=nan, p95_ms=nan, accuracy_artifact=None, size_bytes=None),
        ),
        tables=(TableSummary(device="cpu", mape=nan, spearman=nan),),
    )
    page = render(broken)
    assert "error not measured" in page
    assert ">nan" not in page


def test_one_objective_is_enough() -> None:
    data = report_data.full(40)
    assert 'id="axis-x"' in render(replace(data, objectives=(Objective(key="error", label="Error"),)))


def test_template_scripts_cannot_end_their_element() -> None:
    from edgewright.report import page

    for name in (*SCRIPTS, "page.css"):
        assert not re.search(r"</(script|style)|<!--", page._template(name), re.IGNORECASE)


def test_trust_in_a_table_falls_with_its_error() -> None:
    def status(**changes: object) -> str:
        return table_trust(replace(report_data.tables()[0], **changes))[0]  # type: ignore[arg-type]

    assert status(mape=0.02) == "good"
    assert status(mape=0.08) == "warning"
    assert status(mape=0.2) == "bad"
    assert status(mape=None) == "unknown"
    assert status(mape=0.02, anchor_drift=0.2) == "warning"
    assert status(mape=0.02, foreign=True) == "warning"


def test_write_makes_the_folder_and_the_file(tmp_path: Path) -> None:
    write(ReportData(title="t"), tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("package", ["jinja2", "plotly"])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def blocked(name: str, *args: object, **kwargs: object) -> object:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgewright\[report\]'"):
        render(ReportData(title="t"))


def test_memory_load_time_and_energy_stand_with_the_size() -> None:
    data = report_data.full(60)
    page = render(data).replace("\u00a0", " ")
    assert "peak 11.3 MB" in page
    assert "loads in 4.2 ms" in page
    # Said once, however many finalists there are.
    assert page.count("no energy sensor on this machine") == 1
    metered = replace(data.finalists[0], energy_mj=1.25, energy_note="RAPL package-0")
    page = render(replace(data, finalists=(metered,))).replace("\u00a0", " ")
    assert "1.25 mJ a run" in page
    assert "energy by RAPL package-0" in page
    assert "not measured" not in page.split("finalists-title")[1].split("</section>")[0]


def test_a_latency_model_is_shown_as_one() -> None:
    model = report_data.model()
    page = render(replace(report_data.full(40), tables=(model,))).replace("\u00a0", " ")
    card = page.split('class="card trust"')[1].split("</article>")[0]
    text = re.sub(r"<[^>]+>", " ", card)
    for part in ("latency model", model.sources[0], "4.3 %", "20 networks", "5.1 %", "10 networks"):
        assert part in text
    assert "operators" not in text
    assert "drift" not in text
    alone = replace(model, sources=(), mape=None, n_validate=0)
    page = render(replace(report_data.full(40), tables=(alone,))).replace("\u00a0", " ")
    assert "from its own measurements alone" in page
    assert "predicted from the others" in page
    assert table_trust(alone) == ("warning", "its error on unseen networks was not measured")


def test_what_the_vendors_own_tool_said_stands_with_the_table() -> None:
    cards = render(report_data.full(40)).split('class="card trust"')[1:]
    found = [report_data.WITNESS in card.split("</article>")[0] for card in cards]
    assert found == [False, True, False]


def test_what_was_measured_on_an_emulated_device_is_not_trusted() -> None:
    status, words = table_trust(replace(report_data.tables()[0], emulated=True))
    assert status == "bad"
    assert "emulated" in words


def test_iterations_and_failures_stand_in_numbers_too() -> None:
    data = report_data.full(40)
    page = re.sub(r"<[^>]+>", " ", render(data)).replace("\u00a0", " ")
    assert "Not drawn: fast (other objectives)" in page
    assert "held against the reference point of default" in page
    assert "1 evaluation failed and is left out" in page
    assert "the error is not finite" in page
    row = next(line for line in page.splitlines() if " ridge+gp " in line)
    assert row.split()[0] == str(data.hypervolume[1].evaluations)
    assert "0.6 %" in row
    assert "12.5 s" in row

"""The page as a reader meets it, in headless Chromium."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles import report_data

from edgewright.report.course import HypervolumePoint
from edgewright.report.data import (
    Breakdown,
    Drift,
    FrontPoint,
    OperatorBar,
    ReportData,
    TrainingPoint,
)
from edgewright.report.page import write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NASTY = "</script><img src=x onerror=alert(1)><b>&\"'`"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    path = (
        os.environ.get("EDGEWRIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if path is None:
        pytest.fail("chromium is not on PATH; install it, or name it in EDGEWRIGHT_CHROMIUM")
    with sync_playwright() as playwright:
        # The sandbox needs rights that containers and CI machines seldom give.
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


class Visit:
    """A page that was opened, with everything it complained about or asked for."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog {dialog.message}"))
        page.on("request", lambda r: self.requests.append(r.url))

    def open(self, data: ReportData, folder: Path) -> "Page":
        path = folder / "report.html"
        write(data, path)
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "document.getElementById('theme').textContent && !document.getElementById('theme').hidden"
        )
        return self.page


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
    found = Visit(page)
    yield found
    page.close()
    assert found.faults == []
    assert [url for url in found.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def click_point(page: "Page", identity: str) -> None:
    """Click the point of ``identity`` at its place on the screen."""
    # The plot grows to its panel's height a frame or two after it is drawn.
    page.wait_for_function(
        """() => {
            const plot = document.getElementById("front-plot");
            return Math.abs(plot._fullLayout.height - plot.clientHeight) < 1;
        }"""
    )
    place = page.evaluate(
        """(identity) => {
            const plot = document.getElementById("front-plot");
            plot.scrollIntoView({ block: "center" });
            const data = JSON.parse(document.getElementById("data").textContent);
            const index = data.points.findIndex((p) => p.id === identity);
            const trace = plot.data.find((t) => t.customdata?.includes(index));
            const at = trace.customdata.indexOf(index);
            const { xaxis, yaxis } = plot._fullLayout;
            const box = plot.getBoundingClientRect();
            const across = xaxis._offset + xaxis.d2p(trace.x[at]);
            const down = yaxis._offset + yaxis.d2p(trace.y[at]);
            return [box.left + across, box.top + down];
        }""",
        identity,
    )
    page.mouse.move(*place)
    page.wait_for_selector("#front-plot .hoverlayer .hovertext")
    page.mouse.click(*place)


def isolated(data: ReportData) -> FrontPoint:
    """Return a point on the front with no neighbour under the pointer."""
    return min((p for p in data.points if p.on_front), key=lambda p: p.objectives["ort"] or 0.0)


def test_clicking_a_point_shows_its_architecture(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(200)
    target = isolated(data)
    page = visit.open(data, tmp_path)
    assert page.inner_text("#panel-title") != target.id
    click_point(page, target.id)
    page.wait_for_function("id => document.getElementById('panel-title').textContent === id", arg=target.id)
    panel = page.inner_text("#panel-body")
    assert f"--pick {target.id} --for DEVICE" in panel
    assert page.locator("#panel-body svg [data-block=mbconv]").count() == 1 + sum(target.depths)
    first = next(o for o in target.operators[2:] if o.kind == "mbconv")
    description = page.locator("#panel-body svg [data-block=mbconv] title").nth(1).text_content()
    assert description is not None
    assert f"kernel {first.kernel_size}×{first.kernel_size}" in description


def test_hovering_shows_every_objective(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(200)
    page = visit.open(data, tmp_path)
    click_point(page, isolated(data).id)
    text = page.locator("#front-plot .hoverlayer").text_content()
    assert text is not None
    assert all(objective.label in text for objective in data.objectives)


def test_the_list_is_a_way_in_by_keyboard(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(200)
    page = visit.open(data, tmp_path)
    button = page.locator("button.choose").last
    identity = button.inner_text()
    button.focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#panel-title") == identity
    assert page.evaluate("document.activeElement.id") == "panel"
    assert page.locator("tr.chosen").count() == 1


def test_a_finalists_name_leads_to_its_architecture(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(200)
    page = visit.open(data, tmp_path)
    page.locator("button.pick").last.click()
    assert page.inner_text("#panel-title") == data.finalists[-1].id
    assert "measured on local-cpu-litert" in page.inner_text("#panel-body")


def test_axes_can_be_chosen_and_budgets_are_drawn(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(report_data.full(200), tmp_path)
    assert "budget 1.6 ms" in (page.locator("#front-plot .infolayer").text_content() or "")
    page.select_option("#axis-x", label="Size")
    assert "budget 4.2 MB" in (page.locator("#front-plot .infolayer").text_content() or "")
    assert page.evaluate("document.getElementById('front-plot').layout.xaxis.title.text") == "Size (MB)"
    page.select_option("#axis-y", label="Size")
    assert page.evaluate("document.getElementById('front-plot').layout.shapes.length") == 2


def test_colours_follow_the_button(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(report_data.full(60), tmp_path)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    ink = page.evaluate("document.getElementById('front-plot').layout.font.color")
    assert ink == page.evaluate("getComputedStyle(document.body).color")


def test_a_phone_needs_no_sideways_scrolling(visit: Visit, tmp_path: Path) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 740})
    page = visit.open(report_data.full(60), tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_five_hundred_points_are_drawn(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(500)
    page = visit.open(data, tmp_path)
    drawn = page.evaluate(
        "new Set(document.getElementById('front-plot').data.flatMap((t) => t.customdata ?? [])).size"
    )
    assert drawn == len(data.points) + len(data.baselines)


def test_an_empty_report_opens_quietly(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(ReportData(title="Empty"), tmp_path)
    assert page.inner_text("#headline") == "Nothing has been measured yet."


def test_unknown_values_and_markup_in_names_do_no_harm(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    nan = float("nan")
    nasty = replace(
        data,
        title=NASTY,
        run=NASTY,
        objectives=tuple(replace(o, label=f"{NASTY} {o.key}") for o in data.objectives),
        points=(
            FrontPoint(id=NASTY, objectives={"error": nan, "ort": 1.0}, traits={NASTY: nan}, evaluation=1),
            *(replace(p, traits={NASTY: 1.0}) for p in data.points),
        ),
        curves=tuple(replace(c, name=NASTY, hypervolumes=(nan,) * len(c.evaluations)) for c in data.curves),
        left_out={NASTY: NASTY},
        failures=(replace(data.failures[0], id=NASTY, reason=NASTY),),
        finalists=(replace(data.finalists[0], id=NASTY, device=NASTY, measured_ms=nan, note=NASTY),),
        predictions=tuple(replace(p, device=NASTY, id=NASTY, predicted_ms=nan) for p in data.predictions),
        breakdowns=(Breakdown(id=NASTY, device=NASTY, bars=(OperatorBar(label=NASTY, detail=NASTY),)),),
        drifts=(Drift(device=NASTY, operator=NASTY, medians_ms=(nan, nan)),),
        hypervolume=(HypervolumePoint(evaluations=1, hypervolume=nan),),
        training=(TrainingPoint(epoch=1, loss=nan, accuracies={NASTY: None}),),
    )
    page = visit.open(nasty, tmp_path)
    page.click("#numbers summary")
    page.locator("#after").fill("3")
    assert page.locator("img").count() == 0
    assert page.inner_text("#panel-title") == NASTY
    page.locator("button.choose").first.click()
    assert page.locator("#panel-body svg").count() == 1


def test_errors_are_drawn_against_latency_for_every_device(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    assert page.locator("[data-error]").count() == len(report_data.DEVICES)
    drawn = page.evaluate(
        "[...document.querySelectorAll('[data-error]')].map((plot) => plot.data.filter((t) => t.mode === "
        "'markers').flatMap((t) => t.y))"
    )
    for device, errors in zip(report_data.DEVICES, drawn, strict=True):
        expected = [100 * (p.relative_error or 0) for p in data.predictions if p.device == device]
        assert sorted(errors) == pytest.approx(sorted(expected))


def test_a_breakdown_is_drawn_for_the_network_that_is_picked(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    for index, found in reversed(list(enumerate(data.breakdowns))):
        page.select_option("#breakdown-pick", str(index))
        costs = page.evaluate("document.getElementById('breakdown-plot').data[0].x")
        assert costs == pytest.approx([bar.cost_ms or 0 for bar in found.bars])
        labels = page.locator("#breakdown-plot .yaxislayer-above").text_content() or ""
        assert all(bar.label in labels for bar in found.bars)
    text = page.evaluate("document.getElementById('breakdown-plot').data[0].text")
    assert "failed on the device" in text[4]
    assert "noisy" in text[5]


def test_drift_is_drawn_with_the_limits_of_what_is_measured_again(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(report_data.full(60), tmp_path)
    plots = page.locator("[data-drift]")
    assert plots.count() == len(report_data.DEVICES)
    shapes = page.evaluate("document.querySelector('[data-drift]').layout.shapes.map((s) => s.y0)")
    assert shapes == pytest.approx([8, -8])


def seen_at(page: "Page", name: str) -> int:
    """Return how many points a trace of the front's plot has."""
    return int(
        page.evaluate(
            """(name) => {
                const trace = document.getElementById("front-plot").data.find((t) => t.name === name);
                return trace ? trace.x.filter((x) => x !== null).length : 0;
            }""",
            name,
        )
    )


def legend(page: "Page") -> list[str]:
    return page.locator("#front-plot .legendtext").all_text_contents()


def test_the_slider_goes_back_to_any_evaluation(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(200)
    page = visit.open(data, tmp_path)
    last = len(data.points)
    words = page.locator("#after-text")
    assert words.inner_text().startswith(f"after {last} of {last} evaluations · iteration")
    on_front = sum(p.on_front for p in data.points)
    assert seen_at(page, "on the front") == on_front
    ranges = page.evaluate("document.getElementById('front-plot').layout.xaxis.range")
    kinds = set(legend(page))
    for n in (40, 17, 1):
        page.locator("#after").fill(str(n))
        feasible = sum(
            all((p.objectives[o.key] or 0) <= o.budget for o in data.objectives if o.budget)
            for p in data.points[:n]
        )
        assert seen_at(page, "dominated") + seen_at(page, "on the front") == feasible
        assert f"after {n} of {last} evaluations" in words.inner_text()
        assert f"{seen_at(page, 'on the front')} on the front" in words.inner_text()
        assert page.get_attribute("#after", "aria-valuetext") == words.inner_text()
        assert kinds < set(legend(page)), "kinds that come later keep their place"
    assert "initial design" in words.inner_text()
    assert page.evaluate("document.getElementById('front-plot').layout.xaxis.range") == ranges
    page.locator("#after").focus()
    page.keyboard.press("End")
    assert seen_at(page, "on the front") == on_front


def test_a_search_can_be_played(visit: Visit, tmp_path: Path) -> None:
    page = visit.open(report_data.full(60), tmp_path)
    page.locator("#after").fill("50")
    page.click("#play")
    assert page.inner_text("#play") == "Stop"
    page.wait_for_function("() => document.getElementById('play').textContent === 'Play'")
    assert page.input_value("#after") == page.get_attribute("#after", "max")


def test_networks_of_no_known_order_have_no_slider(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    unordered = tuple(replace(p, evaluation=None, predicted=None) for p in data.points)
    page = visit.open(replace(data, points=unordered), tmp_path)
    assert page.locator("#time").is_hidden()
    assert page.locator("#surrogate-plot").count() == 0
    assert seen_at(page, "on the front") == sum(p.on_front for p in data.points)


def test_every_comparable_search_has_a_curve(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    drawn = page.evaluate(
        "document.getElementById('search-plot').data.map((t) => [t.name, t.x.at(-1), t.y.at(-1)])"
    )
    n = len(data.points)
    for (name, end, value), curve in zip(drawn, data.curves, strict=False):
        assert (name, end) == (curve.name, n)
        assert value == pytest.approx(curve.hypervolumes[-1])
    assert drawn[-1][0] == "Kendall's τ"


def test_predicted_and_evaluated_errors_are_drawn_by_iteration(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    x, y, shades = page.evaluate(
        """() => {
            const { x, y, marker } = document.getElementById("surrogate-plot").data[1];
            return [x, y, marker.color];
        }"""
    )
    fresh = [p for p in data.points if p.predicted is not None]
    assert x == pytest.approx([100 - 100 * (p.objectives["error"] or 0) for p in fresh], rel=1e-5)
    assert y == pytest.approx([100 - 100 * (p.predicted or 0) for p in fresh], rel=1e-5)
    assert shades == [p.iteration for p in fresh]


def end_of_axis(page: "Page", index: int) -> dict[str, float]:
    """Return the box of an axis of the parallel coordinates on the screen."""
    page.locator("#parallel").scroll_into_view_if_needed()
    box = page.locator("#parallel line.axis").nth(index).bounding_box()
    assert box is not None
    return dict(box)


def kept(page: "Page") -> int:
    return page.locator("#parallel .line:not(.out)").count()


def test_a_range_of_an_axis_keeps_the_networks_within(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    assert kept(page) == len(data.points)
    axis = end_of_axis(page, 0)  # resolution, the least at the foot
    low, high = (f(p.traits["resolution"] for p in data.points) for f in (min, max))
    middle = axis["y"] + axis["height"] / 2
    page.mouse.move(axis["x"], axis["y"] + axis["height"])
    page.mouse.down()
    page.mouse.move(axis["x"] + 2, middle, steps=4)
    page.mouse.up()
    inside = sum(p.traits["resolution"] <= (low + high) / 2 for p in data.points)
    assert 0 < kept(page) == inside < len(data.points)
    assert page.inner_text("#parallel-count") == f"{inside} of {len(data.points)} networks"
    page.click("#parallel-clear")
    assert kept(page) == len(data.points)
    assert page.locator("#parallel-clear").is_hidden()


def test_a_click_on_a_line_chooses_its_network_everywhere(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    index = next(i for i, p in enumerate(data.points) if p.on_front and i > 10)
    end_of_axis(page, 0)
    place = page.evaluate(
        """(index) => {
            const line = document.querySelector(`#parallel .line[data-index="${index}"]`);
            const box = line.ownerSVGElement.getBoundingClientRect();
            const points = line.getAttribute("d").slice(1).split("L").map((p) => p.split(" ").map(Number));
            const [a, b] = points.slice(4, 6); // between the accuracy and the first latency
            return [box.left + (a[0] + b[0]) / 2, box.top + (a[1] + b[1]) / 2];
        }""",
        index,
    )
    page.mouse.move(*place)
    page.wait_for_selector("#parallel .line.hovered")
    page.mouse.click(*place)
    chosen = page.locator("#parallel .line.chosen").get_attribute("data-index")
    assert chosen is not None
    identity = data.points[int(chosen)].id
    assert page.inner_text("#panel-title") == identity
    assert page.inner_text("#parallel-caption").startswith(identity)
    page.locator("#parallel-caption button").click()
    assert page.evaluate("document.activeElement.id") == "panel"


def test_budgets_finalists_and_stages_are_in_the_parallel_coordinates(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    assert page.locator("#parallel text.budget").all_text_contents() == [
        "budget 1.6 ms",
        "budget 1.4 ms",
        "budget 4.2 MB",
    ]
    marked = {f.id for f in data.finalists} | {p.id for p in data.points if p.compiled}
    assert page.locator("#parallel .line.finalist").count() == len(marked)
    axes = page.locator("#parallel line.axis").count()
    assert axes == len(data.points[0].traits) + len(data.objectives)
    page.check("#parallel-depths")
    assert page.locator("#parallel line.axis").count() == axes + len(data.points[0].depths)


def test_axes_lie_below_each_other_on_a_phone(visit: Visit, tmp_path: Path) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 740})
    page = visit.open(report_data.full(60), tmp_path)
    assert page.locator("#parallel svg.flat").count() == 1
    first, second = (end_of_axis(page, i) for i in (0, 1))
    assert first["width"] > 200
    assert second["y"] > first["y"] + 40
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_selector("#parallel svg.upright")


def test_every_network_stands_in_numbers(visit: Visit, tmp_path: Path) -> None:
    data = report_data.full(60)
    page = visit.open(data, tmp_path)
    assert page.locator("#numbers tr").count() == 0
    page.click("#numbers summary")
    assert page.locator("#numbers tbody tr").count() == len(data.points) + len(data.baselines)
    row = page.locator("#numbers tbody tr").nth(20).inner_text()
    assert data.points[20].id in row
    assert "-".join(map(str, data.points[20].depths)) in row

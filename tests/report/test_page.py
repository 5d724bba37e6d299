"""The page in a real browser: Debian's Chromium, driven by Playwright, offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from odm.catalog.flown import COLUMNS, flown_of
from odm.report.ionogram_report import write_ionogram_report
from odm.report.marks import read_marks
from odm.report.provenance import fingerprint
from odm.report.report import write_report
from odm.report.report_options import ReportOptions
from odm.report.review import import_review
from tests.report.flights import campaign, outcome, paper_year, real_campaign, region
from tests.report.test_ionogram_report import bare_campaign, ionogram_campaign, other_campaign

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright: pip install playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.xdist_group("page"),  # one browser for all
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOSTILE = "x<img src=x onerror=window.hacked=1><\\script><script>window.hacked=2<"
QUICK = ReportOptions(figures=False, resamples=20, each=4)
DRAWN = "Drawn from the counts that the paper publishes: this checks the plotting, nothing else."
Page = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The paper's year as a page, and its regions."""
    folder = tmp_path_factory.mktemp("year")
    one = paper_year(folder / "campaign")
    write_report(one, str(folder / "out"), options=replace(QUICK, remark=DRAWN))
    return folder / "out", flown_of(one.outcomes(COLUMNS)).regions


class Opened:
    """A page in a window of its own, with all that it complained of or asked for."""

    def __init__(self, browser: Any, folder: Path, **window: Any) -> None:
        self.window = browser.new_context(offline=True, accept_downloads=True, **window)
        self.page = self.window.new_page()
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.goto((folder / "index.html").as_uri())
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=yes]")

    def count(self) -> str:
        return str(self.page.inner_text("#count"))

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        self.window.close()
        if error[0] is None:
            assert self.said == []
            strange = [
                url for url in self.fetched if not url.startswith(("file:", "data:", "blob:"))
            ]
            assert strange == []


def test_filters_count_exactly(browser: Any, year: tuple[Path, pd.DataFrame]) -> None:
    """Boxes, ends of ranges and dragging over a histogram leave what pandas leaves."""
    folder, regions = year
    with Opened(browser, folder) as one:
        page = one.page
        assert one.count() == "453 of 453 regions"
        assert DRAWN in page.inner_text("#caption")
        assert "was not there" in page.inner_text("#notes")
        season = page.locator("fieldset[data-filter='season by month']")
        numbers = season.locator(".number").all_inner_texts()
        assert numbers == ["142", "124", "129", "58"]
        season.locator("input[data-value=winter]").uncheck()
        season.locator("input[data-value=summer]").uncheck()
        assert one.count() == "271 of 453 regions"
        page.locator("fieldset[data-filter=hemisphere] input[data-value=south]").uncheck()
        assert one.count() == "159 of 453 regions"
        assert season.locator(".number").all_inner_texts() == ["80", "0", "79", "0"]
        low = page.locator("input[data-column=frequency_peak][data-end=from]")
        low.fill("6.2")
        low.press("Enter")
        wanted = regions[
            regions["month_season"].isin(["spring", "autumn"])
            & (regions["hemisphere"] == "north")
            & (regions["frequency_peak"] >= 6200)
        ]
        assert one.count() == f"{len(wanted)} of 453 regions"
        table = page.locator("#table")
        assert table.get_attribute("aria-rowcount") == str(len(wanted))
        page.click("#reset")
        assert one.count() == "453 of 453 regions"
        box = page.locator(".histogram >> nth=1").locator(".u-over")
        box.scroll_into_view_if_needed()
        edge = box.bounding_box()
        page.mouse.move(edge["x"] + edge["width"] * 0.1, edge["y"] + 20)
        page.mouse.down()
        page.mouse.move(edge["x"] + edge["width"] * 0.24, edge["y"] + 25, steps=4)
        page.mouse.up()
        high = page.locator("input[data-column=frequency_peak][data-end=to]")
        ends = [float(low.input_value()) * 1e3, float(high.input_value()) * 1e3]
        assert ends == pytest.approx([2500, 6000], abs=200)
        inside = regions["frequency_peak"].between(*ends).sum()
        assert 0 < inside < 453 and one.count() == f"{inside} of 453 regions"
        high.fill("0.5")  # nothing is left, and nothing breaks
        high.press("Enter")
        assert one.count() == "0 of 453 regions"


def test_choosing_and_marking(browser: Any, tmp_path: Path) -> None:
    """A click shows the right half-orbit; marks outlive a reload, and come back by import."""
    one = real_campaign(tmp_path)
    write_report(one, str(tmp_path / "out"), options=QUICK)
    found = [row for row in one.outcomes(["findings"]).to_pylist() if row["findings"]]
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        page.locator(".row").nth(1).click()
        row = found[1]["findings"][0]
        assert page.inner_text("#chosen") == row["region_id"]
        assert row["source"] in page.inner_text("#detail")
        picture = page.locator("#detail image")
        assert picture.get_attribute("href").startswith("data:image/jpeg")
        assert page.locator("#detail polygon.outline").count() == 2
        assert "UTC, 2021-" in page.text_content("#detail svg")
        page.click("#map")  # wherever it is, a finding or none
        page.focus("#table")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        assert page.inner_text("#chosen") == row["region_id"]
        marked = page.locator("fieldset[data-filter=marked] .number")
        assert marked.all_inner_texts() == ["3", "0", "0", "0"]
        page.keyboard.press("1")
        assert marked.all_inner_texts() == ["2", "1", "0", "0"]
        page.locator("#detail textarea").fill("a <b>note</b>")
        page.locator("#detail textarea").blur()
        page.reload()
        opened.ready()
        assert page.locator(".row .mark-right").count() == 1
        page.locator("fieldset[data-filter=marked] input[data-value=no]").uncheck()
        assert opened.count() == "1 of 3 regions"
        page.locator(".row").first.click()
        page.locator("#detail button[data-mark=right]").press("Enter")  # takes the mark away
        assert opened.count() == "0 of 3 regions"  # the filter follows
        assert page.evaluate("document.activeElement.dataset.mark") == "right"
        page.keyboard.press("Enter")
        assert opened.count() == "1 of 3 regions"
        page.click("#reset")
        review_all(page)
        with page.expect_download() as download:
            page.click("#export")
        path = tmp_path / "marks.json"
        download.value.save_as(path)
    marks = read_marks(path)
    assert marks.findings == {row["findings"][0]["region_id"]: "right" for row in found}
    assert json.loads(path.read_text())["findings"][0]["note"] == "a <b>note</b>"
    assert len(marks.inputs) == 6 and len(marks.boxes) == 1
    report = import_review(one, marks, str(tmp_path / "reviewed"))
    assert report.annotated == 6 and report.objects == 4
    assert report.estimate["precision"]["value"] == 1
    assert report.estimate["recall"]["interval"] == pytest.approx((3 / 4, 3 / 4))


def review_all(page: Page) -> None:
    """Everything is right, nothing is missed but for a box drawn on the second half-orbit."""
    page.click("#view-review")
    cases = page.locator("#queue button").count()
    for place in range(cases):
        for button in page.locator(".found button[data-mark=right]").all():
            if button.get_attribute("aria-pressed") == "false":
                button.click()
        if place == 1:
            edge = page.locator("#case svg").bounding_box()
            page.mouse.move(edge["x"] + edge["width"] * 0.5, edge["y"] + edge["height"] * 0.2)
            page.mouse.down()
            page.mouse.move(edge["x"] + edge["width"] * 0.6, edge["y"] + edge["height"] * 0.4)
            page.mouse.up()
            assert page.locator("rect.drawn").count() == 1
        else:
            page.locator("#case button[data-mark='nothing missed']").click()
        if place < cases - 1 and place % 2:
            page.get_by_role("button", name="Next (n)").click()
        elif place < cases - 1:
            page.keyboard.press("n")  # also after another key or click
    assert f"{cases} of {cases} half-orbits done" in page.inner_text("#progress")


def test_hostile_names_stay_text(browser: Any, tmp_path: Path) -> None:
    source = f"{HOSTILE}/CSES_01_EFD_3_L02_A1_000010_20211101_000000_20211101_003400_000.h5"
    bad = "</script><script>window.hacked=3</script>.h5"
    one = campaign(
        tmp_path / "<b>camp & aign",
        [outcome(1, region(1, region_id="<img src=x onerror=window.hacked=4>"), source=source),
         outcome(2, source=bad)],
        archive="/nowhere/</title><script>window.hacked=5</script>",
    )  # fmt: skip
    write_report(one, str(tmp_path / "out"), options=QUICK)
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        page.locator(".row").first.click()
        assert page.inner_text("#chosen") == "<img src=x onerror=window.hacked=4>"
        assert source in page.inner_text("#detail")
        assert "<b>camp & aign" in page.inner_text("#title")
        page.click("#view-review")
        page.get_by_role("button", name="Next (n)").click()
        assert page.evaluate("window.hacked") is None
        assert page.locator("b, #detail img, #case img").count() == 0
        assert bad in page.inner_text("#case") or source in page.inner_text("#case")


@pytest.mark.parametrize("kind", ["empty", "quarantined"])
def test_nothing_to_show(browser: Any, tmp_path: Path, kind: str) -> None:
    outcomes = [outcome(1, reason="empty")] if kind == "quarantined" else []
    one = campaign(tmp_path / "campaign", outcomes)
    write_report(one, str(tmp_path / "out"), options=QUICK)
    with Opened(browser, tmp_path / "out", color_scheme="dark") as opened:
        assert opened.count() == "0 of 0 regions"
        assert opened.page.inner_text("#notes") != ""
        opened.page.click("#view-review")
        assert "nothing to review" in opened.page.inner_text("#progress")


def test_narrow_window_has_no_overflow(browser: Any, year: tuple[Path, pd.DataFrame]) -> None:
    with Opened(browser, year[0], viewport={"width": 380, "height": 700}) as opened:
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 380
        opened.page.click("#theme")
        assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_ionograms(browser: Any, tmp_path: Path) -> None:
    """Timelines in place of the map; a click shows the ionogram with its layers and edges; what is
    marked and drawn comes back by import."""
    one = ionogram_campaign(tmp_path)
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        assert opened.count() == "6 of 6 layers"
        assert page.locator("#timeline canvas").count() == 2
        page.locator("fieldset[data-filter='leading edge'] input[data-value=found]").uncheck()
        assert opened.count() == "3 of 6 layers"
        page.click("#theme")
        page.locator("fieldset[data-filter=layer] input[data-value=F]").uncheck()
        assert opened.count() == "2 of 6 layers"
        edge = page.locator("#timeline .u-over").first.bounding_box()
        page.mouse.click(edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] / 2)  # no point
        page.click("#reset")
        page.get_by_role("columnheader", name="layer").press("Enter")  # Es before F
        page.locator(".row").first.click()
        assert page.inner_text("#chosen").endswith("_02")
        assert "MHz" in page.text_content("#detail svg")
        assert page.locator("#detail polygon.outline").count() == 4  # both layers, with halo
        assert page.locator("#detail polygon.picked").count() == 2
        assert page.locator("#detail polyline.edge").count() == 2  # of F
        assert page.locator("#detail text.layer").all_text_contents() == ["F", "Es"]
        draw_layer(page)
        with page.expect_download() as download:
            page.click("#export")
        download.value.save_as(tmp_path / "marks.json")
    marks = read_marks(tmp_path / "marks.json")
    assert marks.kind == "ionograms" and len(marks.findings) == 6
    ((box,),) = marks.boxes.values()
    assert box.layer == "F" and 6.5e6 < box.x[0] < box.x[1] < 9.5e6
    report = import_review(one, marks, str(tmp_path / "labels"))
    assert (report.annotated, report.objects) == (5, 7)
    assert report.estimate["recall"]["value"] == pytest.approx(6 / 7)


def test_ionograms_by_the_minute(browser: Any, tmp_path: Path) -> None:
    """Of a few hours a day is no filter: ends are minutes; a ring stands for a box."""
    one = ionogram_campaign(tmp_path)  # layers at 3:00, 3:30 (two), 4:00, 4:30 (two)
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    with Opened(browser, tmp_path / "out", timezone_id="America/New_York") as opened:
        page = opened.page
        low, high = (
            page.locator(f"input[data-column=time][data-end={end}]") for end in ("from", "to")
        )
        low.fill("2021-11-01T03:30")
        low.press("Enter")
        assert opened.count() == "5 of 6 layers"
        high.fill("2021-11-01T04:00")
        high.press("Enter")
        assert opened.count() == "3 of 6 layers"
        page.click("#reset")
        box = page.locator(".histogram").first.locator(".u-over")
        edge = box.bounding_box()
        page.mouse.move(edge["x"] + edge["width"] * 0.5, edge["y"] + 20)
        page.mouse.down()
        page.mouse.move(edge["x"] + edge["width"] * 0.9, edge["y"] + 25, steps=4)
        page.mouse.up()
        assert low.input_value() in ("2021-11-01T03:44", "2021-11-01T03:45")
        assert high.input_value() in ("2021-11-01T04:20", "2021-11-01T04:21")
        assert opened.count() == "1 of 6 layers"
        assert "ring: no leading edge" in page.inner_text("#timeline-legend")


def test_comparison_of_ionograms(browser: Any, tmp_path: Path) -> None:
    """What only the other campaign found is named so, drawn so, and asked about in the queue."""
    one = ionogram_campaign(tmp_path)
    other = other_campaign(tmp_path, tmp_path / "archive")
    write_ionogram_report(one, str(tmp_path / "out"), other, QUICK)
    with Opened(browser, tmp_path / "out", viewport={"width": 1000, "height": 900}) as opened:
        page = opened.page
        sides = page.locator("fieldset[data-filter='found by']")
        assert sides.locator(".number").all_inner_texts() == ["3", "0", "1", "3"]
        for side in ("both", "not searched by B"):
            sides.locator(f"input[data-value='{side}']").uncheck()
        assert opened.count() == "1 of 7 layers"
        page.locator(".row").first.click()
        assert page.inner_text("#chosen") == "a-b_20211101_033000_03 (only B)"
        assert page.locator("#detail polygon.other.picked").count() == 2  # with its halo
        assert page.locator("#detail svg").bounding_box()["width"] <= 440
        page.click("#view-review")
        page.locator("#queue button", has_text="a-b_20211101_033000").click()
        names = page.locator(".found strong").all_inner_texts()
        assert [name.endswith("(only B)") for name in names] == [False, False, True]
        page.locator(".found").last.locator("button[data-mark=right]").click()
        with page.expect_download() as download:
            page.click("#export")
        download.value.save_as(tmp_path / "marks.json")
    marks = read_marks(tmp_path / "marks.json")
    assert marks.findings == {"b:a-b_20211101_033000_03": "right"}
    assert marks.against == fingerprint(other.outcomes())


def test_labels_of_axes(browser: Any, year: tuple[Path, pd.DataFrame]) -> None:
    """Counts fit their room: 10,000 without its first digit is another number. Of times the first
    has its day, and its hour unless that is 0."""
    with Opened(browser, year[0]) as opened:
        labels = opened.page.evaluate("countLabels(null, [0, 2.5, 40, 1000, 12500, 2e6])")
        assert labels == ["0", "", "40", "1k", "12.5k", "2M"]
        hours = [f"2021-11-{day:02d}T{hour:02d}:00Z" for day, hour in ((1, 18), (1, 21), (2, 0))]
        script = "(times) => timeLabels(null, times.map((one) => Date.parse(one) / 1000))"
        assert opened.page.evaluate(script, hours) == ["11-01 18:00", "21:00", "11-02"]
        assert opened.page.evaluate(script, hours[2:]) == ["11-02"]
        days = ["2021-11-02T00:00Z", "2021-11-04T00:00Z"]
        assert opened.page.evaluate(script, days) == ["2021-11-02", "11-04"]


def test_two_windows_of_one_page(browser: Any, tmp_path: Path) -> None:
    """What is marked in one window is not lost by marking in another."""
    one = ionogram_campaign(tmp_path)
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    with Opened(browser, tmp_path / "out") as opened:
        first, second = opened.page, opened.window.new_page()
        second.goto(first.url)
        second.wait_for_selector("body[data-ready=yes]")
        first.locator(".row").nth(0).click()
        first.locator("#detail button[data-mark=right]").click()
        second.locator(".row").nth(1).click()
        second.locator("#detail button[data-mark=wrong]").click()
        second.locator("#detail textarea").fill("<i>no</i>")
        second.locator("#detail textarea").blur()
        first.locator(".row").nth(2).click()
        first.locator("#detail button[data-mark=unsure]").click()
        for page in (first, second):
            marked = page.locator("fieldset[data-filter=marked] .number")
            playwright.expect(marked).to_have_text(["3", "1", "1", "1"])
        with first.expect_download() as download:
            first.click("#view-review")
            first.click("#export")
        download.value.save_as(tmp_path / "marks.json")
    content = json.loads((tmp_path / "marks.json").read_text())
    assert sorted(entry["mark"] for entry in content["findings"]) == ["right", "unsure", "wrong"]
    assert [entry.get("note") for entry in content["findings"]].count("<i>no</i>") == 1


def test_drawing_by_mistake(browser: Any, tmp_path: Path) -> None:
    """The right button draws nothing; with the last box goes the mark that it brought."""
    one = ionogram_campaign(tmp_path)
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        page.click("#view-review")
        pressed = page.locator("#case button[data-mark='something missed'][aria-pressed=true]")
        for button, drawn in (("right", 0), ("left", 1)):
            edge = page.locator("#case svg").bounding_box()
            page.mouse.move(edge["x"] + edge["width"] * 0.4, edge["y"] + edge["height"] * 0.3)
            page.mouse.down(button=button)
            page.mouse.move(edge["x"] + edge["width"] * 0.6, edge["y"] + edge["height"] * 0.5)
            page.mouse.up(button=button)
            assert page.locator("rect.drawn").count() == pressed.count() == drawn
        page.get_by_role("button", name="Remove the last of 1 drawn").click()
        assert page.locator("rect.drawn").count() == pressed.count() == 0


def test_hostile_ionograms_stay_text(browser: Any, tmp_path: Path) -> None:
    """Links and file names are text in boxes to tick, in the table, in the queue and in marks."""
    name = "<img src=x onerror=window.hacked=1>\"-'_20211101T030000.npz"
    one = bare_campaign(tmp_path / "<b>camp", [name, "__proto__.npz"])
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        assert "<img src=x" in page.inner_text("fieldset[data-filter=link]")
        page.locator(".row").first.click()
        assert page.inner_text("#chosen").startswith("<img src=x")
        page.locator("#detail button[data-mark=right]").click()
        page.click("#view-review")
        assert "<img src=x" in page.inner_text("#queue")
        page.get_by_role("button", name="Next (n)").click()
        assert page.evaluate("window.hacked") is None
        assert page.locator("b, #detail img, #case img, #filters img").count() == 0
        page.reload()
        opened.ready()
        marked = page.locator("fieldset[data-filter=marked] .number")
        assert marked.all_inner_texts() == ["1", "1", "0", "0"]


@pytest.mark.parametrize("names", [[], ["a-b_20211101T030000.npz"], ["one.npz"]])
def test_nothing_to_show_of_ionograms(browser: Any, tmp_path: Path, names: list[str]) -> None:
    """No outcome, quarantined alone, and a layer that no timeline can show."""
    more = {"reason": "empty"} if names[:1] == ["a-b_20211101T030000.npz"] else {}
    one = bare_campaign(tmp_path / "campaign", names, **more)
    write_ionogram_report(one, str(tmp_path / "out"), None, QUICK)
    shown = 1 if names == ["one.npz"] else 0
    with Opened(browser, tmp_path / "out", color_scheme="dark") as opened:
        assert opened.count() == f"{shown} of {shown} layers"
        assert opened.page.inner_text("#notes") != ""
        opened.page.click("#view-review")
        said = opened.page.inner_text("#progress")
        assert said.startswith("0 of 1 ionograms done" if shown else "There is nothing to review")


def draw_layer(page: Page) -> None:
    """All is right; an F is drawn in the clear ionogram, after an Es that is taken back."""
    page.click("#view-review")
    for place in range(page.locator("#queue button").count()):
        page.locator("#queue button").nth(place).click()
        for button in page.locator(".found button[data-mark=right]").all():
            button.click()
        if page.locator(".found").count():
            page.locator("#case button[data-mark='nothing missed']").click()
            continue
        for layer in ("Es", "F"):
            page.locator(f"#case button[data-mark={layer}]").click()
            edge = page.locator("#case svg").bounding_box()
            page.mouse.move(edge["x"] + edge["width"] * 0.4, edge["y"] + edge["height"] * 0.3)
            page.mouse.down()
            page.mouse.move(edge["x"] + edge["width"] * 0.6, edge["y"] + edge["height"] * 0.5)
            page.mouse.up()
            assert page.locator("#case text.layer").all_text_contents() == [layer]
            if layer == "Es":
                page.get_by_role("button", name="Remove the last of 1 drawn").click()


def test_marks_that_cannot_be(browser: Any, tmp_path: Path) -> None:
    """A file of marks may hold anything: only what can be a mark is taken."""
    one = real_campaign(tmp_path, 2)
    write_report(one, str(tmp_path / "out"), options=QUICK)
    (row,) = (row for row in one.outcomes(["findings", "source"]).to_pylist() if row["findings"])
    name = row["findings"][0]["region_id"]
    content = {
        "kind": "odm review", "fingerprint": fingerprint(one.outcomes()), "against": "",
        "findings": [{"id": name, "mark": "right\" onload=\"window.hacked=1", "note": "<b>"},
                     {"id": "__proto__", "mark": "right"}],
        "inputs": [{"identity": row["identity"], "mark": "something missed",
                    "boxes": [["x"], "<script>", [1, 2, 3], None]}],
    }  # fmt: skip
    path = tmp_path / "marks.json"
    with Opened(browser, tmp_path / "out") as opened:
        page = opened.page
        path.write_text(json.dumps({**content, "fingerprint": "0" * 64}))
        page.click("#view-review")
        page.set_input_files("#load", path)
        page.get_by_text("That file holds marks of another report.").wait_for()
        path.write_text(json.dumps(content))
        page.set_input_files("#load", path)
        page.get_by_text("Marks are kept in this browser").wait_for()
        page.locator(f"#queue button[title='{row['source']}']").click()
        assert page.locator("rect.drawn").count() == 0
        assert page.locator("button[data-mark='something missed'][aria-pressed=true]").count() == 1
        page.click("#view-explore")
        page.locator(".row").first.click()
        assert page.locator("#detail textarea").input_value() == "<b>"
        assert page.locator(".row [class*=mark-]").count() == 0
        assert page.evaluate("window.hacked") is None

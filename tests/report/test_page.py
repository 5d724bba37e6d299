"""The page of half-orbits in a real browser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from odm.catalog.orbit.flown import COLUMNS, flown_of
from odm.report import import_review, read_marks, write_report
from odm.report.shared.texts import fingerprint
from tests.report.browser import IN_BROWSER, QUICK, Opened, Page
from tests.report.flights import campaign, outcome, paper_year, real_campaign, region

pytestmark = IN_BROWSER
HOSTILE = "x<img src=x onerror=window.hacked=1><\\script><script>window.hacked=2<"
DRAWN = "Drawn from the counts that the paper publishes: this checks the plotting, nothing else."


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The paper's year as a page, and its regions."""
    folder = tmp_path_factory.mktemp("year")
    one = paper_year(folder / "campaign")
    write_report(one, str(folder / "out"), options=replace(QUICK, remark=DRAWN))
    return folder / "out", flown_of(one.outcomes(COLUMNS)).regions


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

"""The page of ionograms in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from odm.report import import_review, read_marks, write_report
from odm.report.shared.texts import fingerprint
from tests.report.browser import IN_BROWSER, QUICK, Opened, Page, playwright
from tests.report.test_ionogram_report import bare_campaign, ionogram_campaign, other_campaign

pytestmark = IN_BROWSER


def test_ionograms(browser: Any, tmp_path: Path) -> None:
    """Timelines in place of the map; a click shows the ionogram with its layers and edges; what is
    marked and drawn comes back by import."""
    one = ionogram_campaign(tmp_path)
    write_report(one, str(tmp_path / "out"), None, QUICK)
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
    """A few hours a day are no filter: ends are minutes; a ring stands for a box."""
    one = ionogram_campaign(tmp_path)  # layers at 3:00, 3:30 (two), 4:00, 4:30 (two)
    write_report(one, str(tmp_path / "out"), None, QUICK)
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
    write_report(one, str(tmp_path / "out"), other, QUICK)
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


def test_two_windows_of_one_page(browser: Any, tmp_path: Path) -> None:
    """What is marked in one window is not lost by marking in another."""
    one = ionogram_campaign(tmp_path)
    write_report(one, str(tmp_path / "out"), None, QUICK)
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
    write_report(one, str(tmp_path / "out"), None, QUICK)
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
    write_report(one, str(tmp_path / "out"), None, QUICK)
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
    write_report(one, str(tmp_path / "out"), None, QUICK)
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

"""Text for people: tables, unknown names, rates and durations."""

from __future__ import annotations

from odm.core.text import duration, speed, table, unknown_name


def test_a_table_cuts_and_wraps_nothing() -> None:
    long = "word " * 60
    rows = [["a", 5, "[red]0.5", "0.9\n[0.8, 1.0]"], [long, 12, "", "-"]]
    lines = table(["name", "n", "text", "f1"], rows, "Title").splitlines()
    assert lines[0] == "Title"
    assert [line[299:] for line in lines[1:]] == [
        "    n  text              f1",
        "    5  [red]0.5         0.9",
        "                 [0.8, 1.0]",
        "   12                     -",
    ]
    assert table([], [["a", "1"], ["bcd", "22"]]) == "a    1\nbcd  22"


def test_an_unknown_name_with_the_nearest_known_one_or_with_all() -> None:
    assert unknown_name("key", "hight", ["height", "width"], "image") == (
        "unknown key 'hight' in image; did you mean height?"
    )
    assert unknown_name("key", "xyz", ["height", "width"]) == (
        "unknown key 'xyz'; known: height, width"
    )


def test_rates_and_durations() -> None:
    assert [speed(rate) for rate in (None, 12.34, 0.05)] == ["-/s", "12.3/s", "3.0/min"]
    assert [duration(s) for s in (40, 130, 3900)] == ["40 s", "2 min", "1 h 05 min"]

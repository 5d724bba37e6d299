"""Reports as files: what is written, and what is said where there is nothing to show."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from odm.catalog.orbit.flown import COLUMNS, flown_of
from odm.cli import app
from odm.core.errors import InputError
from odm.report import ReportOptions, write_report
from odm.report.orbit.figures import coastlines, miller
from odm.report.shared.comparison import BOTH, ONLY_A, UNSEARCHED, CountedColumn, sides_of
from odm.report.shared.page import embedded
from odm.report.shared.rows import review_queue
from odm.report.shared.texts import fingerprint
from tests.report.flights import campaign, outcome, real_campaign, region, track

QUICK = ReportOptions(figures=False, resamples=20)
MAX_EMBEDDED = "odm.report.shared.pictures.MAX_EMBEDDED"


def page_data(folder: Path, part: str = "data") -> Any:
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = re.search(rf'<script type="application/json" id="{part}">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def test_command_writes_all(tmp_path: Path) -> None:
    """Numbers, figures, page and provenance; the page holds the pictures."""
    one = real_campaign(tmp_path, 4)
    (tmp_path / "kp.csv").write_text("time,kp\n2021-03-31T21:00,3\n2021-04-01T00:00,3\n")
    result = CliRunner().invoke(
        app, ["report", str(one.folder), "--out", str(tmp_path / "out"), "--kp",
              str(tmp_path / "kp.csv"), "--resamples", "20", "--json"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    sheet = json.loads(result.stdout)
    assert sheet["regions"]["total"] == 2
    out = tmp_path / "out"
    assert json.loads((out / "report.json").read_text())["regions"]["total"] == 2
    for name in ("frequency", "map", "seasons", "dip_histogram", "dip_map", "rate_map", "timeline"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    origin = json.loads((out / "provenance.json").read_text())
    assert origin["types"]["resourceTypeGeneral"] == "Dataset"
    assert origin["odm"]["inputs"]["number"] == 4
    assert origin["creators"] == [{"name": ":tba"}]  # nobody is invented
    assert "simulated data" in origin["descriptions"][0]["description"]
    assert len(origin["odm"]["joined"]["kp"]) == 64
    with (out / "inputs.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)].count("detected") == 2
    drawn = page_data(out, "pictures")
    assert sorted(drawn["regions"]) == ["0", "1"]
    assert drawn["regions"]["0"]["src"].startswith("data:image/jpeg;base64,/9j/")


def test_crop_shows_the_region(tmp_path: Path) -> None:
    """The picture's ends enclose the region, its outline lies where the spot is, and is bright."""
    import base64

    import cv2
    import numpy as np

    one = real_campaign(tmp_path, 2)
    write_report(one, str(tmp_path / "out"), options=QUICK)
    facts = page_data(tmp_path / "out", "pictures")["regions"]["0"]
    row = one.outcomes(["findings"]).to_pylist()[0]["findings"][0]
    assert facts["y"][0] < row["frequency_min"] < row["frequency_max"] < facts["y"][1]
    assert facts["x"][0] < row["time_start"].value / 1e9 < row["time_end"].value / 1e9
    flat = np.array(facts["shapes"][0]).reshape(-1, 2)
    top = facts["y"][1] - flat[:, 1] / 1000 * (facts["y"][1] - facts["y"][0])
    assert top.max() == pytest.approx(row["frequency_max"], abs=15)
    data = np.frombuffer(base64.b64decode(facts["src"].partition(",")[2]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    height, width = picture.shape
    x, y = (flat.mean(axis=0) / 1000 * (width, height)).astype(int)
    assert picture[y - 3 : y + 3, x - 2 : x + 2].mean() > picture[:6].mean() + 40


def test_more_pictures_lie_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MAX_EMBEDDED, 1)
    write_report(real_campaign(tmp_path, 4), str(tmp_path / "out"), options=QUICK)
    facts = page_data(tmp_path / "out", "pictures")["regions"]
    beside = [one["src"] for one in facts.values() if not one["src"].startswith("data:")]
    assert len(beside) == 1
    assert (tmp_path / "out" / beside[0]).read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("outcomes", "note"),
    [
        ([], "no outcome yet"),
        ([outcome(1, reason="truncated"), outcome(2, reason="empty")], "All 2 half-orbits"),
        ([outcome(1)], "Nothing was found"),
        (
            [outcome(1, region(1, dip_angle=None, aacgm_latitude=None, mlt=None),
                     points=[{**one, "mlt": None, "aacgm_latitude": None, "dip_angle": None}
                             for one in track()])],
            "no magnetic coordinates",
        ),
        ([outcome(1, region(1)), outcome(2, reason="empty")], "1 of 2 half-orbits are quarantined"),
        ([outcome(1, region(1))], "the archive /nowhere was not there"),
    ],
)  # fmt: skip
def test_says_what_is_missing(tmp_path: Path, outcomes: list[pa.Table], note: str) -> None:
    """Nothing breaks, figures included, and the page says it."""
    one = campaign(tmp_path / "campaign", outcomes)
    figures = not outcomes or outcomes[0]["status"][0].as_py() != "detected"
    options = ReportOptions(figures=figures, resamples=20)
    written = write_report(one, str(tmp_path / "out"), options=options)
    assert any(note in line for line in written.notes), written.notes
    assert written.notes == page_data(tmp_path / "out")["notes"]


def test_kinds_that_cannot_be_reported(tmp_path: Path) -> None:
    from odm.catalog.campaign import CampaignCard, open_campaign

    other = open_campaign(tmp_path / "c", CampaignCard("whistlers", "/a", {"digest": "d"}))
    with pytest.raises(InputError, match="no report is made on whistlers"):
        write_report(other, str(tmp_path / "out"))
    layers = open_campaign(tmp_path / "d", CampaignCard("ionograms", "/a", {"digest": "d"}))
    with pytest.raises(InputError, match="only two of one kind can be compared"):
        write_report(campaign(tmp_path / "e", []), str(tmp_path / "out"), layers)
    assert not (tmp_path / "out").exists()


def test_data_cannot_leave_their_element() -> None:
    text = embedded({"a": "</script><!--&\u2028"})
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--&\u2028"}


def test_comparison(tmp_path: Path) -> None:
    """One region in both, one only in A, one only in B; what one had nothing to look at is apart.

    B has no outcome of half-orbit 3 and holds 4 in quarantine; A has none of 5.
    """
    a = campaign(
        tmp_path / "a",
        [outcome(1, region(1)), outcome(2, region(2)), outcome(3), outcome(4, region(4))],
    )
    b = campaign(
        tmp_path / "b",
        [outcome(1, region(1, frequency=6300)), outcome(2, region(2, latitude=-50, frequency=9e3)),
         outcome(4, reason="truncated"), outcome(5, region(5))],
        digest="n" * 64,
    )  # fmt: skip
    sheet = write_report(a, str(tmp_path / "out"), b, QUICK).sheet["comparison"]
    origin = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert origin["odm"]["joined"] == {"against": fingerprint(b.outcomes())}
    caption = page_data(tmp_path / "out")["caption"]
    assert f"model log {'m' * 12} (A); B is b, model log {'n' * 12}." in caption
    assert {name: sheet["regions"][name] for name in ("both", "only_a", "only_b")} == {
        "both": 1, "only_a": 1, "only_b": 1,
    }  # fmt: skip
    assert sheet["regions"]["agreement"] == pytest.approx(1 / 3)
    assert (sheet["regions"]["not_searched_by_b"], sheet["regions"]["not_searched_by_a"]) == (1, 1)
    assert sheet["regions"]["share_of_a_in_b"]["of"] == 2
    assert {"a": "clear", "b": "absent", "inputs": 1} in sheet["inputs"]
    assert any("model.digest" in one for one in sheet["settings"])
    north = next(row for row in sheet["where"]["hemisphere"] if row["value"] == "north")
    assert (north["both"], north["only_a"], north["only_b"]) == (1, 1, 0)
    data = page_data(tmp_path / "out")
    assert data["columns"]["categories"]["side"]["codes"] == [0, 1, 3, 2]
    assert data["columns"]["orbit"] == [0, 1, 3, 1] and data["columns"]["other"][3]
    assert [one["stratum"] for one in data["queue"]].count("uncertain") == 3
    sides = sides_of(*(flown_of(one.outcomes(COLUMNS)).tables for one in (a, b)))
    assert sides.of_a.tolist() == [BOTH, ONLY_A, UNSEARCHED]
    assert sides.disagreeing == {"CSES_01_EFD_3_000020"}


def test_what_is_in_no_bin_is_counted_apart() -> None:
    tables = [pd.DataFrame({"km": values}) for values in ([1.0, 2.0, None], [5.0], [])]
    rows = CountedColumn("range", "km", edges=(0, 2, 4), unit="km").counts(tables)
    assert rows == [
        {"value": "0 to 2 km", "both": 1, "only_a": 0, "only_b": 0},
        {"value": "2 to 4 km", "both": 1, "only_a": 0, "only_b": 0},
        {"value": "unknown or outside", "both": 1, "only_a": 1, "only_b": 0},
    ]
    named = CountedColumn("layer", "km", values=("F",)).counts([pd.DataFrame({"km": ["F"]})] * 3)
    assert named == [{"value": "F", "both": 1, "only_a": 1, "only_b": 1}]


def test_queue_covers_every_searched_half_orbit(tmp_path: Path) -> None:
    """Each is in one stratum; the uncertain are the least sure; samples are random but the same."""
    tables = [outcome(n, region(n, confidence=0.5 + n / 100)) for n in range(1, 21)]
    tables += [outcome(n) for n in range(21, 61)] + [outcome(61, reason="empty")]
    flown = flown_of(campaign(tmp_path, tables).outcomes(COLUMNS)).tables
    differing = flown.inputs["identity"].iloc[[19, 30]].tolist()
    queue = review_queue(flown, disagreeing=differing, size=5, seed=1)
    assert {name: one["inputs"] for name, one in queue.population.items()} == {
        "uncertain": 5, "disagreement": 2, "detected": 14, "clear": 39,
    }  # fmt: skip
    assert sum(one["findings"] for one in queue.population.values()) == 20
    by = pd.Series(queue.inputs).groupby(queue.strata).agg(sorted)
    assert by["uncertain"] == [0, 1, 2, 3, 4] and by["disagreement"] == [19, 30]
    assert len(by["clear"]) == len(by["detected"]) == 5
    assert set(queue.strata[:4]) == set(by.index)  # by turns
    assert queue == review_queue(flown, disagreeing=differing, size=5, seed=1)
    assert queue.inputs != review_queue(flown, disagreeing=differing, size=5, seed=2).inputs


def test_world() -> None:
    """Miller's y at 45 degrees from Snyder's formula by hand; coastlines within the world."""
    # 1.25 ln tan 63 degrees = 0.842844; in degrees
    assert miller(45) == pytest.approx(48.2914, abs=1e-4)
    assert miller(-45) == pytest.approx(-miller(45)) and miller(0) == pytest.approx(0)
    assert len(coastlines()) > 100
    for line in coastlines():
        assert abs(line[:, 0]).max() <= 180 and abs(line[:, 1]).max() <= 90
        assert abs(line[1:, 0] - line[:-1, 0]).max() < 90  # no line across the map

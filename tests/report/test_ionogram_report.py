"""Reports on campaigns of ionograms, and their page in a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr
from typer.testing import CliRunner

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.campaign import Campaign, CampaignCard, open_campaign
from odm.catalog.ionogram.inputs import IONOGRAMS, key_columns, list_ionogram_inputs
from odm.catalog.outcomes import Input, outcome_table
from odm.cli import app
from odm.core.errors import InputError
from odm.images.ionogram import cell_borders
from odm.report import ReportOptions, write_report
from odm.report.ionogram.pictures import draw_ionogram
from odm.report.ionogram.report import link_category
from odm.report.shared.texts import fingerprint
from tests.ionogram_files import contents, write_npz
from tests.report.flights import campaign
from tests.report.test_report import MAX_EMBEDDED, QUICK, page_data

START = datetime(2021, 11, 1, 3)


def layer(
    one: Any, time: datetime, name: str, range_min: float, edge: bool = False, **more: Any
) -> dict[str, Any]:
    """A layer as the catalog has it; its edge begins 10 km above its box."""
    row = {
        "ionogram_id": one.identity, "link": "a-b", "time": time, "layer": name,
        "confidence": 0.8, "frequency_min": 6.5e6, "frequency_max": 9e6, "range_min": range_min,
        "range_max": range_min + 60, "range_convention": "backscatter", "flags": [],
        "source": one.source, "model": "m" * 64,
    }  # fmt: skip
    if edge:
        row |= {
            "edge_frequency": [7e6, 7.5e6, 8e6, 8.5e6],
            "edge_group_range": [range_min + more for more in (10.0, 15.0, 25.0, 40.0)],
            "edge_confidence": [0.9] * 4, "minimum_group_range": range_min + 10,
            "edge_frequency_max": 8.5e6,
        }  # fmt: skip
    return {**row, **more}


def ionogram_archive(folder: Path, number: int) -> Path:
    """Noise, half an hour apart: 6 to 9.9 MHz, 30 to 472 km."""
    archive = folder / "archive"
    archive.mkdir(parents=True)
    for index in range(number):
        time = START + timedelta(minutes=30 * index)
        write_npz(archive / f"a-b_{time:%Y%m%dT%H%M%S}.npz", contents(seed=index))
    return archive


def ionogram_campaign(folder: Path, number: int = 4) -> Campaign:
    """F in every ionogram, with an edge in the first three; Es in every other one without; one more
    in quarantine, and one more clear."""
    archive = ionogram_archive(folder, number + 2)
    card = CampaignCard("ionograms", str(archive), {"digest": "m" * 64, "architecture": "yolox"})
    opened = open_campaign(folder / "campaign", card)
    for index, one in enumerate(list_ionogram_inputs(str(archive)).inputs):
        time = START + timedelta(minutes=30 * index)
        facts = {"link": "a-b", "time": time, "range_convention": "backscatter"}
        found = [layer(one, time, "F", 200.0 + index, edge=index < 3, confidence=0.9)]
        if index % 2:
            found.append(layer(one, time, "Es", 60.0))
        reason = "truncated" if index == number else None
        opened.commit([
            outcome_table(IONOGRAMS, one, findings=found if index < number else [], facts=facts,
                          reason=reason)
        ])  # fmt: skip
    return opened


def test_report(tmp_path: Path) -> None:
    one = ionogram_campaign(tmp_path)
    written = write_report(one, str(tmp_path / "out"), None, ReportOptions())
    assert written.summary == "6 layers in 5 ionograms"
    upper = written.sheet["layers"]["F"]
    assert written.sheet["layers"]["Es"]["occurrence"]["share"] == pytest.approx(2 / 5)
    assert upper["by_hour"][3]["ionograms"] == 2
    assert (upper["edges"]["layers"], upper["edges"]["edges"]) == (4, 3)
    assert upper["edges"]["minimum_group_range"] == [210.5, 211, 211.5]  # boxes are left out
    assert upper["edges"]["by_hour"][4]["edges"] == 1
    assert written.sheet["layers"]["Es"]["edges"]["minimum_group_range"] is None
    for name in ("occurrence.png", "occurrence.pdf", "edges.png", "provenance.json"):
        assert (tmp_path / "out" / name).stat().st_size > 500
    edges = pd.read_csv(tmp_path / "out" / "edges.csv")
    assert edges["minimum_group_range"].tolist() == [210, 211, 60, 212, 203, 60]
    assert edges["has_edge"].tolist() == [True, True, False, True, False, False]
    origin = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert origin["dates"][1] == {"date": "2021-11-01/2021-11-01", "dateType": "Collected"}
    data, drawn = (page_data(tmp_path / "out", part) for part in ("data", "pictures"))
    assert data["notes"] == [
        "3 of 6 layers have no leading edge: their box stands in.",
        "1 of 6 ionograms are quarantined; see inputs.csv.",
    ]
    assert data["columns"]["categories"]["edge"]["codes"] == [0, 0, 1, 0, 1, 1]
    assert sorted(drawn["orbits"], key=int) == list("01235")  # the clear one is in the queue
    both = drawn["orbits"]["1"]
    assert both["x"] == [5.95e6, 9.95e6] and both["axes"]["x"]["label"] == "MHz"
    assert both["rows"] == [1, 2] and [len(line) for line in both["lines"]] == [8, 0]
    left, top = both["lines"][0][:2]
    assert left == pytest.approx((7e6 - 5.95e6) / 4e6 * 1000, abs=1)
    low, high = both["y"]
    assert high - top / 1000 * (high - low) == pytest.approx(211, abs=0.5)
    assert both["shapes"][0][0] == pytest.approx((6.5e6 - 5.95e6) / 4e6 * 1000, abs=1)


def test_more_pictures_lie_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MAX_EMBEDDED, 1)
    one = ionogram_campaign(tmp_path)
    write_report(one, str(tmp_path / "out"), None, QUICK)
    drawn = page_data(tmp_path / "out", "pictures")["orbits"].values()
    beside = [facts["src"] for facts in drawn if not facts["src"].startswith("data:")]
    assert len(drawn) == 5 and len(beside) == 4
    for name in beside:
        assert (tmp_path / "out" / name).read_bytes()[:2] == b"\xff\xd8"


def test_many_links_share_a_box() -> None:
    """Those with the most layers by name; no row is without a box to tick."""
    links = pd.Series([f"link{n:02d}" for n in range(20)] + ["link19"] * 5)
    found = link_category(links)
    assert len(found["values"]) == 13 and found["values"][-1] == "other links"
    assert "link19" in found["values"] and min(found["codes"]) == 0


def other_campaign(folder: Path, archive: Path) -> Campaign:
    """Another model: the F of the first with an edge 5 km further, an Es more in the second."""
    card = CampaignCard("ionograms", str(archive), {"digest": "n" * 64, "architecture": "yolox"})
    opened = open_campaign(folder / "other", card)
    for index, one in enumerate(list_ionogram_inputs(str(archive)).inputs[:2]):
        time = START + timedelta(minutes=30 * index)
        found = [layer(one, time, "F", 205.0 + index, edge=True)]
        if index:
            found += [layer(one, time, "Es", 60.0), layer(one, time, "Es", 330.0)]
        opened.commit([outcome_table(IONOGRAMS, one, findings=found, facts={"time": time})])
    return opened


def test_comparison(tmp_path: Path) -> None:
    """Layers of both, of one; edges that moved; ionograms that the other has not searched."""
    one = ionogram_campaign(tmp_path)
    other = other_campaign(tmp_path, tmp_path / "archive")
    result = CliRunner().invoke(
        app, ["report", str(one.folder), "--out", str(tmp_path / "out"), "--against",
              str(other.folder)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "3 in both, 0 only here, 1 only there; agreement 0.750" in result.stdout
    sheet = json.loads((tmp_path / "out" / "report.json").read_text())["comparison"]
    assert sheet["layers"]["not_searched_by_b"] == 3
    assert sheet["layers"]["with_edges_in_both"] == 2
    assert sheet["layers"]["minimum_group_range_b_less_a"] == [5, 5, 5]
    by_layer = {row["value"]: row for row in sheet["where"]["layer"]}
    assert by_layer["Es"] == {"value": "Es", "both": 1, "only_a": 0, "only_b": 1}
    assert sum(row["both"] for row in sheet["where"]["hour"]) == 3
    assert (tmp_path / "out" / "comparison.pdf").read_bytes().startswith(b"%PDF")
    origin = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert origin["odm"]["joined"] == {"against": fingerprint(other.outcomes())}
    data, drawn = (page_data(tmp_path / "out", part) for part in ("data", "pictures"))
    assert data["columns"]["categories"]["side"]["codes"] == [0, 0, 0, 3, 3, 3, 2]
    assert data["columns"]["ids"][-1].endswith("_03") and drawn["orbits"]["1"]["rows"] == [1, 2, 6]
    with pytest.raises(InputError, match="only two of one kind can be compared"):
        write_report(one, str(tmp_path / "out"), campaign(tmp_path / "o", []), QUICK)


def test_without_archive(tmp_path: Path) -> None:
    one = ionogram_campaign(tmp_path)
    shutil.rmtree(tmp_path / "archive")
    written = write_report(one, str(tmp_path / "out"), None, QUICK)
    assert "was not there" in written.notes[-1]
    assert page_data(tmp_path / "out", "pictures") == {"regions": {}, "orbits": {}}


def bare_campaign(folder: Path, names: Sequence[str], **more: Any) -> Campaign:
    """Ionograms of these names, without files; F in each unless ``more`` says otherwise."""
    card = CampaignCard("ionograms", "/nowhere", {"digest": "m" * 64, "architecture": "yolox"})
    opened = open_campaign(folder, card)
    for name in names:
        key = IonogramKey.parse(name)
        one = Input(key.identity, key.name, f"/nowhere/{name}", name, 9, 5, key_columns(key))
        facts = {"link": key.link, "time": key.time, "range_convention": "backscatter"}
        found = [layer(one, key.time, "F", 200.0, link=key.link)]
        given = more or {"findings": found, "facts": facts}
        opened.commit([outcome_table(IONOGRAMS, one, **given)])
    return opened


@pytest.mark.parametrize(
    ("names", "more", "note"),
    [
        ([], {}, "no outcome yet"),
        (["a-b_20211101T030000.npz", "one.npz"], {"reason": "empty"}, "All 2 ionograms"),
        (["a-b_20211101T030000.npz"], {"findings": []}, "Nothing was found in the ionograms"),
        (["one.npz", "two.npz"], {}, "2 ionograms have no time"),
    ],
)
def test_says_what_is_missing(
    tmp_path: Path, names: list[str], more: dict[str, Any], note: str
) -> None:
    """Nothing breaks, figures and a comparison included, and the page says it."""
    one = bare_campaign(tmp_path / "campaign", names, **more)
    full = bare_campaign(tmp_path / "other", ["a-b_20211101T030000.npz"])
    for number, against in enumerate((None, one, full)):
        out = tmp_path / f"out{number}"
        options = ReportOptions() if against is one else QUICK
        written = write_report(one, str(out), against, options)
        assert any(note in line for line in written.notes), written.notes
        assert written.notes == page_data(out)["notes"]
    for name in ("occurrence", "edges", "comparison"):
        assert (tmp_path / "out1" / f"{name}.pdf").stat().st_size > 500
    sheet = write_report(full, str(tmp_path / "out3"), one, QUICK).sheet["comparison"]
    assert sheet["layers"]["both"] == 0


def test_names_that_say_nothing(tmp_path: Path) -> None:
    """Neither link nor time: a box to tick has a name, and no hour is invented."""
    written = write_report(
        bare_campaign(tmp_path / "campaign", ["one.npz"]), str(tmp_path / "out"), None, QUICK
    )
    columns = page_data(tmp_path / "out")["columns"]
    assert columns["categories"]["link"]["values"] == ["unknown"]
    assert columns["categories"]["link"]["codes"] == [0]
    assert columns["numbers"]["time"] == columns["numbers"]["hour"] == [None]
    assert written.sheet["first"] is None
    assert len(json.loads((tmp_path / "out" / "provenance.json").read_text())["dates"]) == 1


def test_occurrence_by_kp(tmp_path: Path) -> None:
    """Ionograms at 3:00 and half an hour further each; Kp rises at 4:30."""
    one = ionogram_campaign(tmp_path)
    (tmp_path / "kp.csv").write_text("time,kp\n2021-11-01T01:30,2\n2021-11-01T04:30,5\n")
    result = CliRunner().invoke(
        app, ["report", str(one.folder), "--out", str(tmp_path / "out"), "--kp",
              str(tmp_path / "kp.csv"), "--pictures", "0"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "out" / "occurrence.csv")
    found = table[(table["table"] == "by_kp") & (table["of"] > 0)]
    assert found[["layer", "value", "ionograms", "of"]].to_numpy().tolist() == [
        ["Es", "2 to 3", 1, 3], ["Es", "5 to 6", 1, 2],
        ["F", "2 to 3", 3, 3], ["F", "5 to 6", 1, 2],
    ]  # fmt: skip
    origin = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert len(origin["odm"]["joined"]["kp"]) == 64


def test_picture_on_uneven_axes() -> None:
    """An echo lies where its box is, though ranges have a gap and frequencies widening steps."""
    frequency = 2e6 * 1.05 ** np.arange(40)
    ranges = np.concatenate([30 + 7.5 * np.arange(20), 600 + 7.5 * np.arange(40)])
    snr = np.full((40, 60), -3.0, np.float32)
    snr[25:30, 40:45] = 25  # 750 to 780 km
    ionogram = xr.Dataset(
        {"snr": (("frequency", "group_range"), snr)},
        coords={"frequency": frequency, "group_range": ranges},
    )
    lower, upper = cell_borders(frequency)
    found = {"frequency_min": lower[25], "frequency_max": upper[29], "range_min": 746.25,
             "range_max": 783.75}  # fmt: skip
    crop = draw_ionogram(ionogram, {7: found})
    picture = cv2.imdecode(np.frombuffer(crop.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    height, width = picture.shape
    bright = np.argwhere(picture > 180)
    corners = np.array(crop.shapes[0]).reshape(4, 2) / 1000 * (width, height)
    assert bright.min(axis=0) == pytest.approx(corners.min(axis=0)[::-1], abs=1.5)
    assert bright.max(axis=0) + 1 == pytest.approx(corners.max(axis=0)[::-1], abs=1.5)
    # Nothing is drawn where nothing was measured: between 176.25 and 596.25 km.
    low, high = crop.box[2:]
    y = ((high - np.array([590, 180])) / (high - low) * height).astype(int)
    assert abs(picture[y[0] : y[1]].astype(int) - 150).max() < 12


def test_box_beyond_the_ionogram_ends_at_its_border(tmp_path: Path) -> None:
    one = open_ionogram(write_npz(tmp_path / "a.npz", contents()))
    found = {"frequency_min": 5e6, "frequency_max": 8e6, "range_min": 400.0, "range_max": 900.0}
    (shape,) = draw_ionogram(one, {0: found}).shapes
    left, bottom, right, _, _, top, _, _ = shape
    assert (left, top) == (0, 0)
    assert right == pytest.approx((8e6 - 5.95e6) / 4e6 * 1000, abs=1)
    assert bottom == pytest.approx((476.25 - 400) / 450 * 1000, abs=1)


def test_layers_up_to_the_band_edge_are_counted(tmp_path: Path) -> None:
    """The window of models ends at 30.05 MHz: a layer up to there is in a bin."""
    one = bare_campaign(tmp_path / "campaign", ["a-b_20211101T030000.npz"])
    rows = one.outcomes().to_pylist()
    rows[0]["findings"][0]["frequency_max"] = 30.05e6
    again = open_campaign(tmp_path / "again", one.card)
    again.commit([pa.Table.from_pylist(rows, schema=IONOGRAMS.schema)])
    sheet = write_report(again, str(tmp_path / "out"), again, QUICK).sheet
    rows = {row["value"]: row["both"] for row in sheet["comparison"]["where"]["highest_frequency"]}
    assert rows["30 to 33 MHz"] == 1 and sum(rows.values()) == 1

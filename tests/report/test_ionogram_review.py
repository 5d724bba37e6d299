"""Marks on ionograms: to LabelImg's boxes, which training takes, and to precision and recall."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.campaign import Campaign, open_campaign
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.cli import app
from odm.core.errors import InputError, OdmError
from odm.datasets.labels.layers import load_layer_labels, physical_boxes
from odm.images.ionogram import IonogramImageSettings
from odm.report import ReportOptions, import_review, read_marks, write_report
from odm.report.shared.texts import fingerprint
from tests.report.test_ionogram_report import ionogram_campaign, other_campaign
from tests.report.test_report import page_data

ALL_RIGHT = {0: ["right"], 1: ["right", "right"], 2: ["right"], 3: ["right", "right"]}


def exported(
    campaign: Campaign, marks: dict[int, list[str]], inputs: dict[int, dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """An export with marks by number of the ionogram, and of the layer in it."""
    rows = campaign.outcomes(["status", "findings"]).to_pylist()
    searched = [row for row in rows if row["status"] != "quarantined"]
    names = [row["identity"] for row in searched]
    return {
        "kind": "odm review", "version": 2, "campaign": "ionograms", "against": "", "model": "m",
        "fingerprint": fingerprint(campaign.outcomes()),
        "findings": [{"id": f"{names[number]}_{place + 1:02d}", "mark": mark}
                     for number, given in marks.items() for place, mark in enumerate(given)],
        "inputs": [{"identity": names[number], **facts} for number, facts in inputs.items()],
        "strata": {"uncertain": {"inputs": 4, "findings": 6},
                   "clear": {"inputs": 1, "findings": 0}},
        "queue": [{"identity": row["identity"],
                   "stratum": "uncertain" if row["findings"] else "clear"} for row in searched],
        **more,
    }  # fmt: skip


def test_import(tmp_path: Path) -> None:
    """Right, wrong, drawn, nothing at all, and left open; training takes what comes out."""
    campaign = ionogram_campaign(tmp_path)
    content = exported(
        campaign,
        {0: ["right"], 1: ["right", "wrong"], 2: ["right"], 3: ["right"]},
        {
            0: {"mark": "nothing missed"},
            1: {"mark": "something missed", "boxes": [[7e6, 8e6, 100.0, 160.0, "Es"],
                                                      [20e6, 21e6, 100.0, 160.0, "Es"],
                                                      [7e6, 8e6, 100.0, 160.0, "<E>"]]},
            2: {"mark": "something missed"},  # what, is not said
            3: {"mark": "nothing missed"},  # its Es is not judged
            4: {"mark": "nothing missed"},
        },
    )  # fmt: skip
    path, out = tmp_path / "marks.json", tmp_path / "labels"
    path.write_text(json.dumps(content))
    command = ["review", "import", str(campaign.folder), str(path), "--out", str(out)]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["annotated"], report["objects"], report["open"]) == (3, 3, 2)
    assert len(report["problems"]) == 2 and "no Es or F" in report["problems"][1]
    # Of 6 layers 5 are judged, 4 of them right; the sixth is taken as they are.
    assert report["estimate"]["precision"]["value"] == pytest.approx(4 / 5)
    rows = sorted((tmp_path / "archive").iterdir())
    labels = load_layer_labels(out)
    assert labels.source == "voc" and sorted(labels.images) == [rows[n].stem for n in (0, 1, 5)]
    boxes = {
        row.stem: physical_boxes(labels.images[row.stem], open_ionogram(row),
                                 IonogramImageSettings())
        for row in (rows[0], rows[1], rows[5])
    }  # fmt: skip
    assert boxes[rows[5].stem] == []
    (name, *edges), drawn = boxes[rows[1].stem]
    assert name == "F" and drawn[0] == "Es"
    assert edges[:2] == pytest.approx((6.5e6, 9e6), abs=0.1e6)
    assert edges[2:] == pytest.approx((201, 261), abs=7.5)
    assert drawn[1:3] == pytest.approx((7e6, 8e6), abs=0.1e6)
    assert drawn[3:] == pytest.approx((100, 160), abs=7.5)
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, InputError) and "--overwrite" in str(again.exception)
    again = CliRunner().invoke(app, [*command, "--overwrite"])
    assert again.exit_code == 0 and "3 ionograms annotated, 3 objects" in again.stdout
    made = CliRunner().invoke(
        app, ["dataset", "ionograms", str(tmp_path / "archive"), "--annotations", str(out), "--out",
              str(tmp_path / "dataset.yaml"), "--by", "whole", "--part", "train", "--json"],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["labelled"] == 3


def drawn_and_read(tmp_path: Path, boxes: list[list[Any]]) -> list[Any]:
    """Boxes drawn in the clear ionogram of a campaign, as its labels give them back."""
    campaign = ionogram_campaign(tmp_path)
    content = exported(campaign, {}, {4: {"mark": "something missed", "boxes": boxes}})
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    import_review(campaign, read_marks(path), str(tmp_path / "labels"))
    labels = load_layer_labels(tmp_path / "labels")
    (stem,) = labels.images
    opened = open_ionogram(tmp_path / "archive" / f"{stem}.npz")
    return list(physical_boxes(labels.images[stem], opened, IonogramImageSettings()))


def test_boxes_at_the_borders(tmp_path: Path) -> None:
    """A box that reaches beyond the ionogram ends at its borders, and is read back so."""
    (box,) = drawn_and_read(tmp_path, [[0, 7e6, 400.0, 900.0, "F"]])
    assert box[1] == 5.95e6 and box[4] == pytest.approx(30 + 59.5 * 7.5)


def test_other_layers(tmp_path: Path) -> None:
    """A detector may tell F1 from F2: both are drawn, counted and brought back by name."""
    plain = ionogram_campaign(tmp_path)
    rows = plain.outcomes().to_pylist()
    for row in rows:
        for finding in row["findings"]:
            finding["layer"] = "F2" if finding["layer"] == "F" else "F1"
    card = replace(plain.card, settings={"classes": ["F1", "F2", "Es"]})
    campaign = open_campaign(tmp_path / "other", card)
    campaign.commit([pa.Table.from_pylist(rows, schema=IONOGRAMS.schema)])
    sheet = write_report(campaign, str(tmp_path / "out"), None, ReportOptions(pictures=0)).sheet
    found = {name: facts["occurrence"]["ionograms"] for name, facts in sheet["layers"].items()}
    assert found == {"F1": 2, "F2": 4, "Es": 0}
    data = page_data(tmp_path / "out")
    assert data["layers"] == ["F1", "F2", "Es"]
    assert data["columns"]["categories"]["layer"]["codes"] == [1, 1, 0, 1, 1, 0]
    drawn = {"mark": "something missed", "boxes": [[7e6, 8e6, 100.0, 160.0, "F1"]]}
    content = exported(campaign, ALL_RIGHT, {1: {"mark": "nothing missed"}, 4: drawn})
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    report = import_review(campaign, read_marks(path), str(tmp_path / "labels"))
    assert (report.annotated, report.objects, report.problems) == (2, 3, [])
    labels = load_layer_labels(tmp_path / "labels", ("Es", "F1", "F2"))
    assert sorted(one.layers for one in labels.images.values()) == [("F1",), ("F2", "F1")]


def test_boxes_keep_their_cells(tmp_path: Path) -> None:
    """Every drawn cell is read back as that cell, the second ones too, which LabelImg's rule for
    borders would widen."""
    cells = [(0, 1, 58, 59), (1, 3, 57, 59), (38, 40, 0, 2), (39, 40, 59, 60)]
    drawn = [
        [5.95e6 + 1e5 * left, 5.95e6 + 1e5 * right, 26.25 + 7.5 * low, 26.25 + 7.5 * high, "F"]
        for left, right, low, high in cells
    ]
    found = drawn_and_read(tmp_path, drawn)
    assert [list(box[1:]) for box in found] == [pytest.approx(box[:4]) for box in drawn]


def test_beside_another_campaign(tmp_path: Path) -> None:
    """What only the other found counts once it is marked; its marks need it, and no other."""
    campaign = ionogram_campaign(tmp_path)
    other = other_campaign(tmp_path, tmp_path / "archive")
    rows = campaign.outcomes(["findings"]).to_pylist()
    only_b = {"id": f"b:{rows[1]['identity']}_03", "mark": "right"}
    content = exported(
        campaign, ALL_RIGHT, {n: {"mark": "nothing missed"} for n in range(5)},
        against=fingerprint(other.outcomes()),
    )  # fmt: skip
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    left_open = import_review(campaign, read_marks(path), str(tmp_path / "a"), against=other)
    assert (left_open.annotated, left_open.open) == (4, 1)
    path.write_text(json.dumps({**content, "findings": [*content["findings"], only_b]}))
    marks = read_marks(path)
    report = import_review(campaign, marks, str(tmp_path / "b"), against=other)
    assert (report.annotated, report.objects, report.open) == (5, 7, 0)
    assert report.estimate["recall"]["value"] == pytest.approx(6 / 7)
    with pytest.raises(InputError, match="give the other with --against"):
        import_review(campaign, marks, None)
    with pytest.raises(InputError, match="not made beside these"):
        import_review(campaign, marks, None, against=campaign)
    path.write_text(json.dumps({**content, "against": ""}))
    with pytest.raises(InputError, match="leave --against out"):
        import_review(campaign, read_marks(path), None, against=other)
    path.write_text(json.dumps({**content, "campaign": "orbits"}))
    with pytest.raises(InputError, match=r"of orbits, and .* of ionograms"):
        import_review(campaign, read_marks(path), None)


def test_nothing_to_annotate(tmp_path: Path) -> None:
    campaign = ionogram_campaign(tmp_path)
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(exported(campaign, {}, {0: {"mark": "nothing missed"}})))
    with pytest.raises(
        OdmError, match="no ionogram can be annotated, since none is marked in full"
    ):
        import_review(campaign, read_marks(path), str(tmp_path / "labels"))
    path.write_text(json.dumps(exported(campaign, ALL_RIGHT, {0: {"mark": "nothing missed"}})))
    with pytest.raises(InputError, match=r"gone: the archive is not there; give --archive"):
        import_review(
            campaign, read_marks(path), str(tmp_path / "labels"), archive=str(tmp_path / "gone")
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(OdmError, match=r"can be annotated: .*empty"):
        import_review(
            campaign, read_marks(path), str(tmp_path / "labels"), archive=str(tmp_path / "empty")
        )
    assert not (tmp_path / "labels").exists()
    words = import_review(campaign, read_marks(path), None).estimate["recall"]["why"]
    assert words == "no ionogram was reviewed among the clear ionograms"

"""Marks: from an export to annotations, and to precision and recall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from odm.catalog.campaign import Campaign
from odm.cli import app
from odm.core.errors import InputError, OdmError
from odm.datasets.labels.regions import load_region_labels
from odm.report import import_review, read_marks
from odm.report.review.importing import Stratum, estimate
from odm.report.shared.texts import fingerprint
from tests.datasets.drawn import digest
from tests.report.flights import real_campaign


def test_all_reviewed_is_exact() -> None:
    """Nothing is left to estimate: the interval is a point."""
    answer = estimate({"detected": Stratum(4, 5, 3, 2, 4, [1]), "clear": Stratum(6, 0, 0, 0, 6)})
    assert answer["precision"]["value"] == pytest.approx(3 / 5)
    assert answer["precision"]["interval"] == pytest.approx((3 / 5, 3 / 5))
    assert answer["recall"]["value"] == pytest.approx(3 / 4)
    assert answer["recall"]["interval"] == pytest.approx((3 / 4, 3 / 4))


def test_strata_count_by_their_size() -> None:
    """Half of the few uncertain are wrong, none of the many others: precision is near 1."""
    answer = estimate({
        "uncertain": Stratum(10, 10, 5, 5, 10),
        "detected": Stratum(990, 990, 20, 0, 20),
        "clear": Stratum(9000, 0, 0, 0, 30, [2]),
    })  # fmt: skip
    assert answer["precision"]["value"] == pytest.approx(995 / 1000)
    # 2 missed in one of 30: 600 in 9000, beside 995 that are right.
    assert answer["recall"]["value"] == pytest.approx(995 / (995 + 2 + 8970 / 30 * 2))
    low, high = answer["recall"]["interval"]
    assert low < answer["recall"]["value"] < high


def test_nothing_missed_in_few_leaves_recall_open() -> None:
    few = estimate({"detected": Stratum(100, 100, 20, 0, 20), "clear": Stratum(900, 0, 0, 0, 10)})
    many = estimate({"detected": Stratum(100, 100, 20, 0, 20), "clear": Stratum(900, 0, 0, 0, 300)})
    assert few["recall"]["value"] == many["recall"]["value"] == 1
    assert few["recall"]["interval"][0] < 0.6 < 0.85 < many["recall"]["interval"][0]


def test_intervals_cover() -> None:
    """At least nine in ten reviews of a known campaign have intervals that hold the truth."""
    rng = np.random.default_rng(0)
    truly_right = np.arange(400) < 320  # precision 0.8
    truly_missed = np.arange(2000) < 100  # recall 320 / 420
    hits = np.zeros(2)
    for seed in range(60):
        seen, looked = rng.permutation(400)[:40], rng.permutation(2000)[:60]
        right, missed = int(truly_right[seen].sum()), int(truly_missed[looked].sum())
        answer = estimate(
            {
                "detected": Stratum(400, 400, right, 40 - right, 40),
                "clear": Stratum(2000, 0, 0, 0, 60, [1] * missed),
            },
            seed=seed,
        )
        for place, (name, true) in enumerate((("precision", 0.8), ("recall", 320 / 420))):
            low, high = answer[name]["interval"]
            hits[place] += low <= true <= high
    assert (hits >= 54).all(), hits


def test_without_clear_ones_recall_is_unknown() -> None:
    answer = estimate({"detected": Stratum(10, 10, 5, 0, 5), "clear": Stratum(90, 0)})
    assert answer["recall"]["value"] is None
    assert "clear" in answer["recall"]["why"]
    assert answer["precision"]["value"] == 1


def test_all_or_nothing_lies_in_its_interval() -> None:
    """A few of very many, all wrong or none missed: the share may be 0, or 1, as far as one knows.

    Without more, 95 % of the draws leave both ends out.
    """
    wrong = estimate({"detected": Stratum(100_000, 100_000, 0, 20, 20)})["precision"]
    assert wrong["value"] == 0 == wrong["interval"][0] and 0.05 < wrong["interval"][1] < 0.2
    none = estimate({
        "detected": Stratum(10, 10, 10, 0, 10), "clear": Stratum(90_000, 0, 0, 0, 30),
    })["recall"]  # fmt: skip
    assert none["value"] == 1 == none["interval"][1] and none["interval"][0] < 0.01


def exported(campaign: Campaign, **more: Any) -> dict[str, Any]:
    """An export in which every half-orbit of `real_campaign` is in the queue."""
    rows = campaign.outcomes(["findings"]).to_pylist()
    found = [row["identity"] for row in rows if row["findings"]]
    return {
        "kind": "odm review", "version": 2, "campaign": "orbits", "against": "", "model": "m",
        "fingerprint": fingerprint(campaign.outcomes()), "findings": [], "inputs": [],
        "strata": {"uncertain": {"inputs": len(found), "findings": len(found)},
                   "clear": {"inputs": len(rows) - len(found), "findings": 0}},
        "queue": [{"identity": row["identity"],
                   "stratum": "uncertain" if row["findings"] else "clear"} for row in rows],
        **more,
    }  # fmt: skip


def test_import(tmp_path: Path) -> None:
    """Right and wrong, missed and drawn, missed and not drawn, and left open."""
    campaign = real_campaign(tmp_path)
    rows = campaign.outcomes(["findings", "name"]).to_pylist()
    detected = [row for row in rows if row["findings"]]
    clear = [row for row in rows if not row["findings"]]
    start = rows[1]["name"]
    first = detected[0]["findings"][0]
    seconds = first["time_start"].value / 1e9
    box = [seconds, seconds + 20, 10_000, 12_000]
    marks = [
        ("right", "nothing missed"),
        ("wrong", "nothing missed"),
        ("right", "something missed"),
    ]
    content = exported(
        campaign,
        findings=[{"id": row["findings"][0]["region_id"], "mark": mark}
                 for row, (mark, _) in zip(detected, marks, strict=True)],
        inputs=[
            {"identity": detected[0]["identity"], "mark": "nothing missed", "boxes": [box]},
            {"identity": detected[1]["identity"], "mark": "nothing missed"},
            {"identity": detected[2]["identity"], "mark": "something missed"},
            {"identity": clear[0]["identity"], "mark": "nothing missed", "note": "dull"},
        ],
    )  # fmt: skip
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    out = tmp_path / "reviewed"
    result = CliRunner().invoke(
        app, ["review", "import", str(campaign.folder), str(path), "--out", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["marked"] == {"right": 2, "wrong": 1, "unsure": 0}
    assert (report["annotated"], report["open"], report["objects"]) == (3, 1, 2)
    assert report["estimate"]["precision"]["value"] == pytest.approx(2 / 3)
    # Of four looked at, two had one missed; two clear ones were not looked at.
    assert report["estimate"]["recall"]["value"] == pytest.approx(2 / 4)
    annotations = load_region_labels(out)
    assert annotations.source == "review" and digest(annotations) == report["digest"]
    masks = {image.key.name: image.mask() for image in annotations.images.values()}
    assert set(masks) == {detected[0]["name"], detected[1]["name"], clear[0]["name"]}
    assert masks[start].sum() == 0 and masks[detected[1]["name"]].sum() == 0
    drawn = masks[detected[0]["name"]]
    assert drawn.shape == (1024, 96)
    boxed = 10 * 82  # 20 s by 2 kHz
    assert drawn.sum() == pytest.approx(first["area_pixels"] + boxed, rel=0.05)


def test_what_lies_outside_is_said(tmp_path: Path) -> None:
    """A box at a time when nothing was measured cannot be drawn, and is not lost silently."""
    campaign = real_campaign(tmp_path, 2)
    clear = next(row for row in campaign.outcomes(["findings", "source"]).to_pylist()
                 if not row["findings"])  # fmt: skip
    drawn = {"mark": "something missed", "boxes": [[0, 20, 10_000, 12_000]]}
    path = tmp_path / "marks.json"
    path.write_text(
        json.dumps(exported(campaign, inputs=[{"identity": clear["identity"], **drawn}]))
    )
    report = import_review(campaign, read_marks(path), str(tmp_path / "out"))
    assert (report.annotated, report.objects) == (1, 0)
    assert report.problems == [f"{clear['source']}: a region that lies outside of it is left out"]


def test_marks_of_other_outcomes(tmp_path: Path) -> None:
    campaign = real_campaign(tmp_path, 2)
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(exported(campaign, fingerprint="0" * 64)))
    with pytest.raises(InputError, match="other outcomes"):
        import_review(campaign, read_marks(path), None)
    path.write_text(json.dumps(exported(campaign)))
    with pytest.raises(OdmError, match="none is marked in full"):
        import_review(campaign, read_marks(path), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [{"kind": "x"}, {"version": 1}, {"findings": 3}, {"strata": []},
     {"findings": [{"id": "a", "mark": "<b>"}]},
     {"inputs": [{"identity": "a", "boxes": [[1, 2]]}]},
     {"inputs": [{"identity": "a", "boxes": [[2, 1, 3, 4]]}]},
     {"inputs": [{"identity": "a", "boxes": [["NaN", 1, 3, 4]]}]}],
)  # fmt: skip
def test_no_marks(tmp_path: Path, change: dict[str, Any]) -> None:
    content = {"kind": "odm review", "version": 2, "campaign": "orbits", "fingerprint": "f",
               "against": "", "findings": [], "inputs": [], "queue": [], "strata": {}}  # fmt: skip
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    assert read_marks(path).findings == {}
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(InputError, match="no export of marks"):
        read_marks(path)
    path.write_text("not JSON")
    with pytest.raises(InputError, match="no export of marks"):
        read_marks(path)

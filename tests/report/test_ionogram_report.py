"""Reports on campaigns of ionograms, and their page in a browser."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from odm.archive.errors import InputError
from odm.catalog.campaign import Campaign, CampaignCard, open_campaign
from odm.catalog.ionogram_kind import IONOGRAMS, list_ionogram_inputs
from odm.catalog.outcomes import outcome_table
from odm.report.ionogram_report import write_ionogram_report
from odm.report.report_options import ReportOptions
from tests.ionogram_files import contents, write_npz
from tests.report.test_report import page_data

START = datetime(2021, 11, 1, 3)


def layer(one: Any, time: datetime, name: str, range_min: float) -> dict[str, Any]:
    """A layer as the catalog has it."""
    return {
        "ionogram_id": one.identity, "link": "a-b", "time": time, "layer": name,
        "confidence": 0.8, "frequency_min": 6e6, "frequency_max": 12e6, "range_min": range_min,
        "range_max": range_min + 300, "range_convention": "backscatter", "flags": [],
        "source": one.source, "model": "m" * 64,
    }  # fmt: skip


def ionogram_campaign(folder: Path, number: int = 4) -> Campaign:
    """F in every ionogram, Es in every other one, one more in quarantine."""
    archive = folder / "archive"
    archive.mkdir(parents=True)
    for index in range(number + 1):
        time = START + timedelta(minutes=30 * index)
        write_npz(archive / f"a-b_{time:%Y%m%dT%H%M%S}.npz", contents(seed=index))
    card = CampaignCard("ionograms", str(archive), {"digest": "m" * 64, "architecture": "yolox"})
    opened = open_campaign(folder / "campaign", card)
    for index, one in enumerate(list_ionogram_inputs(str(archive)).inputs):
        time = START + timedelta(minutes=30 * index)
        facts = {"link": "a-b", "time": time, "range_convention": "backscatter"}
        found = [layer(one, time, "F", 900.0 + index)]
        if index % 2:
            found.append(layer(one, time, "Es", 500.0))
        reason = "truncated" if index == number else None
        opened.commit([
            outcome_table(IONOGRAMS, one, findings=[] if reason else found, facts=facts,
                          reason=reason)
        ])  # fmt: skip
    return opened


def test_report(tmp_path: Path) -> None:
    one = ionogram_campaign(tmp_path)
    written = write_ionogram_report(one, str(tmp_path / "out"), None, ReportOptions())
    assert written.summary == "6 layers in 4 ionograms"
    assert written.sheet["layers"]["Es"]["occurrence"]["share"] == pytest.approx(0.5)
    assert written.sheet["layers"]["F"]["by_hour"][3]["ionograms"] == 2
    for name in ("occurrence.png", "occurrence.pdf", "edges.png", "provenance.json"):
        assert (tmp_path / "out" / name).stat().st_size > 500
    edges = pd.read_csv(tmp_path / "out" / "edges.csv")
    assert edges["minimum_group_range"].tolist() == [900, 901, 500, 902, 903, 500]
    data, drawn = (page_data(tmp_path / "out", part) for part in ("data", "pictures"))
    assert data["notes"] == ["1 of 5 ionograms are quarantined; see inputs.csv."]
    assert sorted(drawn["regions"], key=int) == list("012345")
    box = drawn["regions"]["0"]
    assert box["x"][0] <= 6e6 and box["axes"]["x"]["label"] == "MHz"


def test_empty_and_compared(tmp_path: Path) -> None:
    card = CampaignCard("ionograms", "/nowhere", {"digest": "m" * 64, "architecture": "yolox"})
    one = open_campaign(tmp_path / "campaign", card)
    written = write_ionogram_report(one, str(tmp_path / "out"), None, ReportOptions())
    assert "no outcome yet" in written.notes[0]
    with pytest.raises(InputError, match="odm diff"):
        write_ionogram_report(one, str(tmp_path / "out"), one, ReportOptions())

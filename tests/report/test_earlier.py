"""A report written over an older one: what is no longer of it goes, what is a user's stays."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from odm.report import ReportOptions, write_report
from tests.report.flights import campaign, real_campaign
from tests.report.test_ionogram_report import ionogram_campaign, other_campaign
from tests.report.test_report import MAX_EMBEDDED

QUICK = ReportOptions(figures=False, resamples=20, queue_size=4)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_ionograms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison and pictures beside the page leave with the report that they are of."""
    one, out = ionogram_campaign(tmp_path), tmp_path / "out"
    other = other_campaign(tmp_path, tmp_path / "archive")
    with monkeypatch.context() as changed:
        changed.setattr(MAX_EMBEDDED, 1)
        write_report(one, str(out), other, replace(QUICK, figures=True))
    assert {"comparison.png", "comparison.pdf"} < names(out)
    assert len(list((out / "pictures").iterdir())) == 4
    users = {"comparison.txt", "my.png", "pictures/own.jpg", "pictures/999999.jpg"}
    for name in users:
        (out / name).write_bytes(b"mine")
    written = write_report(one, str(out), None, replace(QUICK, figures=True))
    assert names(out) == {*written.files, *users}
    assert written.notes[-1] == "files of an earlier report that were removed: 6"
    for name in users - {"my.png"}:
        (out / name).unlink()
    with monkeypatch.context() as changed:
        changed.setattr(MAX_EMBEDDED, 1)
        again = write_report(one, str(out), None, QUICK)
    kept = {f"pictures/{path.name}" for path in (out / "pictures").iterdir()}
    assert len(kept) == 4 and names(out) == {*again.files, *kept, "my.png"}
    write_report(one, str(out), None, QUICK)
    assert not (out / "pictures").exists()


def test_half_orbits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a campaign of another kind was reported before."""
    out = tmp_path / "out"
    write_report(ionogram_campaign(tmp_path), str(out), None, QUICK)
    assert (out / "edges.csv").is_file()
    (tmp_path / "orbits").mkdir()
    one = real_campaign(tmp_path / "orbits", 4)
    with monkeypatch.context() as changed:
        changed.setattr(MAX_EMBEDDED, 1)
        written = write_report(one, str(out), options=QUICK)
    (picture,) = (out / "pictures").iterdir()
    assert names(out) == {*written.files, f"pictures/{picture.name}"}
    again = write_report(one, str(out), options=QUICK)
    assert names(out) == set(again.files)
    assert not any("removed" in note for note in write_report(one, str(out), options=QUICK).notes)


def test_what_is_not_known_to_be_ours_stays(tmp_path: Path) -> None:
    """A user's file under a name of ours, names that lead elsewhere, and a broken list."""
    out, one = tmp_path / "out", campaign(tmp_path / "campaign", [])
    write_report(one, str(out), options=QUICK)
    origin = json.loads((out / "provenance.json").read_text())
    origin["odm"]["files"] += ["../own.csv", "comparison.png", "comparison.pdf", "my notes.csv", 7]
    (tmp_path / "own.csv").write_text("mine")
    (out / "my notes.csv").write_text("mine")
    (out / "comparison.png").write_text("ours")
    finished = (out / "provenance.json").stat().st_mtime
    (out / "provenance.json").write_text(json.dumps(origin))
    assert write_report(one, str(out), options=QUICK).notes[1:] == []  # no list of names
    assert (out / "comparison.png").read_text() == "ours"
    origin["odm"]["files"].pop()
    (out / "provenance.json").write_text(json.dumps(origin))
    (out / "comparison.pdf").write_text("mine, drawn after the report")
    os.utime(out / "provenance.json", (finished, finished))
    os.utime(out / "comparison.png", (finished - 1, finished - 1))
    os.utime(out / "comparison.pdf", (finished + 60, finished + 60))
    written = write_report(one, str(out), options=QUICK)
    assert written.notes[-1].endswith("removed: 1")
    assert names(out) == {*written.files, "my notes.csv", "comparison.pdf"}
    assert (tmp_path / "own.csv").read_text() == "mine"

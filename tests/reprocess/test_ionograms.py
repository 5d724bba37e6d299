"""Campaigns of ionograms, from the archive to the scores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.selection import Selection
from odm.core.errors import InputError
from odm.models.shipped import SHIPPED, shipped_model
from tests.catalog.rows import same
from tests.real import real_file
from tests.reprocess import small_ionograms as small
from tests.test_cli import fails, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with three bad files, and a campaign that is done with it."""
    tmp = tmp_path_factory.mktemp("ionograms")
    small.write_archive(tmp / "archive")
    small.write_model(tmp / "model", tmp / "archive")
    small.run(tmp)
    return tmp


def test_every_ionogram_has_one_outcome_and_every_bad_file_its_reason(done: Path) -> None:
    table = load_campaign(done / "campaign").outcomes()
    assert table.schema.equals(IONOGRAMS.schema)
    rows = {row["name"]: row for row in table.to_pylist()}
    assert len(rows) == 12
    bad = {name: row["reason"] for name, row in rows.items() if row["status"] == "quarantined"}
    assert set(bad) == set(small.BAD)
    assert all(says in bad[name] for name, says in small.BAD.items())
    good = [row for row in rows.values() if row["status"] != "quarantined"]
    assert {row["status"] for row in good} == {"detected", "clear"}
    first = rows["TEST_20220815_000000.npz"]
    assert first["identity"] == "TEST_20220815_000000"
    assert (first["link"], first["range_convention"]) == ("TEST", "backscatter")
    assert first["time"] == first["key_time"] == datetime(2022, 8, 15, tzinfo=UTC)
    assert (first["frequency_min"], first["frequency_max"]) == (6e6, 30e6)
    for row in good:
        scores = [layer["confidence"] for layer in row["findings"]]
        assert scores == sorted(scores, reverse=True)
        for layer in row["findings"]:
            assert layer["layer"] in ("Es", "F") and layer["confidence"] >= 0.6
            assert 5.9e6 <= layer["frequency_min"] < layer["frequency_max"] <= 30.1e6
            assert 0 <= layer["range_min"] < layer["range_max"] <= 5000
            assert layer["ionogram_id"] == row["identity"] and layer["source"] == row["source"]


def test_every_column_says_its_units() -> None:
    for one in (*IONOGRAMS.schema, *IONOGRAMS.finding):
        assert one.metadata[b"units"] and one.metadata[b"description"], one.name
    units = {one.name: one.metadata[b"units"].decode() for one in IONOGRAMS.finding}
    assert (units["frequency_min"], units["range_max"], units["time"]) == ("Hz", "km", "UTC")


def test_killed_and_resumed_it_gives_the_same_catalog(done: Path) -> None:
    command = [sys.executable, "-m", "tests.reprocess.small_ionograms", str(done), "killed"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    parts = done / "killed" / "outcomes"
    while process.poll() is None:
        if parts.is_dir() and len(list(parts.glob("part-*"))) >= 4:
            process.kill()
        time.sleep(0.005)
    process.wait()
    killed, clean = load_campaign(done / "killed"), load_campaign(done / "campaign")
    committed = killed.outcomes().num_rows
    assert 4 <= committed < 12
    summary = small.run(done, "killed", model={"batch": 3})
    assert (summary.done, summary.pending) == (12 - committed, 0)
    assert same(killed.outcomes(), clean.outcomes())
    assert compare(killed, clean).equal


def test_reading_processes_import_no_torch() -> None:
    code = "import sys, odm.reprocess.ionogram, odm.reprocess.runners.readers; "
    code += "print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr


def test_what_may_differ_and_what_may_not(done: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"settings\.boxes\.threshold is 0\.6 there and 0\.7"):
        small.order(done, findings={"threshold": 0.7})
    other = small.write_model(tmp_path / "model", done / "archive", seed=1)
    with pytest.raises(InputError, match=r"model\.digest is .* there and .* here"):
        small.order(done, model={"folder": other})
    with pytest.raises(InputError, match="threshold 3"):
        small.order(done, findings={"threshold": 3})
    assert small.run(done, model={"batch": 1}).done == 0  # decides nothing
    if not (ROOT / "odm" / "models" / "shipped" / SHIPPED["detector"]).is_dir():
        with pytest.raises(InputError, match="carries no detector: name a model folder"):
            shipped_model("detector")


def test_selected_by_the_time_in_the_name_mended_and_done_again(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "archive", tmp_path / "archive")
    shutil.copytree(done / "model", tmp_path / "model")
    archive = tmp_path / "archive"
    (archive / "night").mkdir()
    shutil.copy(archive / "TEST_20220815_000000.npz", archive / "night" / "first.npz")
    selection = Selection(since=datetime(2022, 8, 15, 1), until=datetime(2022, 8, 16, 0, 10))
    some = small.run(tmp_path, selection=selection)
    assert (some.chosen, some.counts["quarantined"]) == (6, 1)
    assert any("1 ionograms are left out" in note for note in some.notes)
    cut = next(iter(small.BAD))
    shutil.copy(archive / "TEST_20220815_000000.npz", archive / cut)
    mended = small.run(tmp_path, selection=Selection(retry_quarantined=True))
    assert (mended.done, mended.pending, mended.counts["quarantined"]) == (8, 0, 2)
    rows = load_campaign(tmp_path / "campaign").outcomes().to_pylist()
    by_name = {row["source"]: row for row in rows}
    assert (by_name[cut]["generation"], by_name[cut]["reason"]) == (1, "")
    undated = by_name["night/first.npz"]
    assert undated["identity"] == "night/first.npz" and undated["key_time"] is None
    assert undated["time"] == datetime(2022, 8, 15, tzinfo=UTC)  # the file says it


def test_the_commands(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, campaign, model = done / "archive", done / "campaign", ("--model", done / "model")
    here = ("--local", "--engine", "eager", "--device", "cpu")
    reprocess = ("reprocess", "ionograms", archive, campaign, *model, *here)
    fails(capsys, 1, *reprocess, says="3 of 12 ionograms are quarantined, more than the share of")
    code, out, _ = run(capsys, *reprocess, "--max-quarantined", "0.3", "--json")
    facts = json.loads(out)
    assert (code, facts["done"], facts["quarantined"], facts["pending"]) == (0, 0, 3, 0)

    code, out, _ = run(capsys, "status", campaign, "--json")
    facts = json.loads(out)
    assert facts["detected"] + facts["clear"] == 9
    assert (facts["quarantined"], facts["pending"]) == (3, 0)
    assert set(facts["reasons"]) == set(small.BAD)
    assert "ionograms of" in run(capsys, "status", campaign)[1]

    pictures = tmp_path / "pictures"
    catalog = ("catalog", campaign, "--out", tmp_path / "layers.parquet", "--show", 2)
    code, out, _ = run(capsys, *catalog, "--pictures", pictures, "--number", 2)
    table = pq.read_table(tmp_path / "layers.parquet")
    assert f"{table.num_rows} layers from 12 ionograms" in out
    assert out.splitlines()[1].split()[:3] == ["ionogram_id", "time", "layer"]
    assert len(list(pictures.glob("TEST_*.png"))) == 2
    assert b"geo" not in table.schema.metadata
    assert table.schema.field("range_min").metadata[b"units"] == b"km"
    assert table["ionogram_id"].to_pylist() == sorted(table["ionogram_id"].to_pylist())
    run(capsys, "catalog", campaign, "--out", tmp_path / "layers.csv")
    assert "# range_min [km]: " in (tmp_path / "layers.csv").read_text()

    labels, scores = archive / "labels.json", tmp_path / "scores"
    code, out, _ = run(capsys, "score", campaign, "--truth", labels, "--out", scores)
    assert code == 0
    assert "ionograms 9, without_layers" not in out and "ionograms 9, without layers" in out
    assert "false layers on" in out and "nothing" in out
    assert (scores / "examples.png").is_file()
    sheet = json.loads((scores / "sheet.json").read_text())
    assert sheet["about"]["ionograms in quarantine, not scored"] == 3
    found = sum(row["found"] for row in sheet["layers"] if row["overlap"] == 0.25)
    assert found == table.num_rows
    brief = run(capsys, "score", campaign, "--truth", labels, "--brief")[1]
    assert "Layers, score >= 0.6" in brief and "The paper" not in brief

    assert run(capsys, "diff", campaign, campaign)[1] == "no difference (12 inputs)\n"
    assert run(capsys, "compact", campaign)[0] == 0
    second = done / "second"
    strict = ("reprocess", "ionograms", archive, second, *model, *here, "--max-quarantined", 1)
    assert run(capsys, *strict, "--threshold", "0.8")[0] == 0
    differing = ("diff", campaign, second, "--pictures", tmp_path / "d", "--number", 2)
    code, out, _ = run(capsys, *differing)
    assert "settings.boxes.threshold is 0.6 in a and 0.8 in b" in out
    assert "layers: " in out and "only in a: TEST_" in out
    assert len(list((tmp_path / "d").glob("only_in_a_*.png"))) == 2
    code, out, _ = run(capsys, *differing, "--json")
    lost = json.loads(out)
    assert lost["layers"]["only_a"] + lost["layers"]["both"] == table.num_rows
    assert lost["only_a"][0]["layer"] in ("Es", "F")


def test_a_real_vertical_ionogram_passes(done: Path, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    shutil.copy(real_file("JM91J_2020276055804.ngi"), tmp_path / "archive")
    shutil.copytree(done / "model", tmp_path / "model")
    summary = small.run(tmp_path)
    assert (summary.done, summary.counts["quarantined"]) == (1, 0)
    (row,) = load_campaign(tmp_path / "campaign").outcomes().to_pylist()
    assert row["identity"] == "JM91J_20201002_055804"
    assert row["range_convention"] == "vertical"
    assert all("other_convention" in layer["flags"] for layer in row["findings"])


def test_what_the_window_does_not_show_is_not_clear(done: Path, tmp_path: Path) -> None:
    import numpy as np

    from tests.ionogram_files import contents, write_npz

    (tmp_path / "archive").mkdir()
    data = contents()
    data["frequency"] = np.linspace(1e6, 4e6, 40)
    write_npz(tmp_path / "archive" / "LOW_20220815_000000.npz", data)
    shutil.copytree(done / "model", tmp_path / "model")
    small.run(tmp_path)
    (row,) = load_campaign(tmp_path / "campaign").outcomes(["reason"]).to_pylist()
    assert "outside the model's window: it has 1 to 4 MHz" in row["reason"]


def test_why_the_model_has_nothing_to_look_at() -> None:
    import numpy as np

    from odm.findings.layer_rows import IonogramFacts
    from odm.images.ionogram import IonogramImageSettings
    from odm.reprocess.ionogram import nothing_to_see

    def says(mhz: tuple[float, float], km: tuple[float, float]) -> str:
        axes = (np.array(mhz) * 1e6, np.array(km))
        facts = IonogramFacts("X", None, "backscatter", *axes, np.zeros(2))
        return nothing_to_see(facts, IonogramImageSettings())

    for mhz in ((7.0, 20.0), (20.0, 7.0)):
        assert says(mhz, (0.0, 4000.0)).startswith("no value within the model's window")
    assert says((46.0, 70.0), (0.0, 4000.0)).startswith("outside the model's window: it has 46 to")
    assert says((7.0, 20.0), (9000.0, 9500.0)).startswith("outside the model's window")


def test_exports_of_a_pipeline_are_kept_by_its_members(tmp_path: Path) -> None:
    from dataclasses import replace

    from odm.models.pipeline import read_cards
    from odm.models.shipped import shipped_model
    from odm.reprocess.inference import loading
    from odm.reprocess.ionogram import LayerInference
    from odm.reprocess.request import ModelOptions

    folder = str(shipped_model("pipeline"))
    options = ModelOptions(folder=folder, engine="onnx", device="cpu")
    both = LayerInference("cc", options, str(tmp_path), segments=True)
    boxes = replace(both, segments=False)
    cards = read_cards(folder)
    assert set(cards) == {"detector", "segmenter"}
    exporting = "loading model and exporting it to ONNX"
    assert loading(both) == loading(boxes) == exporting
    (tmp_path / f"{cards['detector'].digest[:16]}-any.onnx").touch()
    assert (loading(both), loading(boxes)) == (exporting, "loading model")
    (tmp_path / f"{cards['segmenter'].digest[:16]}-any.onnx").touch()
    assert loading(both) == loading(boxes) == "loading model"

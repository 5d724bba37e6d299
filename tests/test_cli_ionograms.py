"""Ionograms on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import odm
from tests.datasets.test_digitise import plotted
from tests.ionogram_files import VIPIR, contents, write_npz, write_vipir
from tests.real import real_file
from tests.test_cli import fails, run


def test_simulate_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "archive"
    options = ("--count", 2, "--seed", 3, "--kind", "mixed", "--workers", 1)
    code, text, _ = run(capsys, "simulate", "ionograms", out, *options, "--json")
    assert code == 0
    facts = json.loads(text)
    assert facts["ionograms"] == 2
    code, text, _ = run(capsys, "simulate", "ionograms", out, *options)
    assert code == 0
    assert "ionograms 2, of them without a layer" in text
    fails(capsys, 2, "simulate", "ionograms", out, "--count", 3, says="other settings")
    fails(capsys, 2, "simulate", "ionograms", out, "--count", 2, "--kind", "q", says="kind 'q'")
    file, picture = out / "SIM3_20220815_001500.npz", tmp_path / "a.png"
    code, text, _ = run(capsys, "inspect", file, "--picture", picture, "--json")
    assert code == 0
    facts = json.loads(text)
    assert facts["frequency_range_mhz"] == [6.0, 30.0]
    assert facts["range_convention"] == "backscatter"
    assert facts["truth"][0]["layer"] in ("Es", "F")
    assert len(facts["truth"][0]["edge_km"]) == 2
    assert cv2.imread(str(picture)).shape[2] == 3
    code, text, _ = run(capsys, "inspect", file, "--no-picture")
    assert code == 0
    assert "frequency mhz" in text
    assert "picture" not in text


def test_inspect_a_vertical_ionogram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_vipir(tmp_path / VIPIR)
    code, text, _ = run(capsys, "inspect", tmp_path / VIPIR, "--picture", tmp_path / "a.png")
    assert code == 0
    assert "vertical" in text
    assert "truth" not in text
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_inspect_a_real_ionogram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = run(capsys, "inspect", real_file(VIPIR), "--no-picture", "--json")
    assert code == 0
    facts = json.loads(text)
    assert facts["link"] == "JM91J"
    assert (facts["frequencies"], facts["ranges"]) == (452, 512)


def test_inspect_a_bad_ionogram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = contents() | {"snr": np.full((40, 60), np.nan)}
    fails(capsys, 1, "inspect", write_npz(tmp_path / "a.npz", data), says="snr is NaN throughout")
    (tmp_path / "b.ngi").write_bytes(b"CDF\x01" + bytes(3))
    fails(capsys, 1, "inspect", tmp_path / "b.ngi", says="truncated or damaged NetCDF")


def test_a_picture_becomes_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snr, scale = plotted(tmp_path / "plot.png")
    options = (
        "--area", *scale.area, "--frequency", 2, 26, "--range", 100, 3100, "--snr", -3, 30,
        "--colours", "inferno", "--cells", 48, 60, "--convention", "oblique",
        "--time", "2020-09-30T16:54:03",
    )  # fmt: skip
    out = tmp_path / "plot.npz"
    code, text, _ = run(capsys, "ionogram", "from-picture", tmp_path / "plot.png", out, *options)
    assert code == 0
    assert "48 frequencies by 60 ranges; no ground; 0.2 % of the pixels have no colour" in text
    ds = odm.open_ionogram(out)
    assert np.abs(ds.snr.values - snr).max() < 1
    assert ds.attrs["range_convention"] == "oblique"
    assert ds.attrs["time"] == "2020-09-30T16:54:03.000"
    # Its own picture does not go to where the user's is.
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "plot.png").read_bytes()
    assert run(capsys, "inspect", out)[0] == 0
    assert (tmp_path / "plot.png").read_bytes() == before
    assert (tmp_path / "plot-inspected.png").is_file()
    command = ("ionogram", "from-picture", tmp_path / "plot.png")
    fails(capsys, 2, *command, tmp_path / "a.png", *options, says="ends in .npz")
    fails(capsys, 2, *command, out, *options, "--time", "noon", says="time 'noon' is no date")
    fails(capsys, 2, *command, out, *options, "--convention", "up", says="convention 'up'")
    # Another colour scale, or axes in another unit, are no ionogram; what was there stays.
    before = out.read_bytes()
    fails(capsys, 2, *command, out, *options, "--colours", "jet", says="--bar")
    fails(capsys, 2, *command, out, *options, "--frequency", 0, 24900, says="--frequency in MHz")
    fails(capsys, 2, *command, out, *options, "--frequency", 9, 3, says="9 to 3 MHz")
    assert out.read_bytes() == before


def test_a_picture_on_a_ground(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was not measured is left out and told; another colour map is refused all the same."""
    snr, scale = plotted(tmp_path / "plot.png", least=5.0)
    out = tmp_path / "plot.npz"
    command = (
        "ionogram", "from-picture", tmp_path / "plot.png", out, "--area", *scale.area,
        "--frequency", 2, 26, "--range", 100, 3100, "--snr", -3, 30, "--cells", 48, 60,
    )  # fmt: skip
    fails(capsys, 2, *command, "--colours", "viridis", says="of the drawn pixels have no colour")
    fails(capsys, 2, *command, "--colours", "hot", says="--ground #ffffff if nothing was measured")
    inferno = (*command, "--colours", "inferno")
    fails(capsys, 2, *inferno, "--ground", "none", says="colour of its axes")
    fails(capsys, 2, *inferno, "--ground", "pure", says="ground 'pure' is no colour")
    assert not out.exists()
    code, text, _ = run(capsys, *inferno)
    assert code == 0
    share = 100 * np.isnan(snr).mean()
    assert f"; {share:.0f}." in text or f"; {share - 1:.0f}." in text
    assert "% is ground (#ffffff); 0." in text
    assert "% of the drawn pixels have no colour of the scale" in text
    found = odm.open_ionogram(out).snr.values
    np.testing.assert_array_equal(np.isnan(found), np.isnan(snr))
    assert np.nanmax(np.abs(found - snr)) < 1


def simulated(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A simulation of two ionograms; its first file."""
    options = ("--count", 2, "--seed", 3, "--kind", "mixed", "--workers", 1)
    assert run(capsys, "simulate", "ionograms", folder, *options)[0] == 0
    return folder / "SIM3_20220815_000000.npz"


def test_nothing_is_true_of_a_file_that_was_not_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "archive"
    file = simulated(archive, capsys)
    other = write_npz(archive / "OWN_20230101_000000.npz", contents())
    code, text, _ = run(capsys, "inspect", other, "--no-picture")
    assert code == 0
    assert "truth" not in text
    command = ("inspect", other, "--no-picture", "--annotations", archive)
    fails(capsys, 2, *command, says="does not label OWN_20230101_000000.npz")
    # A damaged neighbour keeps nobody from looking at a file, unless it is asked for.
    (archive / "simulation.json").write_text("{")
    code, text, _ = run(capsys, "inspect", file, "--no-picture")
    assert code == 0
    assert "truth" not in text
    command = ("inspect", file, "--no-picture", "--annotations", archive)
    fails(capsys, 1, *command, says="simulation.json: cannot be understood")


def test_inspect_shows_what_people_drew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_npz(tmp_path / "a.npz", contents())
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text("1 0.5 0.5 0.5 0.5")
    picture = tmp_path / "a.png"
    command = ("inspect", file, "--annotations", labels, "--picture", picture, "--json")
    code, text, _ = run(capsys, *command)
    assert code == 0
    facts = json.loads(text)
    (low, high), (near, far) = facts["frequency_range_mhz"], facts["range_km"]
    layer = facts["annotated"][0]
    assert layer["layer"] == "F"
    assert np.diff(layer["frequency_mhz"])[0] == pytest.approx((high - low) / 2, rel=0.1)
    assert np.diff(layer["range_km"])[0] == pytest.approx((far - near) / 2, rel=0.1)
    assert "edge_points_seen" not in layer
    fails(capsys, 2, "inspect", file, "--model", "x", says="--edge")


def test_data_sets_say_what_they_lack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, out = tmp_path / "archive", tmp_path / "dataset.yaml"
    simulated(archive, capsys)
    code, _, err = run(capsys, "dataset", "ionograms", archive, "--out", out)
    assert code == 0
    assert "nothing is for validation" in err
    assert "--group-hours" in err
    fails(capsys, 2, "dataset", "ionograms", archive, "--annotations", out, says="COCO .json")
    fails(capsys, 2, "evaluate", "log", out, says="is a data set of ionograms")
    truth = archive / "truth.parquet"
    truth.write_bytes(truth.read_bytes()[:3000])
    again = ("dataset", "ionograms", archive, "--out", tmp_path / "b.yaml")
    fails(capsys, 1, *again, says="damaged table of truth")

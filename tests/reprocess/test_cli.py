"""The commands of a campaign as a user meets them, on a simulated archive."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest

from odm.archive.orbit.listing import list_orbits
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import estimate_limits
from odm.models.folder import save_model
from odm.models.networks.segmenters import create_segmenter
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation
from tests.reprocess.small import RegionSettings
from tests.test_cli import fails, run


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated archive with one truncated file, and a model without learning."""
    tmp = tmp_path_factory.mktemp("cli")
    simulate_orbits(
        tmp / "archive", OrbitSimulation(half_orbits=5, prevalence=1.0, seed=3, components="z")
    )
    paths = [entry.path for entry in list_orbits(tmp / "archive").entries]
    save_model(
        tmp / "model",
        create_segmenter("log"),
        image=OrbitImageSettings(*estimate_limits(paths)).to_dict(),
        thresholds=RegionSettings().to_dict(),
    )
    last = Path(paths[-1])
    last.write_bytes(last.read_bytes()[:3_000_000])
    return tmp


def test_from_an_archive_to_scores(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, campaign, model = work / "archive", work / "campaign", ("--model", work / "model")
    reprocess = ("reprocess", "orbits", archive, campaign, *model, "--local")
    fails(capsys, 1, *reprocess, says="1 of 5 half-orbits are quarantined, more than the share of")
    code, out, _ = run(capsys, *reprocess, "--max-quarantined", "0.2", "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["chosen"], facts["done"], facts["quarantined"]) == (5, 0, 1)

    code, out, _ = run(capsys, "status", campaign, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["detected"] + facts["clear"] == 4
    assert (facts["quarantined"], facts["pending"]) == (1, 0)
    assert "truncated" in next(iter(facts["reasons"].values()))
    code, out, _ = run(capsys, "status", campaign)
    assert "1 quarantined, 0 pending" in out

    code, out, _ = run(capsys, "catalog", campaign, "--out", work / "catalog.parquet")
    assert code == 0
    frame = gpd.read_parquet(work / "catalog.parquet")
    assert f"{len(frame)} regions from 5 half-orbits" in out
    assert len(frame) > 0
    strongest = work / "strongest"
    code, out, _ = run(
        capsys, "catalog", campaign, "--out", work / "catalog.csv", "--show", 1,
        "--pictures", strongest, "--number", 1,
    )  # fmt: skip
    assert code == 0
    names, units, first, picture = out.splitlines()[1:]
    shown = dict(zip(names.split(), units.split(), strict=True))
    assert (shown["frequency_peak"], shown["region_id"]) == ("(Hz)", "(none)")
    assert first.startswith(str(frame["region_id"].iloc[0]))
    surest = frame.sort_values(["confidence", "area_pixels"], ascending=False)["region_id"].iloc[0]
    assert picture == f"picture: {strongest / surest}.png"
    assert (strongest / f"{surest}.png").stat().st_size > 10_000

    code, out, _ = run(
        capsys, "score", campaign, "--truth", archive / "truth.parquet", "--json", "--resamples", 0
    )
    sheet = json.loads(out)
    assert code == 0
    assert sheet["about"]["half-orbits in quarantine, not scored"] == 1
    fails(capsys, 2, "score", campaign, "--truth", archive / "confusers.parquet", says="truth.parq")

    code, out, _ = run(capsys, "diff", campaign, campaign)
    assert (code, out) == (0, "no difference (5 inputs)\n")
    assert run(capsys, "compact", campaign)[0] == 0

    second = work / "second"
    strict = ("reprocess", "orbits", archive, second, *model, "--local", "--max-quarantined", 1)
    code, out, _ = run(capsys, *strict, "--threshold", "0.99", "--limit", 2, "--json")
    assert code == 0
    assert json.loads(out)["pending"] == 3
    code, out, _ = run(capsys, "diff", campaign, second, "--pictures", work / "p", "--number", 1)
    assert code == 0
    assert "settings.regions.threshold is 0.6 in a and 0.99 in b" in out
    assert "only in a" in out
    assert len(list((work / "p").glob("only_in_a_*.png"))) == 1
    code, out, _ = run(capsys, "diff", campaign, second, "--json")
    assert json.loads(out)["equal"] is False

    # A half-orbit that two campaigns hold is drawn once.
    again = ("reprocess", "orbits", archive, work / "again", *model, "--local")
    run(capsys, *again, "--limit", 2, "--max-quarantined", 1)
    code, out, _ = run(
        capsys, "catalog", campaign, work / "again", "--out", work / "both.csv",
        "--pictures", work / "both", "--number", 1,
    )  # fmt: skip
    assert code == 0
    assert out.splitlines()[-1] == f"picture: {work / 'both' / surest}.png"
    score = ("score", work / "again", "--truth", archive / "truth.parquet", "--json")
    code, out, _ = run(capsys, *score, "--resamples", 0)
    about = json.loads(out)["about"]
    assert about["half-orbits pending, not scored"] == 3
    assert about["half-orbits whose file was superseded, not scored"] == 0
    listed = [Path(entry.path) for entry in list_orbits(archive).entries]
    later = listed[0].with_name(listed[0].name.replace("_000.h5", "_001.h5"))
    later.write_bytes(listed[0].read_bytes())
    code, out, _ = run(capsys, *score, "--resamples", 0)
    later.unlink()
    about = json.loads(out)["about"]
    assert about["half-orbits pending, not scored"] == 3
    assert about["half-orbits whose file was superseded, not scored"] == 1

    fails(capsys, 2, *reprocess, "--flip", says="settings.flip is false there and true here")
    fails(capsys, 2, "catalog", campaign, second, "--out", work / "x.csv", says="not of one model")
    fails(capsys, 2, "catalog", campaign, "--out", work / "x.xlsx", says=".parquet or .csv")


def test_every_engine_may_be_asked_for() -> None:
    from odm.models.engines import ENGINES
    from odm.reprocess.request import WORDS

    assert WORDS["engine"].split("|") == list(ENGINES)


def test_wrong_use_is_one_sentence(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "empty").mkdir()
    archive, model = work / "archive", ("--model", work / "model")
    new = work / "new"
    orbits = ("reprocess", "orbits")
    fails(capsys, 2, *orbits, archive, new, "--model", work / "empty", "--local", says="no model")
    fails(capsys, 2, *orbits, work / "empty", new, *model, "--local", says="it is empty")
    fails(capsys, 2, *orbits, archive, new, *model, "--local", "--limit", 0, says="at least 1")
    fails(capsys, 2, *orbits, archive, new, *model, "--local", "--since", "x", says="no date")
    fails(
        capsys, 2, *orbits, archive, new, *model, "--local", "--threshold", 3, says="thresholds 0.4"
    )
    code, _, err = run(capsys, *orbits, archive, new, *model, "--batch", -1)
    assert code == 2
    assert "--batch" in err and "equal to 0" in err
    for option in ("--engine", "--device", "--precision"):
        said = f"{option[2:]} 'odd': give "
        fails(capsys, 2, *orbits, archive, new, *model, "--local", option, "odd", says=said)
    assert not new.exists()
    fails(capsys, 2, "status", work / "empty", says="is no campaign")
    fails(capsys, 2, "diff", work / "empty", work / "empty", says="is no campaign")
    fails(
        capsys,
        2,
        *orbits,
        archive,
        archive,
        *model,
        "--local",
        says="is no campaign, and not empty",
    )

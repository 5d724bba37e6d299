"""The plain runner and the driver: the contracts of a campaign."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.catalog.selection import Selection
from odm.core.errors import InputError, OdmError, TransientError
from odm.findings.edges import EdgeSettings
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.ionogram import IonogramImageSettings
from odm.reprocess import orbit
from odm.reprocess import stages as base
from odm.reprocess.driver import check_summary, reprocess
from odm.reprocess.ionogram import IonogramStages
from odm.reprocess.orbit import OrbitStages
from odm.reprocess.runners.local import default_readers, run_local
from odm.reprocess.stages import quarantined
from tests.lookalike import renamed
from tests.reprocess import small


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, six of its files bad, and a campaign that is done with it."""
    tmp = tmp_path_factory.mktemp("done")
    small.write_archive(tmp / "archive", bad=True)
    small.write_model(tmp / "model")
    small.run(tmp)
    return tmp


def test_every_input_has_one_outcome_and_every_bad_file_its_own_reason(done: Path) -> None:
    campaign = load_campaign(done / "campaign")
    table = campaign.outcomes()
    counts = table["status"].value_counts().to_pylist()
    assert {one["values"]: one["counts"] for one in counts} == {
        "detected": 4,
        "clear": 4,
        "quarantined": 6,
    }
    found = small.reasons(done / "campaign")
    for index, (kind, says) in enumerate(small.BAD.items()):
        reason = found[renamed(small.FIRST + 100 + index)]
        assert says in reason, kind
    assert len(set(found.values())) == len(small.BAD)
    good = table.filter(pc.not_equal(table["status"], "quarantined")).to_pylist()
    assert all(row["valid_share"] == 1.0 for row in good)
    assert all(0 < row["clipped_low"] < 0.1 for row in good)
    (region,) = next(row for row in good if row["status"] == "detected")["findings"]
    assert region["psd_peak_x"] > 0
    assert abs(region["frequency_peak"] - 250 * 24.4) < 600
    track = good[0]["track"]
    assert sum(point["rows"] for point in track) == small.ROWS
    assert all(abs(point["aacgm_latitude"]) > 10 for point in track[:1])
    times = [point["time"] for point in track]
    steps = {round((b - a).total_seconds() / 60) for a, b in itertools.pairwise(times)}
    assert steps == {1}


def test_nothing_volatile_is_in_an_outcome(done: Path) -> None:
    again = small.run(done, "again")
    assert again.done == 14
    first, second = (load_campaign(done / name).outcomes() for name in ("campaign", "again"))
    assert first.equals(second)
    assert compare(load_campaign(done / "campaign"), load_campaign(done / "again")).equal
    folders = [done / name / "outcomes" for name in ("campaign", "again")]
    parts = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert parts[0] == parts[1]


def test_what_is_done_is_not_opened_again(done: Path) -> None:
    summary = small.run(done)
    assert (summary.done, summary.pending, summary.chosen) == (0, 0, 14)
    assert summary.counts == {"detected": 4, "clear": 4, "quarantined": 6}


def test_too_many_in_quarantine_is_a_failure(done: Path) -> None:
    summary = small.run(done)
    with pytest.raises(OdmError, match="6 of 14 half-orbits are quarantined"):
        check_summary(summary, 0.05, "half-orbits")
    check_summary(summary, 0.5, "half-orbits")


def test_selection(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 6)
    small.write_model(tmp_path / "model")
    first = small.run(tmp_path, selection=Selection(limit=2))
    assert (first.done, first.pending) == (2, 4)
    early = small.run(tmp_path, selection=Selection(until=datetime(2021, 4, 1, 5)))
    assert (early.done, early.chosen, early.pending) == (1, 3, 0)
    with pytest.raises(InputError, match="nothing between"):
        small.run(tmp_path, selection=Selection(since=datetime(2022, 1, 1)))
    # A file that is gone stays; one that has changed is done again only when asked for.
    (tmp_path / "archive" / renamed(small.FIRST)).unlink()
    small.write(
        tmp_path / "archive",
        small.half_orbit(9, blob=False),
        renamed(small.FIRST + 2, suffix="001"),
    )
    rest = small.run(tmp_path)
    assert (rest.done, rest.chosen) == (3, 5)
    assert any("changed since" in note for note in rest.notes)
    assert any("no longer in the archive" in note for note in rest.notes)
    assert any("superseded" in note for note in rest.notes)
    again = small.run(tmp_path, selection=Selection(refresh=True))
    assert again.done == 1
    rows = load_campaign(tmp_path / "campaign").outcomes(["name"]).to_pylist()
    assert len(rows) == 6
    fresh = next(row for row in rows if row["name"].endswith("001.h5"))
    assert (fresh["generation"], fresh["status"]) == (1, "clear")


def test_quarantined_ones_are_tried_again_when_asked_for(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 2)
    small.write_model(tmp_path / "model")
    path = tmp_path / "archive" / renamed(small.FIRST)
    whole = path.read_bytes()
    path.write_bytes(whole[:1_000_000])
    assert small.run(tmp_path).counts["quarantined"] == 1
    path.write_bytes(whole)
    assert small.run(tmp_path).done == 0
    mended = small.run(tmp_path, selection=Selection(retry_quarantined=True))
    assert (mended.done, mended.counts["quarantined"], mended.counts["detected"]) == (1, 0, 1)


def test_another_model_setting_or_archive_is_refused_by_name(done: Path, tmp_path: Path) -> None:
    other = small.write_model(tmp_path / "model", threshold=0.9)
    with pytest.raises(InputError, match=r"model\.digest is .* there and .* here"):
        small.order(done, model={"folder": other})
    with pytest.raises(InputError, match=r"settings\.flip is false there and true here"):
        small.order(done, findings={"flip": True})
    with pytest.raises(InputError, match=r"settings\.regions\.threshold is 0\.6 there and 0\.8"):
        small.order(done, findings={"threshold": 0.8})
    shutil.copytree(done / "archive", tmp_path / "archive")
    with pytest.raises(InputError, match="archive is"):
        small.order(tmp_path, str(done / "campaign"), model={"folder": str(done / "model")})
    small.order(done, model={"batch": 1})  # decides nothing
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"no campaign, and not empty .*thesis\.tex"):
        small.order(done, "../" + str(tmp_path.relative_to(done.parent)) + "/strange")
    (tmp_path / "none" / "archive").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="it is empty"):
        small.order(tmp_path / "none", str(tmp_path / "c"), model={"folder": other})
    assert not (tmp_path / "c").exists()
    with pytest.raises(InputError, match="no model folder"):
        small.order(done, model={"folder": str(tmp_path / "empty")})


def test_a_file_that_is_gone_or_denied_is_left_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write_archive(tmp_path / "archive", 2)
    small.write_model(tmp_path / "model")
    order = small.order(tmp_path)
    first, second = order.listing.inputs
    Path(first.path).rename(tmp_path / "away")
    gone = order.stages.read(first)
    assert (gone.outcome, gone.undone) == (None, "no such file")
    (tmp_path / "away").rename(first.path)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # nothing is denied to the root that tests may run as
        patch.setattr(Path, "open", denied)
        shut = order.stages.read(second)
    assert (shut.outcome, shut.undone) == (None, "no permission")
    summary = reprocess(order, lambda *_: (one for one in [gone, shut]))
    with pytest.raises(OdmError, match="2 half-orbits are left undone"):
        check_summary(summary, 0.05, "half-orbits")
    assert small.run(tmp_path).counts == {"detected": 1, "clear": 1, "quarantined": 0}


def test_the_share_in_quarantine_is_of_all_selected_inputs(done: Path, tmp_path: Path) -> None:
    order = small.order(done, str(tmp_path / "campaign"))
    bad = [quarantined(order.stages.kind, one, "bad") for one in order.listing.inputs[:2]]
    summary = reprocess(order, lambda *_: (one for one in bad))
    assert summary.quarantined_share == pytest.approx(2 / 14)
    check_summary(summary, 0.2, "half-orbits")
    with pytest.raises(OdmError, match="2 of 14 half-orbits are quarantined"):
        check_summary(summary, 0.1, "half-orbits")
    summary.stopped = True
    with pytest.raises(OdmError, match="stopped as asked, 12 half-orbits to do"):
        check_summary(summary, 0.1, "half-orbits")
    # What --limit leaves for later is not selected.
    order = small.order(done, str(tmp_path / "campaign"), selection=Selection(limit=1))
    third = quarantined(order.stages.kind, order.listing.inputs[2], "bad")
    assert reprocess(order, lambda *_: (one for one in [third])).quarantined_share == 1


def test_a_fault_of_the_store_leaves_an_input_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write_archive(tmp_path / "archive", 1)
    small.write_model(tmp_path / "model")
    order = small.order(tmp_path)
    calls = []

    def store(*_: object) -> None:
        calls.append(1)
        raise TransientError("x", "the store did not answer")

    monkeypatch.setattr(base, "RETRY_AFTER_S", (0.0, 0.0))
    monkeypatch.setattr(orbit, "read_spectrogram", store)
    result = order.stages.read(order.listing.inputs[0])
    assert len(calls) == 3
    assert result.outcome is None
    assert "did not answer" in result.undone
    summary = reprocess(order, lambda *_: (one for one in [result]))
    assert summary.pending == 1
    with pytest.raises(OdmError, match="1 half-orbits are left undone"):
        check_summary(summary, 0.05, "half-orbits")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(orbit, "read_spectrogram", broken)
    result = order.stages.read(order.listing.inputs[0])
    assert result.outcome is not None
    assert result.outcome["reason"][0].as_py() == "unexpected ZeroDivisionError: a mistake of ours"


def test_a_second_driver_is_refused_and_may_take_over(done: Path, tmp_path: Path) -> None:
    order = small.order(done, str(tmp_path / "campaign"))
    outcome = quarantined(order.stages.kind, order.listing.inputs[0], "for this test")
    with (
        order.campaign.lock(),
        pytest.raises(OdmError, match=rf"process {os.getpid()} on .* is at work"),
    ):
        reprocess(order, run_local)
    # The first notices at its next commit, and what it had is not written.
    with (
        order.campaign.lock() as first,
        order.campaign.lock(take_over=True),
        pytest.raises(OdmError, match="has taken over"),
    ):
        first.check()
    assert reprocess(order, lambda *_: (one for one in [outcome])).done == 1


def test_a_model_whose_images_are_clipped_says_so(done: Path, tmp_path: Path) -> None:
    from odm.models.folder import save_model
    from odm.models.networks.segmenters import create_segmenter

    image = small.OrbitImageSettings(-7.5, -5.0, width=128).to_dict()
    regions = small.RegionSettings().to_dict()
    save_model(tmp_path / "model", create_segmenter("log"), image=image, thresholds=regions)
    selection = Selection(limit=2)
    campaign = str(tmp_path / "campaign")
    summary = small.run(
        done, campaign, model={"folder": str(tmp_path / "model")}, selection=selection
    )
    assert any("lower limit" in note and "trained on" in note for note in summary.notes)


SCRIPT = """
if __name__ == "__main__":  # reading processes import this file too
    import sys
    import time
    from pathlib import Path
    from tests.reprocess import small
    from odm.reprocess import driver as drive

    drive.COMMIT_EVERY = 1
    add = drive._Sink.add
    drive._Sink.add = lambda *facts: (time.sleep(float(sys.argv[3])), add(*facts))
    summary = small.run(Path(sys.argv[1]), sys.argv[2])
    drive.check_summary(summary, 1.0, "half-orbits")
"""


def start(done: Path, name: str, script: Path, slow: float = 0) -> subprocess.Popen[bytes]:
    """A driver of its own; ``slow``: seconds that it waits after each outcome."""
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(done), name, str(slow)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def wait_for_parts(folder: Path, more_than: int, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        parts = len(list((folder / "outcomes").glob("part-*"))) if folder.exists() else 0
        if parts > more_than:
            return parts
        time.sleep(0.01)
    return more_than


def test_killed_again_and_again_it_gives_the_same_catalog(done: Path, tmp_path: Path) -> None:
    folder = done / "killed"
    parts, kills = 0, 0
    while True:
        process = start(done, "killed", tmp_path / "driver.py")
        # At any moment after a few commits: never the same, and each start gets further.
        parts = wait_for_parts(folder, parts + 2, process)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
    assert process.communicate()[1] is not None
    assert process.returncode == 0
    assert kills >= 2
    killed, clean = load_campaign(folder), load_campaign(done / "campaign")
    assert killed.outcomes().equals(clean.outcomes())
    assert not compare(killed, clean).differing


def test_asked_to_stop_it_commits_and_says_how_to_go_on(done: Path, tmp_path: Path) -> None:
    process = start(done, "stopped", tmp_path / "driver.py", slow=0.5)
    wait_for_parts(done / "stopped", 1, process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1].decode()
    committed = load_campaign(done / "stopped").outcomes().num_rows
    assert committed < 14
    assert process.returncode != 0
    assert "Stopped: stopped as asked" in said
    log = [json.loads(line) for line in (done / "stopped" / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in log] == ["start", "end"]
    assert log[1]["done"] == committed
    assert log[1]["stopped"] is True
    assert log[1]["rate"] > 0
    small.run(done, "stopped")
    assert compare(load_campaign(done / "stopped"), load_campaign(done / "campaign")).equal


def test_a_campaign_says_what_it_waits_for_and_exports_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from odm.images.geometry import OrbitImageSettings
    from odm.models.folder import save_model
    from odm.models.networks.segmenters import create_segmenter
    from odm.reprocess.inference import loading

    pytest.importorskip("openvino")
    monkeypatch.setenv("ODM_CACHE", str(tmp_path / "cache"))
    small.write_archive(tmp_path / "archive", 2)
    model = create_segmenter(
        "unet_same_encoder", encoder="tu-mobilenetv3_small_050", decoder_channels=[16, 8, 8, 8, 8]
    )
    image = OrbitImageSettings(-9.0, -5.0, "resized", 32, 32)
    save_model(tmp_path / "model", model, image=image.to_dict(), thresholds={})
    order = small.order(tmp_path, model={"engine": "openvino"})
    assert loading(order.inference) == "loading model and exporting it to OpenVINO"
    assert reprocess(order, run_local).done == 2
    said = capsys.readouterr().err
    assert "reprocessing: loading model\n" in said
    assert said.count("reprocessing: exporting model to OpenVINO\n") == 1
    assert loading(order.inference) == "loading model"
    # Another campaign of the same model has nothing to export.
    assert small.run(tmp_path, "second", model={"engine": "openvino"}).done == 2
    assert "exporting" not in capsys.readouterr().err
    # And one that is done says nothing at all.
    small.run(tmp_path, "second", model={"engine": "openvino"})
    assert capsys.readouterr().err == ""


def test_as_many_processes_as_the_work_after_the_model_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Edges are found after the model, and take ten times as long."""
    orbits = OrbitStages(OrbitImageSettings(-6.0, 0.0), RegionSettings(), "none")
    boxes = IonogramStages(IonogramImageSettings(), "none")
    edges = IonogramStages(IonogramImageSettings(), "none", EdgeSettings())
    for cores, wanted in ((1, (1, 1, 1)), (2, (1, 1, 2)), (6, (2, 2, 6)), (64, (21, 21, 16))):
        monkeypatch.setattr("odm.reprocess.runners.local.cores", lambda cores=cores: cores)
        assert tuple(map(default_readers, (orbits, boxes, edges))) == wanted

"""A simulated archive through everything: truth as predictions, and a method without learning."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import read_orbit
from odm.core.errors import InputError
from odm.findings.measure import MAX_GAP_S
from odm.findings.regions import RegionSettings, find_regions, region_rows
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import estimate_limits, geometry_of
from odm.models.networks.classical import detect_blobs
from odm.scoring.evaluation import Evaluation
from odm.scoring.orbit.maps import (
    CANDIDATES_PER_ORBIT,
    LabelledOrbits,
    MapSource,
    Predict,
    predict_orbits,
    score_archive,
    scored_orbit,
)
from odm.scoring.orbit.pictures import Example, pick_cases, region_figures
from odm.scoring.orbit.tally import ScoredOrbit
from odm.scoring.orbit.truth import Truth
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation
from tests.scoring.helpers import labelled_orbits

HALF_ORBITS = 6


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    simulate_orbits(
        folder,
        OrbitSimulation(half_orbits=HALF_ORBITS, prevalence=0.9, seed=5, every=61, components="z"),
    )
    return folder


@pytest.fixture(scope="module")
def native(archive: Path) -> OrbitImageSettings:
    low, high = estimate_limits([entry.path for entry in list_orbits(archive).entries])
    return OrbitImageSettings(low, high)


class Oracle:
    """Answers with the truth, in the order of the archive."""

    def __init__(self, archive: Path, images: OrbitImageSettings) -> None:
        self.truth = Truth.load(str(archive))
        self.images = images
        self.paths: Iterator[str] = iter([one.path for one in list_orbits(archive).entries])

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        answers = []
        for _ in images:
            orbit = read_orbit(next(self.paths))
            assert orbit.key is not None
            mask = self.truth.annotations.images[orbit.key.stem].mask(orbit.shape[::-1])
            answers.append(geometry_of(orbit, self.images).mask_from_native(mask) * np.uint8(255))
        return np.stack(answers)


def test_truth_through_regions_and_scoring_is_perfect(
    archive: Path, native: OrbitImageSettings
) -> None:
    source = MapSource(Oracle(archive, native), native)
    orbits = labelled_orbits(archive)
    sheet = score_archive(source, orbits).sheet(resamples=0)
    assert sheet.counts["half_orbits"] == HALF_ORBITS
    assert sheet.counts["nuclei"] >= 4
    for overlap in (0.25, 0.5):
        score = sheet.score("contour", overlap)
        assert (score["f1"], score["average_precision"], score["false"]) == (1, 1, 0)
    for row in sheet.errors:
        assert row["count"] == sheet.counts["nuclei"]
        assert row["largest"] == 0
    assert sheet.boundary["mean"] == 0
    for row in sheet.pixels:
        if row["truth"] == "contour":
            # The map still holds pieces at a gap that are too small for a region.
            assert row["metrics"]["foreground_iou"] > 0.99
    assert sheet.campaign["false_per_100_clear"] in (0, None) or np.isnan(
        sheet.campaign["false_per_100_clear"]
    )


def test_truth_on_a_resized_image_is_off_by_at_most_one_pixel(
    archive: Path, native: OrbitImageSettings
) -> None:
    resized = OrbitImageSettings(
        native.minimum, native.maximum, mode="resized", height=512, width=512
    )
    source = MapSource(Oracle(archive, resized), resized)
    orbits = labelled_orbits(archive)
    sheet = score_archive(source, orbits).sheet(resamples=0)
    for overlap in (0.25, 0.5):
        assert sheet.score("contour", overlap)["f1"] == 1
    largest = {row["of"]: row["largest"] for row in sheet.errors}
    pixel_khz = 25.0 / 512
    assert largest["lowest frequency"] <= pixel_khz
    assert largest["highest frequency"] <= pixel_khz
    times = [read_orbit(entry.path).times for entry in list_orbits(archive).entries]
    pixel_s = max((one[-1] - one[0]) / np.timedelta64(1, "s") for one in times) / 512
    assert largest["start"] <= pixel_s
    assert largest["end"] <= pixel_s
    assert sheet.boundary["mean"] < 1


def test_truth_has_the_simulators_numbers(archive: Path) -> None:
    truth = Truth.load(str(archive))
    drawn = [row for rows in truth.nuclei.values() for row in rows]
    contrasts = []
    for entry in list_orbits(archive).entries:
        orbit = read_orbit(entry.path)
        confusers = truth.confusers_of(orbit)
        assert confusers
        for one in confusers:
            assert 0 <= one.rows.start < one.rows.stop <= orbit.shape[1]
            assert 0 <= one.columns.start < one.columns.stop <= orbit.shape[0]
        for found in truth.findings(orbit, RegionSettings(minimum_area=1)):
            columns = np.flatnonzero(found.mask.any(axis=0))
            steps_s = np.diff(orbit.times[columns[0] : columns[-1] + 1]) / np.timedelta64(1, "s")
            assert not (steps_s > MAX_GAP_S).any()
            contrasts.append(found.row["contrast_db"])
    known = sorted(value for value in contrasts if np.isfinite(value))
    assert known == sorted(row["contrast_db"] for row in drawn)


def test_confusers_lie_where_the_table_says(archive: Path) -> None:
    truth = Truth.load(str(archive))
    entry = list_orbits(archive).entries[0]
    orbit = read_orbit(entry.path)
    rows = truth.confusers[entry.key.name]
    boxes = truth.confusers_of(orbit)
    if len(rows) == len(boxes):  # none was lost in a gap
        for row, box in zip(rows, boxes, strict=True):
            assert orbit.frequency[orbit.shape[1] - box.rows.stop] == row["frequency_min"]
            assert orbit.frequency[orbit.shape[1] - 1 - box.rows.start] == row["frequency_max"]
            assert orbit.times[box.columns.start] >= np.datetime64(row["time_start"], "ns")
            assert orbit.times[box.columns.stop - 1] <= np.datetime64(row["time_end"], "ns")


def test_a_method_without_learning_gets_its_sheet_and_pictures(
    archive: Path, native: OrbitImageSettings, tmp_path: Path
) -> None:
    done: list[int] = []
    scorer = score_archive(
        MapSource(lambda images: np.stack([detect_blobs(image) for image in images]), native),
        labelled_orbits(archive),
        RegionSettings(threshold=0.55, low_threshold=0.5),
        examples=True,
        advance=done.append,
    )
    sheet = scorer.sheet({"model": "Laplacian of Gaussian", "seed": 5}, resamples=50)
    assert done == [1] * HALF_ORBITS
    assert sheet.counts["found"] > 0
    written = Evaluation(sheet, scorer.examples[:2], region_figures).write(tmp_path)
    names = [Path(path).name for path in written]
    assert names == ["sheet.json", "sheet.txt", "scores.png", "examples.png"]
    content = json.loads((tmp_path / "sheet.json").read_text())
    assert content["about"]["model"] == "Laplacian of Gaussian"
    assert "Laplacian" in (tmp_path / "sheet.txt").read_text()
    for path in written[2:]:
        assert Path(path).read_bytes()[:4] == b"\x89PNG"


@dataclass
class Squares:
    """Answers with squares of given probabilities, 24 pixels apart, on every image."""

    levels: list[int]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        answers = np.zeros_like(images)
        for number, level in enumerate(self.levels):
            line, column = 24 * (number // 40), 24 * (number % 40)
            answers[:, line : line + 16, column : column + 16] = level
        return answers


def first_scored(
    archive: Path, native: OrbitImageSettings, predict: Predict, settings: RegionSettings
) -> ScoredOrbit:
    entries = list_orbits(archive).entries[:1]
    (one,) = predict_orbits(MapSource(predict, native, 1), entries)
    return scored_orbit(one, settings, Truth.load(str(archive)))


def test_the_result_is_never_cut_by_the_cap(archive: Path, native: OrbitImageSettings) -> None:
    settings = RegionSettings(0.6, 0.4, minimum_area=200)
    sure, weak = CANDIDATES_PER_ORBIT + 5, 30
    levels = [200] * sure + [110 + one for one in range(weak)]
    scored = first_scored(archive, native, Squares(levels), settings)
    kept = [one.confidence for one in scored.found]
    assert len(kept) == sure and min(kept) == 200 / 255
    # What is left of the cap goes to the surest below the threshold.
    levels = [200] * (CANDIDATES_PER_ORBIT - 7) + [110 + one for one in range(weak)]
    scored = first_scored(archive, native, Squares(levels), settings)
    kept = sorted(one.confidence for one in scored.found)
    assert len(kept) == CANDIDATES_PER_ORBIT
    assert [round(255 * one) for one in kept[:7]] == [133, 134, 135, 136, 137, 138, 139]
    assert kept[7:] == [200 / 255] * (CANDIDATES_PER_ORBIT - 7)


def test_an_area_of_fill_values_alone_is_no_candidate(
    archive: Path, native: OrbitImageSettings, tmp_path: Path
) -> None:
    import h5py

    entry = list_orbits(archive).entries[0]
    path = tmp_path / entry.key.name
    path.write_bytes(Path(entry.path).read_bytes())
    with h5py.File(path, "r+") as file:
        file["A133_P"][100:140] = -9999
    (copied,) = list_orbits(tmp_path).entries

    def predict(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        answers = np.zeros_like(images)
        answers[:, 10:40, 105:135] = 120  # weak, of fill values alone
        answers[:, 60:90, 105:135] = 230  # strong, of fill values alone
        answers[:, 110:140, 130:160] = 120  # weak, half of it measured
        answers[:, 160:190, 200:230] = 230
        return answers

    (one,) = predict_orbits(MapSource(predict, native, 1), [copied])
    settings = RegionSettings(minimum_area=100)
    scored = scored_orbit(one, settings, Truth.load(str(archive)))
    assert sorted(round(255 * found.confidence) for found in scored.found) == [120, 230]
    # Nor do its pixels count.
    assert scored.valid is not None
    assert not scored.valid[:, 100:140].any()
    orbits = labelled_orbits(tmp_path, Truth.load(str(archive)))
    sheet = score_archive(MapSource(predict, native), orbits, settings).sheet(resamples=0)
    counted = sum(sheet.calibration["bins"]["count"])
    assert counted == np.count_nonzero(scored.valid) < scored.valid.size
    with_levels = sheet.pixels[0]["metrics"]["pixel_accuracy"]
    measured = scored.valid & (np.asarray(scored.probability) >= 128)
    true = np.zeros(scored.shape, bool)
    for nucleus in scored.truth:
        true |= nucleus.mask
    right = np.count_nonzero((measured == true) & scored.valid)
    assert with_levels == pytest.approx(right / counted)


def test_holes_in_the_truth_are_filled_where_those_of_regions_are(
    archive: Path, native: OrbitImageSettings
) -> None:
    known = Truth.load(str(archive))
    for entry in list_orbits(archive).entries:
        image = known.annotations.images[entry.key.stem]
        if image.mask_path is not None:
            break
    orbit = read_orbit(entry.path)
    mask = np.zeros(orbit.shape[::-1], np.uint8)
    mask[300:360, 200:260] = 255
    mask[320:340, 220:240] = 0
    folder = archive.parent / "holes"
    folder.mkdir()
    cv2.imwrite(str(folder / "mask.png"), mask)
    labelled = replace(image, mask_path=folder / "mask.png")
    holed = Truth(
        replace(known.annotations, images={**known.annotations.images, entry.key.stem: labelled})
    )
    (filled,) = holed.findings(orbit, RegionSettings())
    (open_,) = holed.findings(orbit, RegionSettings(fill_holes=False))
    assert (filled.mask.sum(), open_.mask.sum()) == (3600, 3200)

    def truth(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        answer = geometry_of(orbit, native).mask_from_native(mask)
        return np.broadcast_to(answer, images.shape)

    for fill in (True, False):
        orbits, regions = LabelledOrbits([entry], holed), RegionSettings(fill_holes=fill)
        sheet = score_archive(MapSource(truth, native), orbits, regions).sheet(resamples=0)
        (pixels,) = [
            row for row in sheet.pixels if (row["source"], row["truth"]) == ("regions", "contour")
        ]
        assert pixels["metrics"]["foreground_iou"] == 1
        assert sheet.boundary["mean"] == 0


def test_cases_are_ranked(archive: Path, native: OrbitImageSettings) -> None:
    def example(dice: float, wrong: int) -> Example:
        return Example("", 1, [], [], [], dice, wrong)

    ranked = [example(1 - one / 10, one) for one in range(10)]
    picked = pick_cases([ranked[one] for one in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)], each=2)
    assert [(one.kind, one.wrong) for one in picked] == [
        ("best", 0), ("best", 1), ("median", 4), ("median", 5), ("worst", 8), ("worst", 9),
    ]  # fmt: skip
    two = pick_cases([example(0, 7), example(0, 3)], each=3)
    assert [(one.kind, one.wrong) for one in two] == [("best", 3), ("worst", 7)]
    for number, wrong in ((1, [0]), (3, [0, 1, 2]), (4, [0, 1, 3]), (7, [0, 1, 2, 3, 5, 6])):
        few = pick_cases(ranked[:number])
        assert [one.wrong for one in few] == wrong
        assert few[-1].kind == ("best" if number == 1 else "worst")
    assert pick_cases([]) == []


def test_rows_are_the_catalogs(archive: Path, native: OrbitImageSettings) -> None:
    from odm.catalog.orbit.regions import REGION_SCHEMA

    oracle = Oracle(archive, native)
    for entry in list_orbits(archive).entries:
        orbit = read_orbit(entry.path)
        (answer,) = oracle(np.zeros((1, *geometry_of(orbit, native).shape), np.uint8))
        regions = find_regions(answer, geometry_of(orbit, native), RegionSettings())
        kept, rows = region_rows(
            entry.path, regions, source=entry.key.name, model="m", components="z"
        )
        assert len(kept) == len(rows) == len(regions)
        for row in rows:
            assert set(row) == set(REGION_SCHEMA.names)
            assert row["confidence"] == 1
    assert region_rows("nowhere.h5", [], source="", model="") == ([], [])


def test_bad_input(archive: Path, native: OrbitImageSettings, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Truth.load(str(tmp_path))
    strange = Truth.load(str(archive))
    unknown = Truth(replace(strange.annotations, images={}))
    assert not unknown.knows(list_orbits(archive).entries[0].key)


def test_a_truth_without_its_columns_is_told(archive: Path, tmp_path: Path) -> None:
    import shutil

    import pyarrow.parquet as pq

    copy = shutil.copytree(archive, tmp_path / "copy")
    table = pq.read_table(archive / "truth.parquet")
    pq.write_table(table.drop_columns(["contrast_db"]), copy / "truth.parquet")
    with pytest.raises(InputError, match=r"table of truth, it has no column contrast_db$"):
        Truth.load(str(copy))

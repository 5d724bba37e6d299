"""A simulated archive through everything: truth as predictions, and a method without learning."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from odm.archive.errors import InputError
from odm.archive.listing import list_orbits
from odm.archive.orbits import read_orbit
from odm.findings.measure import MAX_GAP_S
from odm.findings.regions import RegionSettings, find_regions, region_rows
from odm.findings.score_archive import Example, score_archive
from odm.findings.score_pictures import write_pictures
from odm.findings.truth import Truth
from odm.images.geometry import ImageSettings
from odm.images.spectrogram import estimate_limits, geometry_of
from odm.models.blob import detect_blobs
from odm.simulate.archive import simulate_orbits

HALF_ORBITS = 6


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    simulate_orbits(
        folder, half_orbits=HALF_ORBITS, prevalence=0.9, seed=5, every=61, components="z"
    )
    return folder


@pytest.fixture(scope="module")
def native(archive: Path) -> ImageSettings:
    low, high = estimate_limits([entry.path for entry in list_orbits(archive).entries])
    return ImageSettings(low, high)


class Oracle:
    """Answers with the truth, in the order of the archive."""

    def __init__(self, archive: Path, images: ImageSettings) -> None:
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


def test_truth_through_regions_and_scoring_is_perfect(archive: Path, native: ImageSettings) -> None:
    sheet = score_archive(Oracle(archive, native), archive, native, resamples=0)
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
    archive: Path, native: ImageSettings
) -> None:
    resized = ImageSettings(native.minimum, native.maximum, mode="resized", height=512, width=512)
    sheet = score_archive(Oracle(archive, resized), archive, resized, resamples=0)
    for overlap in (0.25, 0.5):
        assert sheet.score("contour", overlap)["f1"] == 1
    largest = {row["of"]: row["largest"] for row in sheet.errors}
    pixel_khz = 25.0 / 512
    assert largest["lowest frequency"] <= pixel_khz
    assert largest["highest frequency"] <= pixel_khz
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
    archive: Path, native: ImageSettings, tmp_path: Path
) -> None:
    examples: list[Example] = []
    seen: list[tuple[int, int]] = []
    sheet = score_archive(
        lambda images: np.stack([detect_blobs(image) for image in images]),
        archive,
        native,
        regions=RegionSettings(threshold=0.55, low_threshold=0.5),
        about={"model": "Laplacian of Gaussian", "seed": 5},
        resamples=50,
        examples=examples,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (HALF_ORBITS, HALF_ORBITS)
    assert sheet.counts["found"] > 0
    sheet.write_json(tmp_path / "sheet.json")
    content = json.loads((tmp_path / "sheet.json").read_text())
    assert content["about"]["model"] == "Laplacian of Gaussian"
    assert "Laplacian" in sheet.to_text()
    written = write_pictures(tmp_path, sheet, examples[:2])
    assert [Path(path).name for path in written] == ["scores.png", "examples.png"]
    for path in written:
        assert Path(path).read_bytes()[:4] == b"\x89PNG"


def test_rows_are_the_catalogs(archive: Path, native: ImageSettings) -> None:
    from odm.catalog.tables import REGION_SCHEMA

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


def test_bad_input(archive: Path, native: ImageSettings, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Truth.load(str(tmp_path))
    strange = Truth.load(str(archive))
    entries = list_orbits(archive).entries[:1]
    unknown = Truth(type(strange.annotations)(tmp_path, "simulation", {}))
    with pytest.raises(InputError, match="labelled"):
        score_archive(lambda images: images, archive, native, truth=unknown, entries=entries)

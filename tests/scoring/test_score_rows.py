"""Scores of a catalog's rows, against those of the maps that they came from."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from odm.archive.orbit.listing import list_orbits
from odm.catalog.orbit.regions import read_regions, write_regions
from odm.core.errors import InputError
from odm.findings.measure import measure_regions
from odm.findings.outlines import outline_mask
from odm.findings.regions import RegionSettings, find_regions, region_rows
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import geometry_of, read_spectrogram
from odm.models.networks.classical import detect_blobs
from odm.scoring.evaluation import Evaluation
from odm.scoring.orbit.campaign import catalog_sheet, score_rows
from odm.scoring.orbit.maps import MapSource, score_archive
from odm.scoring.orbit.pictures import region_figures
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation
from tests.scoring.helpers import geometry, labelled_orbits, orbit_of, times

IMAGES = OrbitImageSettings(-9.2, -7.0)
SETTINGS = RegionSettings(threshold=0.6, low_threshold=0.55)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    simulate_orbits(
        folder, OrbitSimulation(half_orbits=5, prevalence=0.9, seed=5, every=91, components="z")
    )
    return folder


def answers(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack([detect_blobs(image) for image in images])


@pytest.fixture(scope="module")
def catalog(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Rows as a campaign would have them, written and read."""
    rows: list[dict[str, Any]] = []
    for entry in list_orbits(archive).entries:
        image, orbit = read_spectrogram(entry.path, IMAGES)
        regions = find_regions(answers(image[None])[0], geometry_of(orbit, IMAGES), SETTINGS)
        _, found = region_rows(
            entry.path, regions, source=f"2021/{entry.key.name}", model="m", components="z"
        )
        rows += found
    path = tmp_path_factory.mktemp("catalog") / "regions.parquet"
    write_regions(path, rows)
    return read_regions(path).to_dict("records")


def by_file(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    names = {str(row["source"]).rpartition("/")[2] for row in rows}
    return {name: [row for row in rows if row["source"].endswith(name)] for name in sorted(names)}


def test_the_sheet_is_that_of_the_maps(
    archive: Path, catalog: list[dict[str, Any]], tmp_path: Path
) -> None:
    orbits = labelled_orbits(archive)
    maps = score_archive(MapSource(answers, IMAGES), orbits, SETTINGS, examples=True)
    expected = json.loads(maps.sheet(resamples=20).to_json())
    scorer = score_rows(by_file(catalog), orbits, SETTINGS)
    sheet = catalog_sheet(scorer, {"campaign": "here"}, 20)
    assert sheet.counts["found"] > 3
    scored = json.loads(sheet.to_json())
    for part in ("counts", "threshold", "alarms", "contrast", "area", "errors", "boundary"):
        assert scored[part] == expected[part], part
    names = ("true", "false", "missed", "precision", "recall", "f1")
    for row, other in zip(scored["regions"], expected["regions"], strict=True):
        assert {name: row[name] for name in names} == {name: other[name] for name in names}
    assert scored["campaign"] == expected["campaign"]
    assert (scored["pixels"], set(scored["calibration"])) == ([], {"regions"})
    assert [(one.dice, one.wrong, one.pairs) for one in scorer.examples] == [
        (one.dice, one.wrong, one.pairs) for one in maps.examples
    ]
    assert "campaign: here" in sheet.to_text()
    assert "Pixels" not in sheet.to_text()
    assert len(Evaluation(sheet, scorer.examples, region_figures).write(tmp_path)) == 4


def test_outlines_give_their_pixels_back() -> None:
    """Exactly, but for holes, and for all but the largest part."""
    rng = np.random.default_rng(3)
    axes = geometry({30: 4.0})
    orbit = orbit_of(axes)
    psd = {"z": np.ones(orbit.shape)}
    for _ in range(40):
        import cv2

        noise = cv2.GaussianBlur(rng.random((40, 60)), (0, 0), 2.5)
        probability = np.zeros((64, 64))
        probability[:40, :60] = noise > 0.5
        regions = find_regions(probability, axes, RegionSettings(minimum_area=1, seed_pixels=1))
        masks = [region.mask for region in regions]
        for mask, row in zip(
            masks, measure_regions(orbit, psd, masks, source="", model=""), strict=True
        ):
            drawn = outline_mask(row["outline"], orbit.times, orbit.frequency)
            assert drawn is not None
            np.testing.assert_array_equal(drawn, mask)
    ring = np.zeros((40, 60), bool)
    ring[5:15, 5:15] = True
    full = ring.copy()
    ring[8:12, 8:12] = False
    (row,) = measure_regions(orbit, psd, [ring], source="", model="")
    np.testing.assert_array_equal(outline_mask(row["outline"], orbit.times, orbit.frequency), full)


def test_an_outline_of_elsewhere() -> None:
    stamps, frequency = times(), np.arange(40) * 100.0

    def at(seconds: float, hertz: float) -> list[dict[str, Any]]:
        start = stamps[0].astype("datetime64[us]").item().replace(tzinfo=UTC)
        return [{"time": start.fromtimestamp(start.timestamp() + seconds, UTC), "frequency": hertz}]

    mask = outline_mask(at(2.1, 110.0), stamps, frequency)
    assert mask is not None and np.argwhere(mask).tolist() == [[38, 1]]
    assert outline_mask(at(-3.0, 100.0), stamps, frequency) is None
    assert outline_mask(at(2.0, 4100.0), stamps, frequency) is None
    assert outline_mask([], stamps, frequency) is None
    # Without a zone it is UTC.
    naive = [{"time": datetime(2021, 11, 1, 0, 0, 2, 48000), "frequency": 0.0}]
    assert outline_mask(naive, stamps, frequency) is not None


def test_catalogs_that_do_not_fit(archive: Path, catalog: list[dict[str, Any]]) -> None:
    orbits = labelled_orbits(archive)
    rows = by_file(catalog)
    name = next(iter(rows))
    other = next(entry for entry in orbits.entries if entry.key.name != name)
    with pytest.raises(InputError, match="does not lie in"):
        score_rows({other.key.name: rows[name]}, orbits, SETTINGS)

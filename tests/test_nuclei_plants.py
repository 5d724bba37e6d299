"""Nuclei and controls planted in pictures made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.findings.regions import Region, RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import number_areas

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """A flat picture with a bright band at high frequencies and a bright moment."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(100, 3, (320, 512))
    grey[20:60] += 60
    grey[:, 500:] += 80
    return np.clip(grey, 0, 255).astype(np.uint8)


def test_a_picture_keeps_its_orientation_and_range() -> None:
    from nuclei_plants import BINS, GREY_DB, MEDIAN_LOG_PSD, ROWS, powers

    power = powers(picture(), np.random.default_rng(1))
    assert power.shape == (ROWS, BINS)
    decibels = 10 * np.log10(power[:990].mean(axis=0))
    # Lines 20 to 60 from the top are the frequencies 2 * (320 - 60) to 2 * (320 - 20).
    quiet, band = decibels[200:480].mean(), decibels[530:590].mean()
    assert band - quiet == pytest.approx(60 * GREY_DB / 255, abs=0.7)
    assert quiet == pytest.approx(10 * MEDIAN_LOG_PSD, abs=1.0)
    late = 10 * np.log10(power[1002:, 100:400].mean() / power[:990, 100:400].mean())
    assert late == pytest.approx(80 * GREY_DB / 255, abs=0.5)
    assert decibels[640 + 50] == pytest.approx(decibels[640 - 51], abs=1.0)  # mirrored


@pytest.mark.parametrize("contrast", [10.0, 14.0, 20.0])
def test_a_nucleus_is_what_the_definition_says(contrast: float) -> None:
    from nuclei_plants import nucleus

    for seed in range(20):
        plant = nucleus(np.random.default_rng(seed), contrast)
        assert plant.excess_db.max() == pytest.approx(contrast)
        np.testing.assert_array_equal(plant.mask, plant.excess_db >= 0.3 * contrast)
        assert 500 <= plant.mask.sum() <= 8000
        assert number_areas(plant.mask)[1] == 1
        edge = [plant.excess_db[0], plant.excess_db[-1], plant.excess_db[:, 0]]
        assert max(line.max() for line in edge) == 0
        inner = plant.excess_db >= 0.8 * contrast
        assert plant.mask[inner].all()  # brightest inside


def test_what_is_planted_has_the_level_that_it_says() -> None:
    from nuclei_plants import CONTRASTS_DB, with_nuclei

    flat = np.full((1024, 1024), 1e-8)
    total, planted = with_nuclei(flat, np.random.default_rng(3))
    assert [round(one.contrast_db) for one in planted] == list(CONTRASTS_DB)
    outside = np.rot90(total, 1)[~np.any([one.mask for one in planted], axis=0)]
    assert outside.min() >= 1e-8 * 0.999
    for one in planted:
        # Row 0 of the mask is the highest frequency; nothing is planted above the picture.
        assert not one.mask[: 1024 - 640].any()
        inside = np.rot90(total, 1)[one.mask] / 1e-8
        peak_db = 10 * np.log10(np.percentile(inside, 97))
        assert peak_db == pytest.approx(one.contrast_db, abs=2.5)
        # Speckle: the power is not smooth.
        assert np.std(np.diff(np.log(inside))) > 0.15
    assert not (planted[0].mask & planted[1].mask).any()


def test_controls_are_no_nuclei_and_repeatable() -> None:
    from nuclei_plants import powers, with_controls

    power = powers(picture(), np.random.default_rng(1))
    total, planted = with_controls(power, np.random.default_rng(2), 0)
    again, _ = with_controls(power, np.random.default_rng(2), 0)
    np.testing.assert_array_equal(total, again)
    assert [one.kind for one in planted] == ["box", "streak", "patch"]
    assert [round(one.contrast_db) for one in planted[1:]] == [14, 20]
    assert planted[0].contrast_db == pytest.approx(10, abs=0.1)
    turned = with_controls(power, np.random.default_rng(2), 1)[1]
    assert round(turned[0].contrast_db) == 14
    changed = np.rot90(total != power)
    for one in planted:
        assert changed[one.mask].mean() > 0.95


def region(mask: NDArray[np.bool_]) -> Region:
    return Region(mask, 0.9)


def square(line: int, column: int, side: int = 20) -> NDArray[np.bool_]:
    mask = np.zeros((100, 100), bool)
    mask[line : line + side, column : column + side] = True
    return mask


def test_plants_are_found_once_and_controls_are_touched() -> None:
    from nuclei_plants import Planted
    from nuclei_real import overlapped, touched

    plants = [Planted("nucleus", 10, square(0, 0)), Planted("nucleus", 14, square(50, 50))]
    assert overlapped(plants, []) == touched(plants, []) == [False, False]
    assert overlapped(plants, [region(square(2, 2))]) == [True, False]
    assert overlapped(plants, [region(square(0, 15))]) == [False, False]
    # A region that spills over a control, one that lies inside, one that only grazes it.
    assert touched(plants, [region(square(45, 45, 50))]) == [False, True]
    assert touched(plants, [region(square(5, 5, 4))]) == [True, False]
    assert touched(plants, [region(square(0, 15))]) == [False, False]


def test_what_was_there_before_does_not_count() -> None:
    from nuclei_real import Outcome, table_rows

    outcomes = [
        Outcome(0, "nucleus", 10.0, True, False),
        Outcome(0, "nucleus", 14.0, True, True),
        Outcome(1, "nucleus", 20.0, False, False),
        Outcome(1, "box", 10.0, True, True),
        Outcome(1, "streak", 14.0, True, False),
    ]
    rows = {row["of"]: row for row in table_rows(outcomes, 2)}
    assert (rows["nuclei found"]["found or refused"], rows["nuclei found"]["share"]) == (1, "0.333")
    assert rows["nuclei of 10 dB"]["share"] == "1.000"
    assert rows["controls refused"]["share"] == "0.500"
    assert rows["kind box"]["found or refused"] == 1


def test_a_search_of_pictures_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nuclei_real import Search, load_pictures, search_picture

    monkeypatch.delenv("ODM_REAL_DATA", raising=False)
    with pytest.raises(InputError, match="ODM_REAL_DATA is to name a folder"):
        load_pictures()
    monkeypatch.setenv("ODM_REAL_DATA", str(tmp_path))
    with pytest.raises(InputError, match="are not here"):
        load_pictures()
    flat = np.full((2, 320, 512), 100, np.uint8)
    np.savez(tmp_path / "real_spectrograms.npz", image=flat, name=np.array(["a", "b"]))

    def bright(images: NDArray[np.uint8]) -> NDArray[Any]:
        import cv2

        grey = images[..., 0].astype(np.float32)
        return np.stack([(cv2.blur(one, (3, 3)) > 135).astype(np.float32) for one in grey])

    search = Search(bright, OrbitImageSettings.relative(), RegionSettings(minimum_area=300))
    for number, one in enumerate(load_pictures()):
        outcomes, regions = search_picture(search, one, number)
        again, _ = search_picture(search, one, number)
        assert outcomes == again
        assert [each.kind for each in outcomes] == ["nucleus"] * 3 + ["box", "streak", "patch"]
        assert regions == 0
        assert [each.is_new for each in outcomes[1:4]] == [True] * 3

"""Relative images: what a pixel means, where it lies, and that gain has no part in it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.findings.regions import RegionSettings, find_regions, native_probability
from odm.images.canvas import clipped_share, valid_pixels
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.relative import compress, expand, mask_blocks, relative_levels
from odm.images.spectrogram import spectrogram_image

SETTINGS = OrbitImageSettings.relative()
ODD_ROWS = 1077


def geometry(rows: int = ODD_ROWS, bins: int = 1024) -> SpectrogramGeometry:
    times = np.datetime64("2021-04-01", "ns") + np.arange(rows) * np.timedelta64(2_048, "ms")
    frequency = np.arange(bins) * (50_000 / 2048)
    track = np.linspace(-60, 60, rows)
    return SpectrogramGeometry(times, frequency, track, track, SETTINGS)


def noise(rows: int = ODD_ROWS, bins: int = 1024) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (1e-4 * np.sqrt(rng.exponential(1, (rows, bins))) + 1e-6).astype(np.float32)


def blob_mask(rows: int = ODD_ROWS, bins: int = 1024) -> np.ndarray:
    """A native mask of an ellipse of 60 x 80 pixels around row 401 and index 302."""
    line, row = np.mgrid[0:bins, 0:rows]
    index = bins - 1 - line
    return ((row - 401) / 40) ** 2 + ((index - 302) / 30) ** 2 <= 1


# -- settings ------------------------------------------------------------------------------------


def test_settings_of_old_models_keep_their_bytes() -> None:
    old = OrbitImageSettings(-8.0, -2.0).to_dict()
    text = json.dumps(old, sort_keys=True)
    assert text == (
        '{"component": "z", "height": 1024, "maximum": -2.0, "minimum": -8.0, "mode": "native", '
        '"width": 1088}'
    )


def test_relative_settings_come_back() -> None:
    assert (SETTINGS.height, SETTINGS.width, SETTINGS.channels) == (160, 288, 2)
    assert OrbitImageSettings.from_dict(SETTINGS.to_dict()) == SETTINGS
    assert OrbitImageSettings(-8, -2).channels == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minimum": -8.0}, "a relative image has no limits"),
        ({"height": 192}, "a relative image is 160 pixels high"),
        ({"width": 300}, "give a multiple of 32"),
    ],
)
def test_relative_settings_that_cannot_be(changes: dict[str, float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        OrbitImageSettings.from_dict({"mode": "relative", **changes})


# -- the image -----------------------------------------------------------------------------------


def test_the_image_is_the_levels_on_a_canvas() -> None:
    amplitude = noise()
    image = spectrogram_image(amplitude, SETTINGS)
    assert image.shape == (160, 288, 2)
    assert np.array_equal(image[:, :270], relative_levels(amplitude))
    assert not image[:, 270:].any()
    assert valid_pixels(image)[:, :269].all()
    assert clipped_share(image) == (
        float((image[..., 0] == 1).sum() / valid_pixels(image).sum()),
        0.0,
    )


def test_gain_has_no_part_in_it() -> None:
    amplitude = noise(401)
    amplitude[:, 40:60] = 0  # a missing band
    image = spectrogram_image(amplitude, SETTINGS).astype(int)
    louder = spectrogram_image(amplitude * np.float32(10), SETTINGS).astype(int)
    assert np.array_equal(image > 0, louder > 0)
    assert np.abs(image - louder).max() <= 1


def test_a_half_orbit_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="1153 rows does not fit the relative canvas of 1152"):
        geometry(1153)
    with pytest.raises(InputError, match="does not fit"):
        spectrogram_image(noise(1153, 8), SETTINGS)


def test_fewer_frequencies_than_the_canvas_shows_leave_the_rest_invalid() -> None:
    image = spectrogram_image(noise(80, 400), SETTINGS)
    assert not image[:60].any() and valid_pixels(image)[60:, :20].all()


def test_values_are_decibels() -> None:
    decibels = np.array([[-20.0, 0.0, 3.0, 30.0]], np.float32)
    back = SETTINGS.to_values(np.repeat(compress(decibels)[..., None], 2, axis=2))
    np.testing.assert_allclose(back[..., 0], decibels, atol=0.4)
    assert np.isnan(expand(np.zeros((1, 1), np.uint8))).all()


# -- places --------------------------------------------------------------------------------------


def test_a_pixel_lies_in_the_middle_of_its_block() -> None:
    geo = geometry()
    assert geo.content == (160, 270)
    row, index = geo.to_native(np.array([0, 269]), np.array([159, 0]))
    np.testing.assert_allclose(row, [1.5, 1077.5])
    np.testing.assert_allclose(index, [1.5, 637.5])
    _, _, _, frequency = geo.to_physical(0, 0)
    assert frequency == pytest.approx(637.5 * 50_000 / 2048)
    y, x = np.mgrid[0:160, 0:270]
    back_x, back_y = geo.from_native(*geo.to_native(x, y))
    np.testing.assert_allclose(back_x, x, atol=1e-9)
    np.testing.assert_allclose(back_y, y, atol=1e-9)
    assert geo.column_of_row.tolist() == [row // 4 for row in range(ODD_ROWS)]


@pytest.mark.parametrize(("rows", "bins"), [(1077, 1024), (1001, 1024), (37, 640), (50, 401)])
def test_masks_of_whole_blocks_come_back(rows: int, bins: int) -> None:
    geo = geometry(rows, bins)
    rng = np.random.default_rng(rows)
    canvas = np.zeros((160, 288), np.uint8)
    shown = -(-min(bins, 640) // 4)
    # Of a block that is cut by the highest frequency, what remains decides.
    canvas[160 - shown :, : geo.content[1]] = rng.choice([0, 1, 255], (shown, geo.content[1]))
    if bins % 4:
        canvas[160 - shown] = 0
    native = geo.mask_to_native(canvas)
    assert native.shape == (bins, rows)
    assert np.array_equal(native[: max(0, bins - 640)], np.zeros((max(0, bins - 640), rows)))
    assert np.array_equal(geo.mask_from_native(native), canvas)


def test_the_class_of_most_pixels_wins_and_of_two_the_nucleus() -> None:
    mask = np.zeros((640, 8), np.uint8)
    block, last = mask[636:, :4], mask[636:, 4:]
    block[:2] = 1  # 8 of 16
    last[0], last[1:3] = 1, 255  # 4 and 8, before 4 of the background
    assert mask_blocks(mask)[159].tolist() == [1, 255]
    block[:2, 1:] = 255  # 2 and 6, against 8
    last[0, 0] = last[3] = 255
    assert mask_blocks(mask)[159].tolist() == [0, 255]
    mask[636:, 4:] = np.repeat([[1, 255]], 2, axis=1)
    assert mask_blocks(mask)[159].tolist() == [0, 1]
    assert mask_blocks(mask == 1).dtype == bool


def test_the_last_block_is_judged_by_the_rows_that_it_has() -> None:
    mask = np.zeros((1024, 5), np.uint8)
    mask[1020:, 4] = 1
    assert mask_blocks(mask)[159].tolist() == [0, 1]


def test_a_region_comes_back_at_its_place() -> None:
    geo, truth = geometry(), blob_mask()
    probability = geo.mask_from_native(truth).astype(np.float32)
    (region,) = find_regions(probability, geo, RegionSettings(threshold=0.5, low_threshold=0.5))
    overlap = (region.mask & truth).sum() / (region.mask | truth).sum()
    assert overlap > 0.93
    native = native_probability(probability, geo)
    assert native.shape == (1024, ODD_ROWS)
    assert not native[: 1024 - 640].any()

"""Ionogram images: grey levels, orientation, geometry both ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import odm
from odm.core.errors import InputError
from odm.images.ionogram import (
    IonogramImageSettings,
    cell_borders,
    ionogram_image,
    mask_from_canvas,
    mask_to_canvas,
    snr_image,
)
from tests.real import real_file

SETTINGS = IonogramImageSettings(
    minimum=-5, maximum=35, height=64, width=96,
    frequency_min=6e6, frequency_max=30e6, range_min=0, range_max=4800,
)  # fmt: skip


def axes(frequencies: int = 240, ranges: int = 640) -> tuple[np.ndarray, np.ndarray]:
    """Axes whose cells fill the window of `SETTINGS` exactly."""
    frequency = 6e6 + (np.arange(frequencies) + 0.5) * 24e6 / frequencies
    return frequency, (np.arange(ranges) + 0.5) * 4800 / ranges


def test_up_is_far_and_right_is_high() -> None:
    frequency, ranges = axes()
    snr = np.full((240, 640), -5.0)
    snr[200:, 600:] = 35.0  # high frequency, long range
    image = snr_image(snr, frequency, ranges, SETTINGS)
    assert image.shape == (64, 96)
    assert image[0, -1] == 255
    assert image[-1, 0] == image[0, 0] == image[-1, -1] == 1
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    hz, km = SETTINGS.to_physical(x, y)
    bright = image == 255
    assert hz[bright].min() > 6e6 + 200 / 240 * 24e6
    assert km[bright].min() > 600 / 640 * 4800


@pytest.mark.parametrize("size", [(240, 640), (60, 50), (96, 64), (37, 1001)])
def test_a_pixel_is_the_mean_of_what_it_covers(size: tuple[int, int]) -> None:
    """A plane over frequency and range stays one, from a finer or a coarser matrix."""
    frequency, ranges = axes(*size)
    snr = (frequency[:, None] - 6e6) / 24e6 * 20 + ranges[None] / 4800 * 10
    values = SETTINGS.to_values(snr_image(snr, frequency, ranges, SETTINGS))
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    hz, km = SETTINGS.to_physical(x, y)
    expected = (hz - 6e6) / 24e6 * 20 + km / 4800 * 10
    step = 20 / size[0] + 10 / size[1] + 40 / 254
    assert np.abs(values - expected).max() < step


def test_invalid_and_beyond_are_0_and_lend_nothing() -> None:
    frequency, ranges = axes()
    snr = np.full((240, 640), 20.0)
    snr[:120] = np.nan
    image = snr_image(snr, frequency, ranges, SETTINGS)
    assert (image[:, :48] == 0).all()
    np.testing.assert_allclose(SETTINGS.to_values(image[:, 48:]), 20, atol=0.1)
    near = snr_image(np.full((240, 320), 20.0), frequency, ranges[:320], SETTINGS)
    assert (near[:32] == 0).all()
    assert (near[32:] > 0).all()
    far_off = snr_image(np.full((240, 640), 20.0), frequency + 100e6, ranges, SETTINGS)
    assert (far_off == 0).all()


def test_uneven_frequencies_and_gaps() -> None:
    frequency = np.array([6.5e6, 7.5e6, 8.5e6, 20.5e6, 21.5e6])
    lower, upper = cell_borders(frequency)
    np.testing.assert_allclose(lower, [6e6, 7e6, 8e6, 20e6, 21e6])
    np.testing.assert_allclose(upper, [7e6, 8e6, 9e6, 21e6, 22e6])
    snr = np.repeat(np.arange(5.0)[:, None] * 5, 640, axis=1)
    image = snr_image(snr, frequency, axes()[1], SETTINGS)
    measured = (image > 0).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(measured), [*range(12), *range(56, 64)])
    values = SETTINGS.to_values(image)[0]
    np.testing.assert_allclose(values[[0, 5, 11, 57, 63]], [0, 5, 10, 15, 20], atol=0.1)


def test_geometry_both_ways() -> None:
    x, y = np.meshgrid(np.linspace(-0.5, 95.5, 20), np.linspace(-0.5, 63.5, 20))
    there = SETTINGS.to_pixel(*SETTINGS.to_physical(x, y))
    np.testing.assert_allclose(there, (x, y), atol=1e-9)
    hz, km = SETTINGS.to_physical([-0.5, 95.5], [63.5, -0.5])
    np.testing.assert_allclose(hz, [6e6, 30e6])
    np.testing.assert_allclose(km, [0, 4800])
    box = (8e6, 20e6, 500.0, 3000.0)
    np.testing.assert_allclose(SETTINGS.box_to_physical(*SETTINGS.box_to_pixels(*box)), box)
    whole = SETTINGS.box_to_pixels(1e6, 90e6, -50, 9000)
    assert whole == (0, 0, 96, 64)


def test_masks_to_the_canvas_and_back() -> None:
    frequency, ranges = axes()
    mask = np.zeros((240, 640), dtype=bool)
    mask[100:160, 200:500] = True
    canvas = mask_to_canvas(mask, frequency, ranges, SETTINGS)
    left, top, right, bottom = SETTINGS.box_to_pixels(16e6, 22e6, 1500.0, 3750.0)
    assert canvas.sum() == pytest.approx((right - left) * (bottom - top), rel=0.05)
    back = mask_from_canvas(canvas, frequency, ranges, SETTINGS)
    assert (back.astype(bool) ^ mask).mean() < 0.005


def test_settings_that_cannot_be() -> None:
    assert IonogramImageSettings.from_dict(SETTINGS.to_dict()) == SETTINGS
    for wrong in (
        {"minimum": 5.0, "maximum": 5.0}, {"height": 100}, {"width": 0}, {"range_max": -1.0},
        {"frequency_min": float("nan")}, {"colour": 1},
    ):  # fmt: skip
        with pytest.raises(InputError):
            IonogramImageSettings.from_dict(wrong)


def test_a_dataset_becomes_an_image() -> None:
    frequency, ranges = axes()
    ds = xr.Dataset(
        {"snr": (("frequency", "group_range"), np.full((240, 640), 15.0, np.float32))},
        {"frequency": frequency, "group_range": ranges},
    )
    image = ionogram_image(ds, SETTINGS)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(SETTINGS.to_values(image), 15, atol=0.1)


def test_a_real_vertical_ionogram_has_its_place_in_the_window() -> None:
    ds = odm.open_ionogram(real_file("JM91J_2020276055804.ngi"))
    settings = IonogramImageSettings(
        frequency_min=1e6, frequency_max=16e6, range_max=800.0, height=320, width=320
    )
    image = ionogram_image(ds, settings)
    x, y = settings.to_pixel(3e6, 228.0)
    trace = image[round(float(y)) - 6 : round(float(y)) + 7, round(float(x))]
    assert trace.max() > 200
    assert np.median(image[image > 0]) < 60


def test_a_truth_without_its_columns_is_told(tmp_path: Path) -> None:
    """A column that is missing is no damage: it is named, whoever asked for it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from odm.core.errors import AnnotationError
    from odm.images.layer_truth import read_layers, read_truth

    path = tmp_path / "truth.parquet"
    pq.write_table(pa.table({"ionogram_id": ["a"], "layer": ["F"], "range_min": [200.0]}), path)
    assert read_truth(path, ["layer"]) == [{"layer": "F"}]
    with pytest.raises(AnnotationError, match=r"has no column mask$"):
        read_truth(path, ["layer", "mask"])
    with pytest.raises(AnnotationError, match="no columns frequency_max, frequency_min, range_max"):
        read_layers(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AnnotationError, match="damaged table of truth"):
        read_truth(path, ["layer", "mask"])


def test_known_layers_are_drawn(tmp_path: Path) -> None:
    import cv2

    from odm.images.layer_truth import read_layers
    from odm.images.pictures.ionogram import draw_ionogram
    from odm.simulate.ionogram.archive import simulate_ionograms
    from odm.simulate.ionogram.recipe import IonogramSimulation

    simulate_ionograms(
        tmp_path / "a", IonogramSimulation(count=1, seed=1, kind="mixed", difficulty=0.0)
    )
    ((stem, layers),) = read_layers(tmp_path / "a").items()
    ds = odm.open_ionogram(tmp_path / "a" / f"{stem}.npz")
    draw_ionogram(tmp_path / "plain.png", ds)
    draw_ionogram(tmp_path / "drawn.png", ds, layers=layers)
    plain, drawn = (cv2.imread(str(tmp_path / name)) for name in ("plain.png", "drawn.png"))
    assert plain.shape == drawn.shape
    lime = (drawn[..., 1] > 230) & (drawn[..., 0] < 60) & (drawn[..., 2] < 60)
    assert lime.sum() > 150
    # What is known is dashed, so that it is not taken for what was found.
    found = [replace(layer, found=True) for layer in layers]
    draw_ionogram(tmp_path / "found.png", ds, layers=found)
    pixels = cv2.imread(str(tmp_path / "found.png"))
    whole = (pixels[..., 1] > 230) & (pixels[..., 0] < 60) & (pixels[..., 2] < 60)
    assert whole.sum() > 1.3 * lime.sum()
    assert not ((plain[..., 1] > 230) & (plain[..., 0] < 60) & (plain[..., 2] < 60)).any()

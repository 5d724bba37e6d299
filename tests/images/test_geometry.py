"""Pixel → physical → pixel is the identity, and the values are right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odm.core.errors import InputError
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry

STEP = np.timedelta64(2_048, "ms")
T0 = np.datetime64("2021-04-01T01:22:03.250", "ns")
K = 1024
FREQUENCY = np.arange(K) * (50_000 / 2048)


def geometry(
    rows: int = 1000, gap_at: int | None = None, **settings_: object
) -> SpectrogramGeometry:
    times = T0 + np.arange(rows) * STEP
    if gap_at is not None:
        times[gap_at:] += np.timedelta64(91_500, "ms")
    longitude = np.mod(np.linspace(175, 190, rows) + 180, 360) - 180  # across the date line
    chosen = OrbitImageSettings(-9, -5, **settings_)  # type: ignore[arg-type]
    return SpectrogramGeometry(times, FREQUENCY, np.linspace(-65, 65, rows), longitude, chosen)


NATIVE: dict[str, object] = {}
RESIZED = {"mode": "resized", "height": 256, "width": 320}
ENLARGED = {"mode": "resized", "height": 2048, "width": 2048}
CASES = [(s, gap) for s in (NATIVE, RESIZED, ENLARGED) for gap in (None, 400)]


@pytest.mark.parametrize(("chosen", "gap"), CASES)
def test_every_pixel_comes_back(chosen: dict[str, object], gap: int | None) -> None:
    geo = geometry(gap_at=gap, **chosen)
    height, width = geo.content
    y, x = np.mgrid[0 : height : max(1, height // 100), 0:width]
    time, latitude, longitude, frequency = geo.to_physical(x, y)
    back_x, back_y = geo.to_pixel(time, frequency)
    np.testing.assert_allclose(back_x, x, atol=1e-6)
    np.testing.assert_allclose(back_y, y, atol=1e-6)
    assert (np.diff(time[0]) > np.timedelta64(0)).all()
    assert (np.abs(longitude) <= 180).all()
    assert (np.abs(latitude) <= 65.2).all()


@given(
    x=st.floats(-0.5, 999.5),
    y=st.floats(-0.5, 1023.5),
    rows=st.integers(1000, 1077),
    gap=st.integers(1, 999),
)
@settings(max_examples=200)
def test_fractions_of_a_pixel_come_back(x: float, y: float, rows: int, gap: int) -> None:
    geo = geometry(rows, gap)
    time, _, _, frequency = geo.to_physical(x, y)
    back_x, back_y = geo.to_pixel(time, frequency)
    assert back_x == pytest.approx(x, abs=1e-6)
    assert back_y == pytest.approx(y, abs=1e-6)


def test_native_pixels_are_the_stored_rows_and_frequencies() -> None:
    geo = geometry(gap_at=400)
    x = np.arange(1000)
    time, latitude, longitude, frequency = geo.to_physical(x, np.zeros(1000))
    np.testing.assert_array_equal(time, geo.times)
    np.testing.assert_allclose(latitude, np.linspace(-65, 65, 1000))
    np.testing.assert_allclose(np.mod(longitude, 360), np.linspace(175, 190, 1000))
    assert (frequency == FREQUENCY[-1]).all()  # row 0 is the highest
    assert geo.to_physical(0, K - 1)[3] == FREQUENCY[0]


def test_longitude_between_two_columns_at_the_date_line() -> None:
    frequency = [0.0, 1.0]
    geo = SpectrogramGeometry(
        [T0, T0 + STEP], frequency, [0, 1], [179.5, -179.5], OrbitImageSettings(-9, -5)
    )
    assert abs(geo.to_physical(0.5, 0)[2]) == pytest.approx(180)
    assert geo.to_physical(0.75, 0)[2] == pytest.approx(-179.75)


def test_a_position_that_is_not_known_is_bridged() -> None:
    latitude = np.array([10.0, np.nan, 12.0])
    geo = SpectrogramGeometry(
        T0 + np.arange(3) * STEP, [0.0, 1.0], latitude, latitude, OrbitImageSettings(-9, -5)
    )
    assert geo.to_physical(1, 0)[1] == pytest.approx(11)


def test_a_longitude_that_is_not_known_is_bridged_across_the_date_line() -> None:
    longitude = [179.0, np.nan, -179.0]
    geo = SpectrogramGeometry(
        T0 + np.arange(3) * STEP, [0.0, 1.0], [0, 1, 2], longitude, OrbitImageSettings(-9, -5)
    )
    assert abs(geo.to_physical(1, 0)[2]) == pytest.approx(180)


def test_resized_pixels_are_where_the_scaling_puts_them() -> None:
    geo = geometry(1000, mode="resized", height=512, width=512)
    row, index = geo.to_native(0, 0)
    assert row == pytest.approx(0.5 * 1000 / 512 - 0.5)
    assert index == pytest.approx(1023 - (0.5 * 2 - 0.5))
    # The image's outer edges are the outer edges of the data.
    np.testing.assert_allclose(geo.to_native([-0.5, 511.5], [0, 0])[0], [-0.5, 999.5])


def test_the_middle_of_a_gap_is_the_border_between_its_columns() -> None:
    geo = geometry(gap_at=400)
    before, after = geo.times[399], geo.times[400]
    assert geo.to_pixel(before + (after - before) / 2, 0.0)[0] == pytest.approx(399.5)


@pytest.mark.parametrize("chosen", [NATIVE, ENLARGED])
def test_masks_come_back(chosen: dict[str, object]) -> None:
    geo = geometry(**chosen)
    mask = np.random.default_rng(0).integers(0, 3, (K, 1000)).astype(np.uint8)
    canvas = geo.mask_from_native(mask)
    assert canvas.shape == geo.shape
    np.testing.assert_array_equal(geo.mask_to_native(canvas), mask)


def test_a_half_orbit_too_long_for_its_canvas_is_refused() -> None:
    with pytest.raises(InputError, match=r"1089 rows .* does not fit the native canvas of 1088"):
        geometry(1089)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"minimum": -5, "maximum": -9}, "minimum below a maximum"),
        ({"minimum": float("nan"), "maximum": -9}, "minimum below a maximum"),
        ({"minimum": -9, "maximum": -5, "width": 1000}, "width 1000: give a multiple of 32"),
        ({"minimum": -9, "maximum": -5, "mode": "cropped"}, "native, resized or relative"),
        ({"minimum": -9, "maximum": -5, "colour": 1}, "unknown key 'colour' in the image settings"),
        ({"minimum": -9}, "image maximum is missing"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        OrbitImageSettings.from_dict(values)


def test_settings_come_back() -> None:
    chosen = OrbitImageSettings(-9, -5, mode="resized", height=512, width=512)
    assert OrbitImageSettings.from_dict(chosen.to_dict()) == chosen

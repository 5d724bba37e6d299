"""The picture shows what is where: looked at by its pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from odm.archive.orbit.reader import Orbit, read_orbit
from odm.images.pictures.orbit import draw_orbit, to_regular_grid
from tests.lookalike import contents, write


def orbit_of(tmp_path: Path, **changes: np.ndarray) -> Orbit:
    data = contents(rows=200, columns=256) | changes
    data["A133_P"] = np.full((200, 256), 1e-4)
    data["A133_P"][20:60, 200:240] = 1e-2  # early, high frequency
    return read_orbit(write(tmp_path, data))


def drawn(tmp_path: Path, orbit: Orbit, **options: object) -> np.ndarray:
    path = tmp_path / "picture.png"
    draw_orbit(path, orbit, limits=(-8.5, -3.5), **options)  # type: ignore[arg-type]
    return cv2.imread(str(path)).astype(int)  # blue, green, red


def centre(found: np.ndarray) -> tuple[float, float]:
    """Mean row and column as shares of the picture."""
    rows, columns = np.nonzero(found)
    return rows.mean() / found.shape[0], columns.mean() / found.shape[1]


def test_high_frequency_is_at_the_top_and_time_runs_to_the_right(tmp_path: Path) -> None:
    image = drawn(tmp_path, orbit_of(tmp_path))
    width = int(0.8 * image.shape[1])  # without the colour bar
    yellow = (image[:, :width, 2] > 170) & (image[:, :width, 1] > 190) & (image[:, :width, 0] < 90)
    assert yellow.sum() > 5_000
    row, column = centre(yellow)
    assert row < 0.3
    assert column < 0.35


def test_the_outline_lies_around_the_region(tmp_path: Path) -> None:
    mask = np.zeros((256, 200), dtype=bool)
    mask[255 - 239 : 255 - 199, 20:60] = True
    image = drawn(tmp_path, orbit_of(tmp_path), outlines=[mask])
    plain = drawn(tmp_path, orbit_of(tmp_path))
    red = (image[..., 2] > 200) & (image[..., 1] < 90) & (image[..., 0] < 90)
    assert red.sum() > 300
    assert not ((plain[..., 2] > 200) & (plain[..., 1] < 90) & (plain[..., 0] < 90)).any()
    inside = red[int(0.09 * image.shape[0]) :]  # without the legend above the axes
    row, column = centre(inside)
    assert row + 0.09 < 0.35
    assert column < 0.35


def test_a_gap_is_as_wide_as_it_was_and_empty(tmp_path: Path) -> None:
    data = contents(rows=200, columns=256)
    times = data["VERSE_TIME"]
    times[100:] += 50 * 2048
    del data["UTC_TIME"]
    orbit = read_orbit(write(tmp_path, data))
    grid = to_regular_grid(orbit, orbit.psd())
    assert grid.shape == (250, 256)
    assert np.isnan(grid[100:150]).all()
    assert np.isfinite(grid[:100]).all()
    assert np.isfinite(grid[150:]).all()


def test_stamps_of_whole_seconds_make_no_gap(tmp_path: Path) -> None:
    data = contents(rows=200, columns=256)
    data["UTC_TIME"] = data["UTC_TIME"] // 1000
    del data["VERSE_TIME"]
    orbit = read_orbit(write(tmp_path, data))
    assert set(np.diff(orbit.times) / np.timedelta64(1, "s")) == {2.0, 3.0}
    assert to_regular_grid(orbit, orbit.psd()).shape == (200, 256)


@pytest.mark.timeout(60)
def test_a_clock_that_jumps_a_year_does_not_fill_the_memory(tmp_path: Path) -> None:
    data = contents(rows=200, columns=256)
    data["VERSE_TIME"][100:] += 365 * 86_400_000
    del data["UTC_TIME"]
    orbit = read_orbit(write(tmp_path, data))
    assert to_regular_grid(orbit, orbit.psd()).shape[0] < 1000
    assert drawn(tmp_path, orbit).shape[0] > 300

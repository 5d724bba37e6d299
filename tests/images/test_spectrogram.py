"""Amplitudes to grey levels and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from odm.core.errors import ArchiveError, InputError
from odm.images.canvas import clipped_share
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import (
    estimate_limits,
    geometry_of,
    read_spectrogram,
    resize,
    spectrogram_image,
)
from tests.lookalike import contents, write

SETTINGS = OrbitImageSettings(-9, -5, height=1024, width=64)
STEP = 4 / 254


def amplitude_of(log_psd: object) -> np.ndarray:
    return 10 ** (np.asarray(log_psd, dtype=np.float64) / 2)


def test_rows_are_frequency_and_columns_are_time() -> None:
    amplitude = np.full((60, 1024), amplitude_of(-9))
    amplitude[3, 1000] = amplitude_of(-5)
    image = spectrogram_image(amplitude, SETTINGS)
    assert image.shape == (1024, 64)
    assert image.dtype == np.uint8
    assert np.argwhere(image == 255).tolist() == [[1023 - 1000, 3]]
    assert (image[:, 60:] == 0).all()  # padding
    assert (image[:, :60] > 0).all()


def test_known_levels() -> None:
    values = [-12, -9, -9 + 0.49 * STEP, -9 + 0.51 * STEP, -7, -5, 3]
    amplitude = np.tile(amplitude_of(values), (2, 1))
    grey = spectrogram_image(amplitude, OrbitImageSettings(-9, -5, height=32, width=32))
    assert grey[:7, 0][::-1].tolist() == [1, 1, 1, 2, 128, 255, 255]


@pytest.mark.parametrize("dtype", ["<f8", "<f4", ">f8"])
def test_within_one_level_of_float64(dtype: str) -> None:
    rng = np.random.default_rng(4)
    log_psd = rng.uniform(-9.5, -4.5, (60, 1024))
    exact = np.clip(np.floor(1.5 + (log_psd + 9) / STEP), 1, 255)
    image = spectrogram_image(amplitude_of(log_psd).astype(dtype), SETTINGS)[:, :60]
    difference = np.abs(np.rot90(image, -1).astype(int) - exact)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_no_measurement_is_zero() -> None:
    amplitude = np.full((60, 1024), 1e-4)
    amplitude[0, :8] = [-9999, -99999, -999999, np.nan, 0, -1, np.inf, 9.97e36]
    image = spectrogram_image(amplitude, SETTINGS)
    assert (image[1016:, 0] == 0).all()
    assert (image[:, :60] == 0).sum() == 8


def test_back_to_physical_units() -> None:
    log_psd = np.linspace(-9, -5, 60 * 1024).reshape(60, 1024)
    image = spectrogram_image(amplitude_of(log_psd), SETTINGS)
    back = SETTINGS.to_values(image)
    assert np.isnan(back[:, 60:]).all()
    np.testing.assert_allclose(np.rot90(back[:, :60], -1), log_psd, atol=STEP / 2 + 1e-5)


def test_scaling_ignores_what_is_invalid() -> None:
    image = np.full((64, 64), 100, dtype=np.uint8)
    image[:32] = 200
    image[:, :16] = 0
    image[40, 40] = 0  # one of four: the mean of the other three
    image[50, 50:52] = image[51, 50] = 0  # three of four: invalid
    small = resize(image, 32, 32)
    assert small[25, 25] == 0
    small[25, 25] = 100
    assert (small[:, :8] == 0).all()
    assert (small[:16, 8:] == 200).all()
    assert (small[16:, 8:] == 100).all()


def test_scaling_keeps_the_mean() -> None:
    image = np.random.default_rng(0).integers(1, 255, (1024, 1000)).astype(np.uint8)
    assert resize(image, 512, 512).mean() == pytest.approx(image.mean(), abs=0.6)


def test_read_image(tmp_path: Path) -> None:
    data = contents()
    path = write(tmp_path, data)
    image, orbit = read_spectrogram(path, SETTINGS)
    np.testing.assert_array_equal(image, spectrogram_image(data["A133_P"], SETTINGS))
    assert orbit.amplitude == {}
    assert geometry_of(orbit, SETTINGS).content == (1024, 60)
    with pytest.raises(ArchiveError, match="does not fit the native canvas"):
        read_spectrogram(path, OrbitImageSettings(-9, -5, height=1024, width=32))


def test_limits_are_the_percentiles_of_all_files(tmp_path: Path) -> None:
    paths = []
    for number, low in enumerate((-9.0, -7.0)):
        data = contents()
        data["A133_P"] = amplitude_of(np.linspace(low, low + 2, 60 * 1024).reshape(60, 1024))
        data["A133_P"][0, 0] = -9999
        paths.append(write(tmp_path, data, name=f"{number}.h5"))
    low, high = estimate_limits(paths, percentiles=(10, 90))
    assert low == pytest.approx(-8.6, abs=0.002)
    assert high == pytest.approx(-5.4, abs=0.002)


def test_limits_need_a_readable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        estimate_limits([tmp_path / "none.h5"])
    with pytest.raises(InputError, match="percentiles"):
        estimate_limits([], percentiles=(99, 1))


def test_clipped_share() -> None:
    image = np.array([[0, 0, 1, 255], [255, 255, 100, 50]], dtype=np.uint8)
    assert clipped_share(image) == (1 / 6, 3 / 6)

"""The method without learning on images whose answer is plain."""

import numpy as np
import pytest

from odm.models.networks.classical import BlobSettings, blob_response, detect_blobs

HEIGHT, WIDTH = 512, 480


@pytest.fixture
def image():
    """Log PSD noise over a steep background, a blob at row 200 and column 300, a line, a streak."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    values = -8 + 2 * rows / HEIGHT + 0.2 * rng.standard_normal((HEIGHT, WIDTH))
    values += 1.0 * np.exp(-((rows - 200) ** 2 + (columns - 300) ** 2) / (2 * 14.0**2))
    values[100] += 2
    values[:, 80] += 1
    return values.astype(np.float32)


def test_the_blob_is_found_alone(image):
    found = detect_blobs(image)
    assert found.shape == image.shape
    assert found[200, 300] > 0.5
    rows, columns = np.nonzero(found)
    assert abs(rows.mean() - 200) < 4
    assert abs(columns.mean() - 300) < 4
    assert 500 < len(rows) < 4000
    assert set(np.unique(found)) == {0.0, found[200, 300]}


def test_nothing_is_found_in_noise(image):
    noise = np.random.default_rng(1).standard_normal(image.shape).astype(np.float32)
    assert detect_blobs(0.2 * noise - 8).max() == 0


def test_invalid_values_and_grey_levels(image):
    broken = image.copy()
    broken[:, 150:170] = np.nan
    broken[350] = np.nan
    assert detect_blobs(broken)[200, 300] > 0.5
    grey = np.clip((image + 9) / 4 * 254 + 1, 1, 255).astype(np.uint8)
    grey[:, 150:170] = 0
    assert detect_blobs(grey)[200, 300] > 0.5
    assert np.isfinite(blob_response(np.full((64, 64), np.nan, np.float32), BlobSettings())).all()


def test_thresholds_decide(image):
    strict = BlobSettings(threshold=200.0)
    assert detect_blobs(image, strict).max() == 0
    large = BlobSettings(minimum_area=20_000)
    assert detect_blobs(image, large).max() == 0


def test_a_gap_in_even_noise_is_no_detection():
    rng = np.random.default_rng(2)
    noise = rng.normal(200, 4, (HEIGHT, WIDTH)).clip(1, 255).astype(np.uint8)
    noise[:, 150:190] = 0  # a gap
    noise[300:360, 300:380] = 0  # and a patch: grey level 0 would be 50 deviations dark
    assert detect_blobs(noise).max() == 0
    values = np.where(noise == 0, np.nan, -8 + noise / 100).astype(np.float32)
    assert detect_blobs(values).max() == 0
    # Nor is what an archive fills in, -9999 or 0 before it is made NaN, seen as a bright one.
    assert np.abs(blob_response(values, BlobSettings())).max() < BlobSettings().threshold


@pytest.mark.parametrize("kind", ["nan", "grey"])
def test_a_detection_does_not_cover_invalid_pixels(image, kind: str) -> None:
    hole = np.zeros(image.shape, dtype=bool)
    hole[195:205, 290:310] = True  # in the middle of the blob
    if kind == "nan":
        broken = np.where(hole, np.float32(np.nan), image)
    else:
        broken = np.clip((image + 9) / 4 * 254 + 1, 1, 255).astype(np.uint8)
        broken[hole] = 0
    found = detect_blobs(broken)
    assert found[~hole].max() > 0.5
    assert found[hole].max() == 0

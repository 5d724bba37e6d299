"""What the policy ``randomised`` does to a whole pass: levels that change, and what receivers do.

All amplitudes are assumed here, without a source.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from odm.images.canvas import Image
from odm.images.masks import IGNORED
from odm.images.nucleus import OUTLINE_SHARE, WEAKEST_DB
from odm.images.primitives import smooth_field
from odm.images.sky import (
    LARGEST,
    SMALLEST,
    Floats,
    Sky,
    in_decibels,
    power,
    speckle_db,
    spread_noise_db,
)

Disturbance = Callable[[Sky, np.random.Generator], None]


def between(rng: np.random.Generator, least: float, most: float) -> np.float32:
    """Draw a positive amplitude evenly by its logarithm: many are mild, some violent."""
    return np.float32(np.exp(rng.uniform(np.log(least), np.log(most))))


def smooth(sky: Sky, rng: np.random.Generator) -> None:
    """Add a smooth random field; its blobs that could be nuclei are ignored."""
    scales = np.exp(rng.uniform(np.log(8), np.log(100), 2))
    strongest = 1.0 if scales.max() < 30 else 2.5 if scales.min() < 25 else 4.0
    field = between(rng, 0.2, strongest) * smooth_field(rng, sky.shape, *scales)
    sky.decibels += field
    _ignore_blobs(sky, field)


def bands(sky: Sky, rng: np.random.Generator) -> None:
    """Raise or lower bands of frequency and stretches of time, with soft sides."""
    for axis in rng.integers(0, 2, int(rng.integers(1, 3))):
        size = sky.shape[axis]
        place = np.arange(size, dtype=np.float32) - np.float32(rng.uniform(0, size))
        width = between(rng, 3, 60)
        level = np.float32(rng.uniform(-6, 10)) * np.exp(-((place / width) ** 2))
        # A band of the whole length would be background; so it changes along its length.
        other = sky.shape[1 - axis]
        along = np.clip(smooth_field(rng, (1, other), 1, rng.uniform(60, 200))[0], 0, 2)
        field = level[:, None] * along[None]
        field = field if axis == 0 else field.T
        sky.decibels += field
        _ignore_blobs(sky, field)


def _ignore_blobs(sky: Sky, field: Floats) -> None:
    """Ignore the blobs of a smooth field that stand out of it as a nucleus does, at any level."""
    # A third of the resolution is enough for what has no detail, and nine times as fast.
    coarse = np.ascontiguousarray(field[1::3, 1::3])
    undecided = np.zeros(coarse.shape, np.uint8)
    # An outline at 30 % of a peak of 3 dB lies 2.1 dB below the peak; a part of a dB less makes up
    # for the coarse pixels and levels.
    prominence = 0.8 * (1 - OUTLINE_SHARE) * WEAKEST_DB
    top = float(coarse.max()) - prominence
    for level in np.arange(max(float(coarse.min()), top - 12), top + 0.01, 0.5):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            (coarse >= level).astype(np.uint8), connectivity=8
        )
        width, height, area = stats[:, 2], stats[:, 3], 9 * stats[:, 4]
        fits = (area >= 0.8 * SMALLEST) & (area <= LARGEST)
        fits &= np.maximum(width, height) <= 5 * np.minimum(width, height)
        for number in np.flatnonzero(fits[1:]) + 1:
            left, upper = stats[number, :2]
            window = (
                slice(upper, upper + height[number]),
                slice(left, left + width[number]),
            )
            own = labels[window] == number
            if float(coarse[window][own].max()) - level >= prominence:
                undecided[window][own] = 1
    if undecided.any():
        size = (sky.shape[1], sky.shape[0])
        grown = cv2.resize(undecided, size, interpolation=cv2.INTER_NEAREST)
        sky.mask[(grown > 0) & (sky.mask == 0)] = IGNORED


def steps(sky: Sky, rng: np.random.Generator) -> None:
    """Change the level at a moment by up to 10 dB, for all frequencies or some."""
    rows, columns = sky.shape
    x = np.arange(columns, dtype=np.float32)
    for _ in range(int(rng.integers(1, 3))):
        soft = np.float32(rng.choice((0.1, 1.0, 8.0)))
        rise = 0.5 * (1 + np.tanh((x - np.float32(rng.uniform(0, columns))) / soft))
        level = np.full((rows, 1), rng.uniform(-10, 10), dtype=np.float32)
        if rng.random() < 0.5:  # another spectrum after the step
            level = level * np.clip(smooth_field(rng, (rows, 1), rng.uniform(10, 80), 1), -1.5, 1.5)
        sky.decibels += level * rise[None]


def lines(sky: Sky, rng: np.random.Generator) -> None:
    """Lines at nearly constant frequency, 0.1 to 10 pixels wide, that come and go."""
    rows, columns = sky.shape
    for _ in range(int(rng.integers(1, 6))):
        width = float(between(rng, 0.1, 10))
        drift = rng.uniform(-0.03, 0.03) * (rng.random() < 0.3) * np.arange(columns)
        place = (rng.uniform(0, rows) + drift).astype(np.float32)[None]
        top, bottom = int(place.min() - 1.5 * width) - 1, int(place.max() + 1.5 * width) + 2
        window = (slice(max(0, top), min(rows, bottom)), slice(0, columns))
        if window[0].stop <= window[0].start:
            continue
        y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        # Narrower than a pixel it takes a part of the block and is one row of pixels.
        half = np.float32(max(width, 1.0) / 1.665)
        on = smooth_field(rng, (1, columns), 1, rng.uniform(2, 60)) > rng.uniform(-1.5, 1)
        excess = between(rng, 2, 25) * np.exp(-(((y - place) / half) ** 2)) * on
        if excess.max() > 0:
            sky.put(rng, window, excess.astype(np.float32), min(1.0, max(width, 0.0625)))


def impulses(sky: Sky, rng: np.random.Generator) -> None:
    """Single rows of the file with power at all, or a range of, frequencies."""
    rows, columns = sky.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    for _ in range(int(rng.poisson(6)) + 1):
        column = int(rng.integers(columns))
        window = (slice(0, rows), slice(column, column + 1))
        top = np.float32(rng.uniform(-40, rows * 0.7))
        fade = np.exp(-np.maximum(y - top, 0) / np.float32(rng.uniform(20, 300)))
        excess = np.float32(rng.uniform(3, 20)) * np.where(y > top, fade, 0)
        sky.add(rng, window, excess.astype(np.float32), float(rng.choice((0.25, 0.5, 1.0))))


def smear(sky: Sky, rng: np.random.Generator) -> None:
    """Blur in time, in frequency, or both, by ``sky.blur``."""
    rows, columns = (max(0.1, deviation) for deviation in sky.blur)
    valid = (~np.isnan(sky.decibels)).astype(np.float32)

    def blurred(values: Floats) -> Floats:
        smeared = cv2.GaussianBlur(values, (0, 0), sigmaX=columns, sigmaY=rows)
        return np.asarray(smeared, dtype=np.float32)

    # What is invalid lends nothing to its neighbours.
    mean = blurred(power(np.nan_to_num(sky.decibels)) * valid) / np.maximum(blurred(valid), 1e-3)
    sky.decibels = np.where(valid > 0, in_decibels(np.maximum(mean, 1e-6)), np.float32(np.nan))


def speckle(sky: Sky, rng: np.random.Generator) -> None:
    """Fresh noise as of 1 to 50 averaged spectra, and the spread that comes with it."""
    looks = float(between(rng, 1, 50))
    sky.decibels += speckle_db(rng, sky.shape, looks)
    sky.spread += spread_noise_db(rng, sky.shape, looks)


def saturate(sky: Sky, rng: np.random.Generator) -> None:
    """Clip what is above a ceiling, which depends on frequency, for all of the pass or a part."""
    rows, columns = sky.shape
    start, stop = np.sort(rng.integers(0, columns + 1, 2))
    part = slice(0, columns) if rng.random() < 0.4 else slice(int(start), int(stop))
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    ceiling = np.float32(rng.uniform(5, 22)) + np.float32(rng.uniform(-8, 8)) * y
    if rng.random() < 0.3:
        ceiling = np.where(y > rng.uniform(-1, 1), ceiling, np.float32(99))
    ceiling = np.maximum(ceiling, 4).astype(np.float32)
    before = sky.decibels.copy()
    above = before[:, part] > ceiling
    sky.decibels[:, part] = np.where(above, ceiling, before[:, part])
    sky.spread[:, part] -= np.where(above, np.float32(1.0), np.float32(0))
    sky.ignore_faded(before)


def floor(sky: Sky, rng: np.random.Generator) -> None:
    """Clip what is below a floor, which depends on frequency a little."""
    y = np.linspace(-1, 1, sky.shape[0], dtype=np.float32)[:, None]
    least = np.float32(rng.uniform(-10, 3)) + np.float32(rng.uniform(-3, 3)) * y
    before = sky.decibels.copy()
    sky.decibels = np.maximum(before, least)  # NaN stays
    sky.ignore_faded(before)


def plateaus(sky: Sky, rng: np.random.Generator) -> None:
    """Hold a constant level for some time, at all frequencies or in a band with sharp sides."""
    rows, columns = sky.shape
    hiding = np.zeros(sky.shape, dtype=bool)
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(columns))
        top = 0 if rng.random() < 0.4 else int(rng.integers(rows - 1))
        bottom = rows if rng.random() < 0.4 else int(rng.integers(top + 1, rows + 1))
        window = (slice(top, bottom), slice(start, start + int(between(rng, 1, 60)) + 1))
        here = sky.decibels[window]
        here[~np.isnan(here)] = rng.uniform(2, 25)
        sky.spread[window] = np.minimum(sky.spread[window], 0)
        hiding[window] = True
    sky.ignore_hidden(hiding)


def gaps(sky: Sky, rng: np.random.Generator) -> None:
    """Lose columns; a nucleus of which too little is left is ignored."""
    columns = sky.shape[1]
    before = sky.mask.copy()
    remaining = sky.mask.copy()
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(columns))
        length = 1 if rng.random() < 0.6 else int(rng.integers(2, 25))
        sky.decibels[:, start : start + length] = np.nan
        remaining[:, start : start + length] = 0
    ignore_remains(before, remaining, slice(0, columns), sky.mask)


def ignore_remains(whole: Image, remaining: Image, part: slice, mask: Image) -> None:
    """Mark in ``mask`` the nuclei of which less than half, or too little, remains.

    Args:
        whole: mask before.
        remaining: mask after, of the columns ``part``; what is lost in it is 0.
        part: columns of ``whole`` that ``mask`` shows.
        mask: (H, n), changed in place.
    """
    count, labels = cv2.connectedComponents((whole == 1).astype(np.uint8), connectivity=8)
    if count == 1:
        return
    before = np.bincount(labels.ravel(), minlength=count)
    seen = labels[:, part]
    after = np.bincount(seen[remaining == 1], minlength=count)
    lost = (after < before) & ((after < before / 2) | (after < SMALLEST))
    lost[0] = False
    mask[lost[seen] & (mask == 1)] = IGNORED


DISTURBANCES: tuple[tuple[float, Disturbance], ...] = (
    (0.3, steps),
    (0.3, lines),
    (0.25, impulses),
    (0.5, speckle),
    (0.2, saturate),
    (0.1, floor),
    (0.1, plateaus),
    (0.3, gaps),
)
"""What a receiver does, in its order, each with its probability. `smear` comes before, because
what is added has to know of it."""

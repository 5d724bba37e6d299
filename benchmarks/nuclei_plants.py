"""Nuclei, and things that are none, planted in real spectrograms.

A picture becomes powers of native size; what is planted is power on top of its local level, with
speckle of its own. The maker of nuclei follows the definition (a core of higher energy that fades
outward, a closed irregular outline, 500 to 8,000 pixels) and is in none of the simulator's skies: a
Gaussian core with exponential wings on warped coordinates. Assumed here, without a source: the
decibels of a grey level, the looks, and the shares of shapes and sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.masks import number_areas
from odm.images.nucleus import LEAST_AREA, MOST_AREA, OUTLINE_DB, OUTLINE_SHARE

ROWS, BINS, SHOWN_BINS = 1024, 1024, 640
"""Rows of time and bins of frequency of a planted spectrogram; the picture fills the lowest bins,
above which it is mirrored."""
GREY_DB = 40.0
"""Decibels from grey level 0 to 255: of the pictures the range is not known."""
MEDIAN_LOG_PSD = -8.0
"""log10 of (mV/m)^2/Hz that the median of a picture becomes: as of simulated half-orbits."""
LOOKS = (4.0, 16.0)
"""Fewest and most looks of fresh speckle."""
CONTRASTS_DB = (10.0, 14.0, 20.0)
"""Power of what is planted in a picture above its local level at the peak: one of each."""
AREA = (600.0, 7000.0)
"""Smallest and largest area that is aimed at, in pixels."""
PATCHES = 6
"""Places of a picture of which the one that shows most is displaced."""
REACH = 1.0 + np.log(1 / OUTLINE_SHARE) - 0.5
"""Distance, in widths of the core, at which the wings fall to the outline."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Plant:
    """Something to plant: its excess in dB over the local level, and its outline.

    ``excess_db`` and ``mask`` (n, k) have rows of time and bins of frequency; ``kind`` says what it
    is.
    """

    kind: str
    excess_db: Floats
    mask: Mask


@dataclass(frozen=True)
class Planted:
    """What was planted where: ``mask`` (1024, 1024) in image orientation, row 0 the highest."""

    kind: str
    contrast_db: float
    mask: Mask


def powers(picture: NDArray[np.uint8], rng: np.random.Generator) -> Floats:
    """Return a picture (top = high frequency) as power (ROWS, BINS), rows of time.

    Its range of grey is `GREY_DB`, its median lies at `MEDIAN_LOG_PSD`, and it is multiplied with
    fresh speckle.
    """
    decibels = picture.astype(np.float32) * np.float32(GREY_DB / 255)
    fine = cv2.resize(decibels, (ROWS, SHOWN_BINS), interpolation=cv2.INTER_LINEAR)
    shown = np.rot90(fine, -1).astype(np.float64)
    whole = np.concatenate([shown, shown[:, ::-1][:, : BINS - SHOWN_BINS]], axis=1)
    level = 10 ** ((whole - np.median(shown)) / 10 + MEDIAN_LOG_PSD)
    return level * speckle(rng, level.shape)


def speckle(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return factors of power of mean 1, of a number of looks that is drawn once."""
    looks = rng.uniform(*LOOKS)
    return rng.gamma(looks, 1 / looks, shape)


# -- what is planted ------------------------------------------------------------------------------


def nucleus(rng: np.random.Generator, contrast_db: float) -> Plant:
    """Draw a nucleus of this peak excess, dB: in one piece, of 500 to 8,000 pixels."""
    while True:
        plant = _finished("nucleus", contrast_db * _profile(rng))
        pieces = number_areas(plant.mask)[1]
        if pieces == 1 and LEAST_AREA <= np.count_nonzero(plant.mask) <= MOST_AREA:
            return plant


def _profile(rng: np.random.Generator) -> Floats:
    """Draw the shape of a nucleus, 1 at its peak and 0 at the edge of the array."""
    area = float(np.exp(rng.uniform(*np.log(AREA))))
    aspect = float(np.exp(rng.uniform(-0.5, 0.5)))
    radius = np.sqrt(area / np.pi)
    half = int(np.ceil(2.6 * radius * max(aspect, 1 / aspect) ** 0.5))
    grid = np.arange(-half, half + 1, dtype=np.float64)
    size = (grid.size, grid.size)
    x = grid[:, None] + 0.12 * radius * _smooth(rng, size, 0.5 * radius)
    y = grid[None, :] + 0.12 * radius * _smooth(rng, size, 0.5 * radius)
    tilt = rng.uniform(0, np.pi)
    along = (x * np.cos(tilt) + y * np.sin(tilt)) / aspect**0.5
    across = (y * np.cos(tilt) - x * np.sin(tilt)) * aspect**0.5
    angle = np.arctan2(across, along)
    outline = np.ones(size)
    for order in range(2, 6):
        outline += rng.normal(0, 0.22 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    distance = REACH * np.hypot(along, across) / (radius * np.maximum(outline, 0.4))
    excess = np.where(distance < 1, np.exp(-(distance**2) / 2), np.exp(0.5 - distance))
    edge = half - np.maximum.outer(np.abs(grid), np.abs(grid))
    excess *= np.clip(edge / (0.1 * half), 0, 1)
    return np.asarray(excess / excess.max(), np.float64)


def box(rng: np.random.Generator, contrast_db: float) -> Plant:
    """Draw a rectangle with edges as wide as the instrument's pixels."""
    area = float(np.exp(rng.uniform(*np.log(AREA))))
    aspect = float(np.exp(rng.uniform(-0.8, 0.8)))
    sides = [max(8, round(np.sqrt(area) * stretch)) for stretch in (aspect**0.5, aspect**-0.5)]
    excess = np.full(sides, contrast_db)
    padded = cv2.copyMakeBorder(excess, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
    return _finished("box", np.asarray(cv2.GaussianBlur(padded, (0, 0), 1.0), np.float64))


def streak(rng: np.random.Generator, contrast_db: float) -> Plant:
    """Draw a straight streak 3 to 7 pixels wide, in any direction."""
    length, width = rng.uniform(90, 260), rng.uniform(3, 7)
    tilt = rng.uniform(0, np.pi)
    half = int(np.ceil(length / 2 + 2 * width))
    grid = np.arange(-half, half + 1, dtype=np.float64)
    along = grid[:, None] * np.cos(tilt) + grid[None, :] * np.sin(tilt)
    across = grid[None, :] * np.cos(tilt) - grid[:, None] * np.sin(tilt)
    ends = np.maximum(np.abs(along) - length / 2, 0)
    excess = contrast_db * np.exp(-(across**2 + ends**2) / (2 * (width / 2.35) ** 2))
    used = excess >= 0.02 * contrast_db
    rows, bins = (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
    return _finished("streak", excess[rows[0] : rows[-1] + 1, bins[0] : bins[-1] + 1])


def patch(rng: np.random.Generator, contrast_db: float, power: Floats) -> Plant:
    """Cut a patch out of the picture itself, of some the one that shows most; its edges fade."""
    sides = rng.integers(40, 110, 2)
    parts = []
    for _ in range(PATCHES):
        row = int(rng.integers(0, ROWS - sides[0] + 1))
        bin_ = int(rng.integers(0, SHOWN_BINS - sides[1] + 1))
        part = power[row : row + sides[0], bin_ : bin_ + sides[1]]
        parts.append(10 * np.log10(np.asarray(cv2.GaussianBlur(part, (0, 0), 3.0), np.float64)))
    decibels = max(parts, key=lambda part: float(part.std()))
    excess = np.maximum(decibels - np.percentile(decibels, 20), 0)
    fades = [np.clip(1.2 * np.hanning(side), 0, 1) for side in sides]
    excess *= np.outer(*fades)
    return _finished("patch", contrast_db * excess / max(float(excess.max()), 1e-9))


def _finished(kind: str, excess_db: Floats) -> Plant:
    level = max(OUTLINE_SHARE * float(excess_db.max()), OUTLINE_DB)
    return Plant(kind, excess_db, excess_db >= level)


def _smooth(rng: np.random.Generator, size: tuple[int, int], scale: float) -> Floats:
    """Gaussian noise of unit variance that varies over ``scale`` pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(size), (0, 0), max(scale, 1.0))
    return np.asarray(noise / noise.std(), np.float64)


# -- planting -------------------------------------------------------------------------------------


def plant_all(
    power: Floats, plants: Sequence[Plant], rng: np.random.Generator
) -> tuple[Floats, list[Planted]]:
    """Add plants at places of their own, none touching another.

    The local level is the mean power of the spectrogram inside the plant's outline. What is added
    there is ``level * (10 ** (excess / 10) - 1)`` with speckle of its own.

    Args:
        power: (ROWS, BINS).
        plants: what to plant; what finds no room among the others is left out.
        rng: decides places and speckle.

    Returns:
        The power with all plants, and what was planted.
    """
    planted: list[Planted] = []
    total = power.copy()
    taken = np.zeros(power.shape, bool)
    for plant in plants:
        rows, bins = plant.excess_db.shape
        for _ in range(200):
            row = int(rng.integers(0, ROWS - rows + 1))
            bin_ = int(rng.integers(0, SHOWN_BINS - bins + 1))
            window = np.s_[row : row + rows, bin_ : bin_ + bins]
            if taken[window].any():
                continue
            taken[window] = True
            level = float(power[window][plant.mask].mean())
            added = level * np.expm1(plant.excess_db * np.log(10) / 10)
            total[window] += added * speckle(rng, added.shape)
            mask = np.zeros(power.shape, bool)
            mask[window] = plant.mask
            contrast = float(plant.excess_db.max())
            planted.append(Planted(plant.kind, contrast, np.rot90(mask)))
            break
    return total, planted


def with_nuclei(power: Floats, rng: np.random.Generator) -> tuple[Floats, list[Planted]]:
    """Plant a nucleus of each of `CONTRASTS_DB`."""
    return plant_all(power, [nucleus(rng, contrast) for contrast in CONTRASTS_DB], rng)


def with_controls(
    power: Floats, rng: np.random.Generator, number: int
) -> tuple[Floats, list[Planted]]:
    """Plant a box, a streak and a displaced patch; ``number`` turns their contrasts."""
    makers: tuple[Callable[..., Plant], ...] = (box, streak, patch)
    plants = []
    for place, maker in enumerate(makers):
        contrast = CONTRASTS_DB[(place + number) % len(CONTRASTS_DB)]
        more: tuple[Any, ...] = (power,) if maker is patch else ()
        plants.append(maker(rng, contrast, *more))
    return plant_all(power, plants, rng)

"""What becomes of the power of a textured half-orbit until it is in a file.

Damage is drawn before any nucleus is, so that gaps say nothing about nuclei.

Assumed here, without a source:

- the mean of 1-50 looks per value, gamma distributed or log-normal, neighbouring bins correlated
  over 0-2 bins; in some half-orbits scattered less in part of the rows or bins;
- a gain that drifts, and steps by up to 10 dB in two half-orbits of five;
- gaps of 1-8 rows, in one half-orbit of twelve one of 15-150, in one of twelve an end that is
  missing; rows that are saturated; rectangles without signal; fill values in rows and singly;
- in one half-orbit of eight each, clipped high values, levels in steps of 0.5-3 dB, and stretches
  whose values are the mean of small blocks, as lossy compression leaves them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, DECIBEL, FloatArray
from odm.simulate.orbit.textures_fields import log_uniform, random_curve

NO_VALUE = -9999.0
"""Fill value of the files."""


@dataclass(frozen=True)
class Damage:
    """What is lost of a half-orbit of M rows.

    ``kept`` (M,) bool, rows that arrive; ``hidden`` (M, 1024) bool, where no signal shows, in lost
    rows and elsewhere; ``level_db`` (M, 1024) float32, the level that replaces what is hidden,
    relative to the median, NaN where there is none; ``filled`` (M, 1024) bool, fill values;
    ``gain_db`` (M,) float32.
    """

    kept: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    level_db: FloatArray
    filled: NDArray[np.bool_]
    gain_db: FloatArray


def draw_damage(rng: np.random.Generator, rows: int) -> Damage:
    """Draw what is lost of a half-orbit."""
    kept = np.ones(rows, bool)
    for _ in range(int(rng.poisson(0.7))):
        row = int(rng.integers(rows))
        kept[row : row + int(rng.integers(1, 9))] = False
    if rng.random() < 1 / 12:
        row = int(rng.integers(rows))
        kept[row : row + int(log_uniform(rng, 15, 150))] = False
    if rng.random() < 1 / 12:
        lost = int(log_uniform(rng, 5, 60))
        kept[slice(None, lost) if rng.random() < 0.5 else slice(rows - lost, None)] = False
    hidden = np.repeat(~kept[:, None], BINS, axis=1)
    level_db = np.full((rows, BINS), np.nan, np.float32)
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 5))):
            row = int(rng.integers(rows))
            level_db[row : row + int(log_uniform(rng, 1, 30))] = rng.uniform(8, 40)
    if rng.random() < 0.1:
        for _ in range(int(rng.integers(1, 4))):
            row, bin_ = int(rng.integers(rows)), int(rng.integers(BINS))
            tall, wide = (int(log_uniform(rng, 2, 120)) for _ in range(2))
            level_db[row : row + tall, bin_ : bin_ + wide] = rng.uniform(-30, -8)
    filled = np.zeros((rows, BINS), bool)
    if rng.random() < 0.2:
        filled[rng.integers(0, rows, int(rng.integers(1, 10)))] = True
    if rng.random() < 0.15:
        count = int(log_uniform(rng, 20, 2000))
        filled[rng.integers(0, rows, count), rng.integers(0, BINS, count)] = True
    if rng.random() < 0.05:
        row, bin_ = int(rng.integers(rows)), int(rng.integers(BINS))
        tall, wide = (int(log_uniform(rng, 4, 100)) for _ in range(2))
        filled[row : row + tall, bin_ : bin_ + wide] = True
    hidden |= filled | ~np.isnan(level_db)
    return Damage(kept, hidden, level_db, filled, _gain_db(rng, rows))


def _gain_db(rng: np.random.Generator, rows: int) -> FloatArray:
    gain = np.float32(log_uniform(rng, 0.05, 1.0)) * random_curve(rng, rows, rng.uniform(30, 400))
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 5))):
            row = int(rng.integers(rows))
            last = rows if rng.random() < 0.5 else row + int(log_uniform(rng, 8, 300))
            gain[row:last] += rng.choice((-1, 1)) * log_uniform(rng, 0.5, 10)
    return gain


def speckle(
    settings: np.random.Generator, draws: np.random.Generator, shape: tuple[int, int]
) -> FloatArray:
    """Draw the factor of mean 1 by which an estimate of power scatters.

    ``settings`` decides how it is distributed; give all components one that draws the same.
    """
    looks = log_uniform(settings, 1, 50)
    if settings.random() < 0.7:
        noise = draws.standard_gamma(looks, shape, dtype=np.float32)
        noise *= np.float32(1 / looks)
    else:
        deviation = np.float32(np.sqrt(np.log1p(1 / looks)))
        noise = draws.standard_normal(shape, dtype=np.float32)
        noise *= deviation
        noise -= deviation**2 / 2
        np.exp(noise, out=noise)
    if settings.random() < 0.5:
        reach = int(settings.integers(1, 3))
        side = settings.uniform(0.1, 0.7) ** np.arange(1, reach + 1)
        kernel = np.concatenate([side[::-1], [1.0], side]).astype(np.float32)
        column = np.ones(1, np.float32)
        noise = np.asarray(cv2.sepFilter2D(noise, -1, kernel / kernel.sum(), column), np.float32)
    if settings.random() < 0.3:
        axis = int(settings.integers(2))
        depth = 0.65 + 0.35 * np.tanh(3 * random_curve(settings, shape[axis], shape[axis] / 6))
        noise = 1 + (noise - 1) * np.expand_dims(depth.astype(np.float32), 1 - axis)
    return np.asarray(noise, dtype=np.float32)


def received(
    rng: np.random.Generator, power: FloatArray, noise: FloatArray, damage: Damage
) -> FloatArray:
    """Return the amplitude (M, 1024), mV/m/Hz^0.5, in a file: power with all that befalls it.

    Args:
        rng: decides what befalls all components alike; give each the same.
        power: (M, 1024) (mV/m)^2/Hz, free of noise.
        noise: (M, 1024) as of `speckle`.
        damage: what is lost.
    """
    seen = power * noise
    middle = float(np.median(power[::16, :640:8]))
    replaced = ~np.isnan(damage.level_db)
    if replaced.any():
        level = np.float32(middle) * np.exp(DECIBEL * damage.level_db[replaced])
        seen[replaced] = level * (0.9 + 0.1 * noise[replaced])
    seen *= np.exp(DECIBEL * damage.gain_db)[:, None]
    chances = rng.random(3)
    ceiling_db, step_db = rng.uniform(12, 40), rng.uniform(0.5, 3)
    block = rng.integers(2, 9, 2)
    if chances[0] < 1 / 8:
        np.minimum(seen, np.float32(middle * 10 ** (ceiling_db / 10)), out=seen)
    if chances[1] < 1 / 8:
        _average_blocks(seen, rng.integers(0, len(seen), 6), block)
    amplitude = np.sqrt(seen, out=seen)
    if chances[2] < 1 / 8:
        decibels = 20 * np.log10(np.maximum(amplitude, 1e-15))
        amplitude = 10 ** (np.round(decibels / step_db) * np.float32(step_db / 20))
    amplitude[damage.filled] = NO_VALUE
    return amplitude.astype(np.float32)


def _average_blocks(seen: FloatArray, ends: NDArray[np.int64], block: NDArray[np.int64]) -> None:
    """Replace the values of some stretches of rows by the means of blocks, in place."""
    tall, wide = int(block[0]), int(block[1])
    for first, last in np.sort(ends).reshape(-1, 2).tolist():
        rows, bins = (last - first) // tall * tall, BINS // wide * wide
        if rows:
            part = seen[first : first + rows, :bins]
            means = part.reshape(rows // tall, tall, bins // wide, wide).mean((1, 3))
            part[:] = np.repeat(np.repeat(means, tall, 0), wide, 1)

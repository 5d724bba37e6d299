"""Relative images: power above a half-orbit's own background, which mean the same everywhere.

No limits of a data set come in. A pixel is the mean power of a block of `BLOCK` rows by `BLOCK`
frequencies, in dB. From this the half-orbit's own background is taken away by a median polish: the
median over time of every frequency and the median over frequency of every moment, twice in turn. So
neither the gain of a receiver, nor its steps, nor the slope of a spectrum, nor a line at constant
frequency remain. Nothing is divided by a scale that a signal could inflate.

Instead of being clipped, what is strong is compressed by an inverse hyperbolic sine: around the
background a grey level is 0.1 dB, at 30 dB it is 0.7 dB.

A second channel holds the spread inside each block: 10 log10 of the arithmetic over the geometric
mean of the power, less its median over the half-orbit. Streaks narrower than a block have more of
it than a blob of the same mean power.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import valid_amplitude
from odm.images.canvas import LEVELS, Image

BLOCK = 4
"""Rows of the file, and frequencies, of one pixel: 8.2 s by 97.7 Hz."""
HEIGHT, WIDTH, CHANNELS = 160, 288, 2
"""Canvas: 0 to 15.6 kHz by 1152 rows; the longest known half-orbit has 1077."""
LOWEST_DB, HIGHEST_DB = -25.0, 70.0
"""Values that become grey level 1 and 255, or beyond."""
SOFT_DB = 4.0
"""Decibels up to which a grey level grows with them; above, it grows with their logarithm."""
COVERED = HEIGHT * BLOCK
"""Number of frequencies, from 0 Hz up, that the canvas covers."""

Floats = NDArray[np.float32]

_LOW = float(np.arcsinh(LOWEST_DB / SOFT_DB))
_SCALE = LEVELS / (float(np.arcsinh(HIGHEST_DB / SOFT_DB)) - _LOW)


def compress(decibels: Floats) -> Image:
    """Return grey levels 1 to 255 of dB above the background, 0 where they are NaN."""
    levels = np.arcsinh(decibels * np.float32(1 / SOFT_DB))
    levels -= np.float32(_LOW)
    levels *= np.float32(_SCALE)
    levels += np.float32(1.5)  # the half rounds
    np.clip(levels, 1, 255, out=levels)
    return np.where(np.isnan(levels), 0, levels).astype(np.uint8)


_DECIBELS = (SOFT_DB * np.sinh((np.arange(256) - 1) / _SCALE + _LOW)).astype(np.float32)
_DECIBELS[0] = np.nan


def expand(image: Image) -> Floats:
    """Return dB above the background of grey levels, NaN where they are 0: undoes `compress`."""
    return _DECIBELS[image]


def block_means(amplitude: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Return the mean power and its spread in blocks of one spectrogram.

    Args:
        amplitude: (N, K) mV/m/Hz^0.5 as stored, rows of time, from 0 Hz up.

    Returns:
        Mean power in dB of (mV/m)^2/Hz and spread in dB, both (`HEIGHT`, n), row 0 the highest
        frequency, n being N / `BLOCK` rounded up; NaN where less than half of a block is valid.
    """
    part = amplitude[:, : HEIGHT * BLOCK]
    rows, bins = part.shape
    columns = -(-rows // BLOCK)
    power = np.ones((columns * BLOCK, HEIGHT * BLOCK), dtype=np.float32)
    valid = np.zeros(power.shape, dtype=bool)
    valid[:rows, :bins] = valid_amplitude(part)
    np.square(part, out=power[:rows, :bins], where=valid[:rows, :bins], casting="same_kind")
    count = _block_sums(valid.view(np.uint8))
    with np.errstate(divide="ignore", invalid="ignore"):
        power *= valid
        mean = _block_sums(power) / count
        power[~valid] = 1
        np.log10(power, out=power)
        geometric = 10 * _block_sums(power) / count
        decibels = 10 * np.log10(mean)
        spread = decibels - geometric
    few = count < BLOCK * BLOCK // 2
    decibels[few] = spread[few] = np.nan
    return np.ascontiguousarray(decibels.T[::-1]), np.ascontiguousarray(spread.T[::-1])


def _block_sums(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of blocks of `BLOCK` by `BLOCK` values; row by row, which is ten times as fast as over
    both axes of a block at once."""
    rows = values[0::BLOCK] + values[1::BLOCK]
    for row in range(2, BLOCK):
        rows += values[row::BLOCK]
    sums = rows[:, 0::BLOCK] + rows[:, 1::BLOCK]
    for column in range(2, BLOCK):
        sums += rows[:, column::BLOCK]
    return sums


def polished(decibels: Floats) -> Floats:
    """Return dB less the background, (H, W): a median polish over rows and columns, twice.

    NaN stays NaN, and so does a row or column that holds nothing else.
    """
    values = decibels.astype(np.float32, copy=True)
    for _ in range(2):
        values -= _median(values, axis=1)
        values -= _median(values, axis=0)
    return values


def _median(values: Floats, axis: int) -> Floats:
    """Median of what is no NaN along an axis, which is kept; NaN of nothing.

    Of an even number it is the upper one of the two in the middle.
    """
    ordered = np.sort(values, axis=axis)  # NaN comes last
    count = values.shape[axis] - np.isnan(values).sum(axis=axis, keepdims=True)
    return np.take_along_axis(ordered, np.minimum(count // 2, values.shape[axis] - 1), axis=axis)


def relative_levels(amplitude: NDArray[np.floating[Any]]) -> Image:
    """Make the relative image of one spectrogram, without its canvas.

    Args:
        amplitude: (N, K) mV/m/Hz^0.5 as stored, rows of time, from 0 Hz up.

    Returns:
        (`HEIGHT`, n, 2) uint8: level above the background, and spread; 0 where there is no
        measurement. n is N / `BLOCK` rounded up.
    """
    decibels, spread = block_means(amplitude)
    if not np.isnan(spread).all():
        spread = spread - np.nanmedian(spread)
    return np.stack([compress(polished(decibels)), compress(spread)], axis=-1)


def mask_blocks(mask: NDArray[Any]) -> NDArray[Any]:
    """Return the class of every block of a native mask.

    Args:
        mask: (K, N) of classes 0 to 255, or bool; row 0 the highest frequency.

    Returns:
        (`HEIGHT`, n), n being N / `BLOCK` rounded up: the class that most native pixels of a block
        have. Of two that have equally many the lower one, but 0 only before none.
    """
    lines, rows = mask.shape
    classes = mask.astype(np.uint8, copy=False)[max(0, lines - COVERED) :]
    columns = -(-rows // BLOCK)

    def count(value: int) -> NDArray[np.uint8]:
        here = np.zeros((COVERED, columns * BLOCK), dtype=np.uint8)
        here[COVERED - classes.shape[0] :, :rows] = classes == value
        return _block_sums(here)

    most = count(0)
    result = np.zeros(most.shape, dtype=np.uint8)
    present = np.flatnonzero(np.bincount(classes.ravel(), minlength=1))
    for value in sorted(present[present > 0].tolist(), reverse=True):
        number = count(value)
        wins = (number >= most) & (number > 0)
        result[wins], most[wins] = value, number[wins]
    return result.astype(mask.dtype)

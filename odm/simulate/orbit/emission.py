"""What every simulated emission is: a patch of excess power over time and frequency.

Arrays of the simulator have the order of the files, (time, frequency): (N, K). Excess is in dB of
power above a reference level, ``power = reference * 10 ** (excess_db / 10)``, so that an emission
adds ``reference * (10 ** (excess_db / 10) - 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import OUTLINE_DB, OUTLINE_SHARE

FloatArray = NDArray[np.float32]
BINS = 1024
FREQUENCY = np.arange(BINS) * (50_000.0 / 2048.0)
"""Hz, as FREQ in the files."""
DECIBEL = np.float32(np.log(10.0) / 10.0)


@dataclass(frozen=True)
class Emission:
    """One emission on a half-orbit without gaps.

    Args:
        kind: what it is, such as ``saucer``.
        row: first row (time) that ``excess_db`` covers.
        bin: first frequency bin that it covers.
        excess_db: (n, k) float32, dB above the reference level, never negative.
        strength: power of the X, Y and Z components relative to the excess.
        almost: whether it was shaped to be taken for a nucleus.
    """

    kind: str
    row: int
    bin: int
    excess_db: FloatArray
    strength: tuple[float, float, float] = (1.0, 1.0, 1.0)
    almost: bool = False

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and bins that the emission covers."""
        rows, bins = self.excess_db.shape
        return slice(self.row, self.row + rows), slice(self.bin, self.bin + bins)

    @property
    def contrast_db(self) -> float:
        """Peak excess, dB."""
        return float(self.excess_db.max())

    def outline(self) -> NDArray[np.bool_]:
        """(n, k) where the excess is at least `OUTLINE_SHARE` of its peak and 1 dB."""
        level = max(OUTLINE_SHARE * self.contrast_db, OUTLINE_DB)
        return self.excess_db >= np.float32(level)

    def peak(self) -> tuple[int, int]:
        """Row and bin of the brightest pixel."""
        row, column = np.unravel_index(int(np.argmax(self.excess_db)), self.excess_db.shape)
        return self.row + int(row), self.bin + int(column)


def clipped(
    kind: str,
    corner: tuple[int, int],
    excess_db: NDArray[np.floating],
    rows: int,
    strength: tuple[float, float, float],
    *,
    almost: bool = False,
) -> Emission | None:
    """Return an `Emission` cut off at the edges of a spectrogram; None if it lies outside.

    Args:
        kind: what it is.
        corner: row and bin of its first pixel, which may lie outside.
        excess_db: (n, k) dB.
        rows: N of the spectrogram (N, 1024).
        strength, almost: see `Emission`.
    """
    row, bin_ = corner
    top, left = max(0, -row), max(0, -bin_)
    bottom = min(excess_db.shape[0], rows - row)
    right = min(excess_db.shape[1], BINS - bin_)
    if bottom <= top or right <= left:
        return None
    part = np.ascontiguousarray(excess_db[top:bottom, left:right], dtype=np.float32)
    return Emission(kind, row + top, bin_ + left, part, strength, almost)


def wave(
    rng: np.random.Generator,
    kind: str,
    corner: tuple[int, int],
    excess_db: NDArray[np.floating],
    rows: int,
    *,
    almost: bool = False,
) -> Emission | None:
    """Return a `clipped` emission that is no nucleus: as often strong in each of X, Y and Z."""
    return clipped(kind, corner, excess_db, rows, draw_strength(rng), almost=almost)


def add(power: FloatArray, level: FloatArray, emission: Emission, components: str) -> None:
    """Add an emission to the ``power`` (C, N, K) of ``components``.

    Args:
        level: (n, k) reference level over the window of the emission.
    """
    added = level * np.expm1(DECIBEL * emission.excess_db)
    for plane, name in enumerate(components):
        power[plane][emission.window] += np.float32(emission.strength["xyz".index(name)]) * added


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], scale: tuple[float, float]
) -> FloatArray:
    """Gaussian noise of unit variance that varies over ``scale`` (rows, bins), as ``shape``."""
    knots = [int(np.ceil(size / step)) + 3 for size, step in zip(shape, scale, strict=True)]
    noise = rng.standard_normal(knots, dtype=np.float32)
    tall, wide = (round(n * step) for n, step in zip(knots, scale, strict=True))
    fine = cv2.resize(noise, (wide, tall), interpolation=cv2.INTER_CUBIC)
    fine = fine[-shape[0] :, -shape[1] :]
    return np.ascontiguousarray(fine) * np.float32(1.3)  # interpolation takes variance away


def smooth_line(rng: np.random.Generator, size: int, scale: float) -> FloatArray:
    """Gaussian noise of about unit variance along one axis, correlated over ``scale`` samples."""
    knots = max(4, int(np.ceil(size / scale)) + 3)
    values = rng.standard_normal(knots)
    places = np.linspace(0.0, knots - 1.0, size)
    return np.interp(places, np.arange(knots), values).astype(np.float32) * np.float32(1.2)


def draw_strength(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw the power in X, Y and Z of a wave that is no nucleus, relative to its excess."""
    x, y, z = 10 ** (0.12 * rng.standard_normal(3))
    return float(x), float(y), float(z)

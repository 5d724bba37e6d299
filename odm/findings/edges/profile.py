"""Mean profiles along a path: columns moved so that it is straight, averaged with neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

FLOOR_DB, CEILING_DB = -4.0, 45.0


def triangle(mhz: Floats, half: float) -> Floats:
    """(F, F) weights of neighbours, falling to none at a distance of ``half`` MHz."""
    return np.maximum(1 - np.abs(mhz[:, None] - mhz[None]) / half, 0.0)


def smoothed(values: Floats, mhz: Floats, near: Floats, rounds: int = 3) -> Floats:
    """Local straight lines through (F,) values, robust against single ones far off."""
    away = mhz[None] - mhz[:, None]
    trust = np.ones_like(values)
    line = values
    for turn in range(rounds):
        weight = near * trust[None] + 1e-9 * near
        s0, s1 = weight.sum(axis=1), (weight * away).sum(axis=1)
        s2 = (weight * away**2).sum(axis=1)
        t0, t1 = weight @ values, (weight * away) @ values
        below = s0 * s2 - s1**2
        flat = below < 1e-6 * s0**2
        line = np.where(flat, t0 / s0, (s2 * t0 - s1 * t1) / np.where(flat, 1.0, below))
        if turn < rounds - 1:
            off = np.abs(values - line)
            scale = 2.5 * max(1.4826 * float(np.median(off)), 0.5)
            trust = np.where(off < 2 * scale, (1 - (off / (2 * scale)) ** 2) ** 2, 0.0)
    return np.asarray(line)


def along(part: Matrix, line: Floats, x: NDArray[Any]) -> Matrix:
    """(F, W) levels at gates line + x, NaN beyond the ranges."""
    gates = part.shape[1]
    place = line[:, None] + x[None]
    low = np.floor(place)
    share = (place - low).astype(np.float32)
    at = low.astype(np.int64)
    one = np.take_along_axis(part, np.clip(at, 0, gates - 1), axis=1)
    two = np.take_along_axis(part, np.clip(at + 1, 0, gates - 1), axis=1)
    values = one + share * (two - one)
    values[(at < 0) | (at + 1 >= gates)] = np.nan
    return np.clip(values, FLOOR_DB, CEILING_DB)


def mean_profile(near: Floats, straight: Matrix) -> Matrix:
    """Weighted means (F, W) over neighbouring columns, NaN where none was measured."""
    weight = near.astype(np.float32)
    there = np.isfinite(straight)
    count = weight @ there.astype(np.float32)
    total = weight @ np.where(there, straight, np.float32(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    mean[count < 0.3 * weight.sum(axis=1, keepdims=True)] = np.nan
    return np.asarray(mean)


def nanmean(values: Matrix) -> Matrix:
    """(F,) means over each row, NaN where less than a third was measured."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(count * 3 >= values.shape[1], total / count, np.nan))

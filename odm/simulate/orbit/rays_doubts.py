"""What is no nucleus by origin but fits its definition, so that nobody could tell: to be ignored.

A single compact patch of hiss, the core of a broadened transmitter or the top of a filled cone can
be a smooth closed blob of nuclear size. Such blobs are looked for in the noise-free power, in
blocks of 4 x 4 pixels, above backgrounds of several widths. They have a peak of 3 dB, fall off on
all sides, are neither streaky nor flat on top, and neither long nor ragged.

Assumed here, without a source: the limits, chosen so that a doubt is rather ignored than counted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, MOST_AREA
from odm.simulate.orbit.emission import BINS, FloatArray

_BLOCK = 4
_LINES = 688  # frequencies looked at: beyond where a nucleus may be
_BACKGROUNDS = (7.0, 12.0, 20.0)  # blocks; standard deviation of the window
_LEVELS_DB = (0.75, 1.05, 1.5, 2.1, 3.0, 4.2, 6.0, 8.4, 12.0)
_LEAST_PEAK_DB = 2.5  # the background takes a part of the 3 dB away
_MARGIN = 2  # blocks around a blob that are ignored with it


def look_alikes(power: FloatArray) -> NDArray[np.bool_]:
    """Return where noise-free ``power`` (M, 1024) looks like a nucleus, (M, 1024) bool."""
    decibels = (10 * np.log10(power[:, :_LINES])).astype(np.float32)
    rows = len(decibels)
    shape = (_LINES // _BLOCK, -(-rows // _BLOCK))
    mean = 10 * np.log10(cv2.resize(power[:, :_LINES], shape, interpolation=cv2.INTER_AREA))
    fine = decibels - cv2.GaussianBlur(decibels, (0, 0), 2.5)
    grain = np.sqrt(cv2.resize(fine * fine, shape, interpolation=cv2.INTER_AREA))
    for _ in range(2):
        mean = mean - np.median(mean, axis=1, keepdims=True)
        mean = mean - np.median(mean, axis=0, keepdims=True)
    smooth = cv2.GaussianBlur(mean, (0, 0), 1.0)
    found = np.zeros((shape[1], shape[0]), np.uint8)
    for width in _BACKGROUNDS:
        above = smooth - cv2.GaussianBlur(mean, (0, 0), width, borderType=cv2.BORDER_REFLECT)
        for level in _LEVELS_DB:
            _mark(found, above, grain, level)
    size = 2 * _MARGIN + 1
    wide = cv2.dilate(found, np.ones((size, size), np.uint8)) > 0
    ignored = np.zeros((rows, BINS), bool)
    wide = np.repeat(np.repeat(wide, _BLOCK, axis=0), _BLOCK, axis=1)
    ignored[:, :_LINES] = wide[:rows]
    return ignored


def _mark(found: NDArray[np.uint8], above: FloatArray, grain: FloatArray, level: float) -> None:
    """Mark the areas above ``level`` dB whose outline this would be if they were nuclei."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (above > level).astype(np.uint8), connectivity=4
    )
    pixels = stats[:, cv2.CC_STAT_AREA] * _BLOCK**2
    for label in 1 + np.flatnonzero(
        (pixels[1:count] >= 0.8 * LEAST_AREA) & (pixels[1:count] <= 1.1 * MOST_AREA)
    ):
        x, y, wide, tall, _ = stats[label]
        window = (slice(y, y + tall), slice(x, x + wide))
        area = labels[window] == label
        if x > 0 and _is_like_a_nucleus(above[window], grain[window], area, level):
            found[window] |= area


def _is_like_a_nucleus(
    above: FloatArray, grain: FloatArray, area: NDArray[np.bool_], level: float
) -> bool:
    """Whether an area above ``level`` dB is a compact, smooth bump."""
    values = above[area]
    peak = float(values.max())
    if peak < _LEAST_PEAK_DB or not 0.24 <= level / peak <= 0.44:
        return False
    if float(np.mean(values > 0.85 * peak)) > 0.4:
        return False
    if float(np.sqrt(np.mean(grain[area] ** 2))) > 0.25 * peak:
        return False
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    border = max(contours, key=len)
    long, short = sorted(cv2.minAreaRect(border)[1], reverse=True)
    hull = cv2.contourArea(cv2.convexHull(border)) + len(border) / 2 + 1
    return bool((long + 1) / (short + 1) <= 3.2 and area.sum() / hull >= 0.6)

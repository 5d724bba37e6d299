"""Smooth closed blobs that the background of the sky `emissions` makes by chance: to be ignored.

What looks like a nucleus and is drawn as a background is a doubt, not a negative. It is looked for
in the noise-free level in blocks of 4 x 4 pixels, less the medians of its rows and columns: at each
of many levels, the parts above it that are closed, compact and of nuclear size, whose peak stands
out of what surrounds them, and whose outline lies at about 30 % of that and is not a sharp edge.

Assumed here, without a source: all limits, chosen so that a doubt is rather ignored than counted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, FloatArray

_BLOCK = 4
_TOP = 656  # bins looked at, a little more than a model sees
_LEVELS_DB = np.concatenate([np.arange(-2.0, 4.0, 0.5), np.arange(4.0, 16.0, 1.5)])
_AREA = (380 / _BLOCK**2, 9500 / _BLOCK**2)
_LEAST_DB = 2.5
_SHARE = (0.12, 0.5)  # where the outline lies between what surrounds the blob and its peak
_MOST_ELONGATED, _LEAST_FILLED = 3.4, 0.7
_SHARP, _MOST_SHARP = 0.6, 0.2  # share of the height lost within two blocks; of the outline
_MARGIN = 5  # pixels


def smooth_blobs(power: FloatArray) -> NDArray[np.bool_]:
    """Return where noise-free ``power`` (M, 1024) without nuclei holds what could be one."""
    rows = len(power)
    size = (_TOP // _BLOCK, -(-rows // _BLOCK))
    blocks = cv2.resize(power[:, :_TOP], size, interpolation=cv2.INTER_AREA)
    blocks = 10 * np.log10(np.maximum(blocks, 1e-30))
    for _ in range(2):
        blocks -= np.median(blocks, axis=0, keepdims=True)
        blocks -= np.median(blocks, axis=1, keepdims=True)
    level: FloatArray = cv2.GaussianBlur(blocks, (0, 0), 0.7).astype(np.float32)
    found = np.zeros(level.shape, np.uint8)
    for height in _LEVELS_DB[float(level.max()) - 0.5 > _LEVELS_DB]:
        above = (level >= np.float32(height)).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        for label in 1 + np.flatnonzero((areas >= _AREA[0]) & (areas <= _AREA[1])):
            left, top, wide, tall, _ = (int(value) for value in stats[label])
            if left == 0:
                continue  # not closed towards 0 Hz
            window = (
                slice(max(0, top - 4), top + tall + 4),
                slice(max(0, left - 4), left + wide + 4),
            )
            part = (labels[window] == label).astype(np.uint8)
            if _is_blob(level[window], part, float(height)):
                found[window] |= part
    doubtful = np.zeros((rows, BINS), bool)
    if found.any():
        wide_mask = cv2.resize(found, (_TOP, rows), interpolation=cv2.INTER_NEAREST)
        margin = np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8)
        doubtful[:, :_TOP] = cv2.dilate(wide_mask, margin) > 0
    return doubtful


def _is_blob(level: FloatArray, part: NDArray[np.uint8], height: float) -> bool:
    """Whether the part of a window above ``height`` could pass for a nucleus."""
    wide = cv2.dilate(part, np.ones((7, 7), np.uint8))
    ring = (wide > 0) & (cv2.dilate(part, np.ones((3, 3), np.uint8)) == 0)
    if not ring.any():
        return False
    peak, base = float(level[part > 0].max()), float(np.median(level[ring]))
    if peak - base < _LEAST_DB or not _SHARE[0] <= (height - base) / (peak - base) <= _SHARE[1]:
        return False
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    border = contours[0]
    long, short = sorted(cv2.minAreaRect(border)[1], reverse=True)
    if (long + 1) / (short + 1) > _MOST_ELONGATED:
        return False
    hull = cv2.contourArea(cv2.convexHull(border)) + len(border) / 2 + 1
    if part.sum() / hull < _LEAST_FILLED:
        return False
    # At the outline: the highest less the lowest of the neighbours, two blocks apart.
    near = np.ones((3, 3), np.uint8)
    drop = cv2.dilate(level, near) - cv2.erode(level, near)
    edge = (part > 0) & (cv2.erode(part, near) == 0)
    return float((drop[edge] > _SHARP * (peak - base)).mean()) <= _MOST_SHARP

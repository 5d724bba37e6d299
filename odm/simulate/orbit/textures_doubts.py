"""What there is in textures: parts to be named in tables, and bumps that could pass for a nucleus.

A texture can have, by chance, what a nucleus has: a core of higher power that fades outward inside
a closed outline of nuclear size. Nobody could say that it is none, so it is found and ignored.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, Emission, FloatArray
from odm.simulate.orbit.textures_nuclei import MOST_ELONGATED, elongation

Mask = NDArray[np.bool_]
_BLOCK = 4  # bumps are sought in the mean power of blocks of so many rows and bins ...
_HIGHEST = 640  # ... below this bin
_LEAST_DB = 3.0
_SHARE = 0.3  # a bump ends at this share of its peak
_AREA = (350 / _BLOCK**2, 11000 / _BLOCK**2)
_REACH = 30  # blocks around a peak that are looked at; more than any nucleus has
_SOLIDITY = 0.8
_CORE = (0.05, 0.62)  # share of the bump above 70 % of the peak; 1 is a plateau
_ROUGHNESS = 0.25  # deviation from what is smooth, over the peak


def doubtful_bumps(power: FloatArray) -> Mask:
    """Find the bumps that fit the definition of a nucleus.

    Args:
        power: (M, 1024), free of noise and without nuclei.

    Returns:
        (M, 1024) bool.
    """
    tall = -(-len(power) // _BLOCK)
    wide = _HIGHEST // _BLOCK
    blocks = cv2.resize(power[:, :_HIGHEST], (wide, tall), interpolation=cv2.INTER_AREA)
    level = 10 * np.log10(np.maximum(blocks, 1e-30))
    found = np.zeros(level.shape, bool)
    for background in _backgrounds(level):
        excess = level - background
        smooth = np.asarray(cv2.GaussianBlur(excess, (0, 0), 1.0), np.float32)
        rough = np.abs(excess - smooth)
        tops = (smooth >= _LEAST_DB) & (smooth == cv2.dilate(smooth, np.ones((7, 7), np.uint8)))
        for row, column in np.argwhere(tops & ~found).tolist():
            window = (
                slice(max(0, row - _REACH), row + _REACH + 1),
                slice(max(0, column - _REACH), column + _REACH + 1),
            )
            at = (row - window[0].start, column - window[1].start)
            bump = _bump(smooth[window], at)
            if bump is None or rough[window][bump].mean() > _ROUGHNESS * smooth[row, column]:
                continue
            if _is_peaked(excess[window][bump]):
                found[window] |= bump
    found = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8))
    doubtful = np.zeros(power.shape, bool)
    doubtful[:, :_HIGHEST] = cv2.resize(
        found, (_HIGHEST, len(power)), interpolation=cv2.INTER_NEAREST
    )
    return doubtful


def _backgrounds(level: FloatArray) -> list[FloatArray]:
    """What surrounds a bump, by a median polish and by running medians of two sizes."""
    polished = level.copy()
    for _ in range(2):
        polished -= np.median(polished, axis=0, keepdims=True)
        polished -= np.median(polished, axis=1, keepdims=True)
    middle = np.float32(np.median(polished))
    grey = np.clip(128 + 4 * (polished - middle), 0, 255).astype(np.uint8)
    medians = [cv2.medianBlur(grey, size).astype(np.float32) for size in (21, 51)]
    removed = level - polished
    return [removed, *(removed + middle + (median - 128) / 4 for median in medians)]


def _bump(excess: FloatArray, top: tuple[int, int]) -> Mask | None:
    """Return the area of the bump with its peak at ``top``; None where it is unlike a nucleus."""
    peak = excess[top]
    above = (excess >= _SHARE * peak).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    label = labels[top]
    if not _AREA[0] <= stats[label, cv2.CC_STAT_AREA] <= _AREA[1]:
        return None
    area: Mask = labels == label
    inside = excess[area]
    if inside.max() > peak or float((inside >= 0.7 * peak).mean()) < _CORE[0]:
        return None
    if elongation(area) > MOST_ELONGATED:
        return None
    outline, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(outline[0]))
    return area if cv2.contourArea(outline[0]) >= _SOLIDITY * hull else None


def _is_peaked(inside: FloatArray) -> bool:
    """Whether the excess inside a bump, not smoothed, is neither a plateau nor a mere spike."""
    core = float((inside >= 0.7 * np.quantile(inside, 0.95)).mean())
    return core < _CORE[1] and int((inside >= _SHARE * inside.max()).sum()) >= _AREA[0]


def confusers_of(kind: str, layer: FloatArray, most: int = 8) -> list[Emission]:
    """Return the largest parts of a layer (M, 1024), in dB, that rise above the rest of it."""
    height = float(layer.max())
    if height < 1.0:
        return []
    above = (layer[::2, ::2] >= 0.3 * height).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    parts = []
    for label in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:most]:
        left, top, wide, tall, area = (int(value) for value in stats[label])
        if area < 40:
            break
        rows, bins = slice(2 * top, 2 * (top + tall)), slice(2 * left, min(2 * (left + wide), BINS))
        own = labels[top : top + tall, left : left + wide] == label
        own = np.repeat(np.repeat(own, 2, axis=0), 2, axis=1)
        part = layer[rows, bins]
        part = np.where(own[: part.shape[0], : part.shape[1]], np.maximum(part, 0), 0)
        parts.append(Emission(kind, rows.start, bins.start, part.astype(np.float32)))
    return parts

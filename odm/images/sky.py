"""A pass while the policy ``randomised`` varies it: added power, and masks that stay right.

Masks hold 0, 1 and `IGNORED`. Two rules are kept here. A nucleus that something else hides is
ignored. So is whatever was added that nobody could tell from a nucleus: of its size, without a
sharp edge, with a closed outline.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import polygamma

from odm.images.canvas import Image
from odm.images.masks import IGNORED
from odm.images.nucleus import LEAST_AREA, MOST_AREA, OUTLINE_DB, OUTLINE_SHARE, WEAKEST_DB
from odm.images.relative import BLOCK

Floats = NDArray[np.float32]
Window = tuple[slice, slice]

SMALLEST, LARGEST = LEAST_AREA / BLOCK**2, MOST_AREA / BLOCK**2
"""Pixels inside the outline of a nucleus."""
STRONGEST_DB = 30.0
HIDING = 10.0
"""What has so many times the power of a nucleus hides it."""
ROUND = np.ones((3, 3), np.uint8)
_AMBIENT = 9
"""Side of the square over which a level is averaged, pixels."""
_SHARP = 2.0
"""A structure has a sharp edge where it changes over one pixel by more than so many times its peak
over its radius. A Gaussian reaches 0.94, whatever its size."""
_SLENDER = 4.0
"""What is so many times longer than wide is no nucleus."""
_PER_NEPER = 10 / np.log(10)


def power(decibels: Floats) -> Floats:
    """Return the factor of dB."""
    return np.exp(np.float32(1 / _PER_NEPER) * decibels)


def in_decibels(factor: Floats) -> Floats:
    """Return dB of a factor."""
    return np.float32(_PER_NEPER) * np.log(factor)


def spread_of(relative: Floats, fill: float) -> Floats:
    """Return how much the spread of a block grows, dB: 10 log10 of arithmetic over geometric mean.

    Args:
        relative: power that is added, over the power that is there.
        fill: share of the block to which it is added; the rest is even.
    """
    arithmetic = in_decibels(1 + np.float32(fill) * relative)
    return arithmetic - np.float32(fill) * in_decibels(1 + relative)


def speckle_db(rng: np.random.Generator, shape: tuple[int, int], looks: float) -> Floats:
    """Draw speckle of blocks, dB: means of gamma variables, by Wilson and Hilferty's cube (1931).

    Args:
        rng: decides it.
        shape: of the result.
        looks: shape of the gamma distribution of one native pixel; a block has `BLOCK`^2 times it.
    """
    number = 9 * BLOCK**2 * looks
    normal = rng.standard_normal(shape, dtype=np.float32)
    root = np.float32(1 - 1 / number) + np.float32(1 / np.sqrt(number)) * normal
    return np.float32(3) * in_decibels(np.maximum(root, np.float32(0.05)))


def spread_noise_db(rng: np.random.Generator, shape: tuple[int, int], looks: float) -> Floats:
    """Draw the spread that speckle has inside blocks, dB, less its median.

    Arithmetic and geometric mean of gamma variables: their ratio is independent of the arithmetic
    mean, nearly chi-square with n - 1 degrees of freedom (Bartlett, 1937), and its logarithm has
    the variance trigamma(L)/n - trigamma(nL).
    """
    pixels = BLOCK**2
    variance = polygamma(1, looks) / pixels - polygamma(1, pixels * looks)
    degrees = pixels - 1
    middle, slope = np.float32(1 - 2 / (9 * degrees)), np.float32(np.sqrt(2 / (9 * degrees)))
    normal = rng.standard_normal(shape, dtype=np.float32)
    chi = np.float32(degrees) * ((middle + slope * normal) ** 3 - middle**3)
    return np.float32(_PER_NEPER * np.sqrt(variance / (2 * degrees))) * chi


def looks_of(decibels: Floats) -> float:
    """Estimate the looks of a pass's speckle, 1 to 1000, from differences between neighbours."""
    difference = np.abs(np.diff(decibels[::3], axis=1))
    difference = difference[~np.isnan(difference)]
    if not difference.size:
        return 1000.0
    deviation = max(float(np.median(difference)) / (0.6745 * np.sqrt(2)), 1e-3)
    return float(np.clip((_PER_NEPER / deviation) ** 2 / BLOCK**2, 1, 1000))


@dataclass
class Sky:
    """A pass while it is varied: (H, n) each, n columns of measurement.

    Attributes:
        decibels: above the background, NaN where invalid.
        spread: dB.
        mask: 0, 1 and `IGNORED`.
        blur: deviations of the smearing that comes later, in rows and columns, pixels.
        looks: of the speckle that added power has.
    """

    decibels: Floats
    spread: Floats
    mask: Image
    blur: tuple[float, float] = (0.0, 0.0)
    looks: float = field(default=1000.0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.decibels.shape[0], self.decibels.shape[1]

    def ambient(self, window: Window) -> Floats:
        """The smoothed level of a window, dB; what is invalid counts as background."""
        level = cv2.blur(np.nan_to_num(self.decibels[window]), (_AMBIENT, _AMBIENT))
        return np.asarray(level, dtype=np.float32)

    def add(
        self, rng: np.random.Generator, window: Window, excess_db: Floats, fill: float = 1.0
    ) -> Floats:
        """Add power with speckle of its own.

        Args:
            rng: draws the speckle.
            window: where.
            excess_db: (h, w), above the level that the pass has there on the whole.
            fill: share of each block that it takes.

        Returns:
            (h, w): added power over what was there, both without speckle.
        """
        ambient = self.ambient(window)
        core = excess_db >= np.float32(OUTLINE_SHARE) * excess_db.max()
        level = np.float32(np.median(ambient[core]))
        added = power(excess_db) - 1
        here = self.decibels[window]
        relative = added * power(level + speckle_db(rng, here.shape, self.looks) - here)
        here += in_decibels(1 + np.float32(fill) * relative)
        spread = self.spread[window]
        # Even power swamps the contrast inside a block; what speckle has of it stays.
        spread -= np.maximum(spread - 1, 0) * (1 - (1 + np.float32(fill) * relative) ** -2)
        if fill < 1:
            spread += spread_of(relative, fill)
        return np.asarray(np.float32(fill) * added * power(level - ambient), dtype=np.float32)

    def put(
        self, rng: np.random.Generator, window: Window, excess_db: Floats, fill: float = 1.0
    ) -> None:
        """Add what is no nucleus, or take it away where it is negative; keeps the mask right."""
        if float(excess_db.min()) < 0:
            self.decibels[window] += excess_db * np.float32(fill)
        else:
            relative = self.add(rng, window, excess_db, fill)
            if (self.mask[window] == 1).any():
                hiding = np.zeros(self.shape, dtype=bool)
                hiding[window] = relative > HIDING
                self.ignore_hidden(hiding)
        self.ignore_undecided(excess_db, window)

    def ignore_undecided(self, excess_db: Floats, window: Window) -> None:
        """Ignore what was added in a window and could be a nucleus."""
        undecided = like_nuclei(excess_db, self.blur)
        if undecided is not None:
            here = self.mask[window]
            here[undecided & (here == 0)] = IGNORED

    def ignore_hidden(self, hiding: NDArray[np.bool_]) -> None:
        """Ignore the nuclei of which more than half is hidden."""
        count, labels = cv2.connectedComponents((self.mask == 1).astype(np.uint8), connectivity=8)
        area = np.bincount(labels.ravel(), minlength=count)
        lost = np.bincount(labels[hiding], minlength=count) > area / 2
        lost[0] = False
        self.mask[lost[labels]] = IGNORED

    def ignore_faded(self, before: Floats) -> None:
        """Ignore the nuclei that a change of the picture left with too little contrast.

        Args:
            before: ``decibels`` before the change.
        """
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (self.mask == 1).astype(np.uint8), connectivity=8
        )
        for number in range(1, count):
            left, top, width, height, _ = (int(value) for value in stats[number])
            window = (
                slice(max(0, top - 6), top + height + 6),
                slice(max(0, left - 6), left + width + 6),
            )
            own = labels[window] == number
            near = cv2.dilate(own.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
            ring = near & (labels[window] == 0)
            if np.array_equal(before[window][near], self.decibels[window][near], equal_nan=True):
                continue
            now = self.decibels[window]
            inside, around = now[own], now[ring]
            inside, around = inside[~np.isnan(inside)], around[~np.isnan(around)]
            if not inside.size or not around.size:
                continue  # nothing of it is left, which is not for this rule to judge
            contrast = float(np.percentile(inside, 90) - np.median(around))
            if contrast < WEAKEST_DB:
                self.mask[window][own] = IGNORED


def like_nuclei(
    excess_db: Floats, blur: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.bool_] | None:
    """Find what nobody could tell from a nucleus in something that has no noise.

    It has a closed outline of nuclear size, is not slender, and changes nowhere over one pixel by
    more than a nucleus of its size does.

    Args:
        excess_db: (h, w), dB above its surroundings.
        blur: deviations of a smearing to come, in rows and columns, pixels.

    Returns:
        (h, w) bool, or None where there is nothing of that kind.
    """
    if max(blur) > 0:
        excess_db = np.asarray(
            cv2.GaussianBlur(excess_db, (0, 0), sigmaX=max(0.1, blur[1]), sigmaY=max(0.1, blur[0]))
        )
    strongest = float(excess_db.max())
    found: NDArray[np.bool_] | None = None
    if strongest < 2:  # with the sky's own irregularities it could reach 3
        return None
    for share in (OUTLINE_SHARE, 0.6):
        above = (excess_db >= max(share * strongest, OUTLINE_DB)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
        for number in range(1, count):
            left, top, width, height, area = (int(value) for value in stats[number])
            if not 0.8 * SMALLEST <= area <= LARGEST:
                continue
            window = (
                slice(max(0, top - 2), top + height + 2),
                slice(max(0, left - 2), left + width + 2),
            )
            own = (labels[window] == number).astype(np.uint8)
            if _is_smooth_and_round(excess_db[window], own, area):
                found = np.zeros(excess_db.shape, dtype=bool) if found is None else found
                found[window] |= cv2.dilate(own, ROUND) > 0
    return found


def _is_smooth_and_round(excess_db: Floats, own: Image, area: int) -> bool:
    padded = np.pad(own, 1)
    inscribed = float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max())
    if area > _SLENDER * np.pi * inscribed**2:
        return False
    near = cv2.dilate(own, ROUND) > 0
    down = np.abs(np.diff(excess_db, axis=0))[near[1:] & near[:-1]]
    along = np.abs(np.diff(excess_db, axis=1))[near[:, 1:] & near[:, :-1]]
    steepest = max(float(down.max(initial=0)), float(along.max(initial=0)))
    peak = float(excess_db[own > 0].max())
    return steepest * np.sqrt(area / np.pi) < _SHARP * peak

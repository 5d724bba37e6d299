"""Nuclei of the sky `emissions`: the shape families of `nuclei`, drawn in wider variety.

From the group's paper: the centre is brightest, it fades outward, outlines are irregular.

Assumed here, without a source:

- the peak excess is about log-uniform between 3 and 30 dB; `difficulty` 0 makes it stronger and 1
  weaker;
- the area inside the outline is log-uniform between 550 and 7,500 pixels, smaller ones more often;
  height over width in pixels is 0.4-2.5;
- the families keep their names and are wider: *compact*, from round to egg-shaped; *lobed*, with
  lobes, bays and ragged outlines; *double*, of two to four cores; *ring*, a core with a ring or a
  part of a ring around it;
- any of them can be bent, can fade faster on one side than on the other, and one in four has one
  side that is sharp, though never straight;
- X and Y have 10-90 % of the excess power of Z.

A nucleus ends where its excess falls to 30 % of its peak in dB, or to 1 dB (`Emission.outline`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, MOST_AREA, OUTLINE_DB, OUTLINE_SHARE, WEAKEST_DB
from odm.simulate.orbit.emission import Emission, FloatArray, clipped, smooth_noise
from odm.simulate.orbit.emissions_waves import log_uniform
from odm.simulate.orbit.nuclei import is_whole, main_part

STRONGEST_DB = 30.0
LEAST_ASPECT, MOST_ASPECT = 0.4, 2.5
_LEAST_SOLIDITY = 0.66  # share of its convex hull that an outline fills
_SIDE = 88
_AXIS = np.linspace(-1.9, 1.9, _SIDE, dtype=np.float32)
_BORDER = np.clip((1.86 - np.maximum(np.abs(_AXIS)[:, None], np.abs(_AXIS)[None, :])) / 0.25, 0, 1)


@dataclass(frozen=True)
class DrawnNucleus:
    """A nucleus on a half-orbit, its shape family, and the pixels inside its outline before the
    ends of the pass cut it."""

    emission: Emission
    family: str
    area: int


def draw_peak_db(rng: np.random.Generator, difficulty: float) -> float:
    """Draw the peak excess of a nucleus or an almost-nucleus, dB."""
    place = rng.beta(1.3, 0.9 + 0.8 * difficulty)
    return float(WEAKEST_DB * (STRONGEST_DB / WEAKEST_DB) ** place)


def draw_nucleus(
    rng: np.random.Generator, family: str, peak_db: float, centre: tuple[int, int], rows: int
) -> DrawnNucleus | None:
    """Draw a nucleus.

    Args:
        rng: the generator.
        family: a name of `odm.simulate.orbit.nuclei.SHAPES`.
        peak_db: its peak excess, above 1 dB.
        centre: row and bin of its brightest point; the row may lie outside.
        rows: M of the half-orbit (M, 1024).

    Returns:
        The nucleus, cut at the ends of the pass; None if it is not of one piece, of another size
        than was meant, or wholly outside.
    """
    share = np.float32(max(OUTLINE_SHARE, OUTLINE_DB / peak_db))
    profile = _whole_profile(rng, family, share)
    if profile is None:
        return None
    covered = int((profile >= share).sum())
    area = log_uniform(rng, 550, 3500) if rng.random() < 0.65 else log_uniform(rng, 550, 7500)
    side = _SIDE * np.sqrt(area / max(covered, 60))
    aspect = _draw_aspect(rng)
    tall, wide = (max(int(side * factor), 9) for factor in (aspect**0.5, aspect**-0.5))
    stretched = cv2.resize(profile, (wide, tall), interpolation=cv2.INTER_LINEAR)
    grain = smooth_noise(rng, (tall, wide), (rng.uniform(1.5, 6), rng.uniform(1.5, 6)))
    profile = np.maximum(stretched * (1 + np.float32(rng.uniform(0, 0.13)) * grain), 0)
    profile = _tidy(profile / profile.max(), share)
    outline = profile >= share
    pixels = int(outline.sum())
    if not 0.75 < pixels / area < 1.33 or not LEAST_AREA <= pixels <= MOST_AREA:
        return None
    if not LEAST_ASPECT <= height_over_width(outline) <= MOST_ASPECT or _is_spread(outline):
        return None
    row, bin_ = np.unravel_index(int(np.argmax(profile)), profile.shape)
    strength = (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)), 1.0)
    corner = (centre[0] - int(row), centre[1] - int(bin_))
    emission = clipped("nucleus", corner, np.float32(peak_db) * profile, rows, strength)
    return None if emission is None else DrawnNucleus(emission, family, pixels)


def _whole_profile(rng: np.random.Generator, family: str, share: np.float32) -> FloatArray | None:
    """Draw a profile that is above the outline's ``share`` in one piece, but for crumbs."""
    for _ in range(12):
        profile = _Shape(rng).profile(family)
        if is_whole(profile >= share, int(np.argmax(profile))):
            return _tidy(profile, share)
    return None


def height_over_width(outline: NDArray[np.bool_]) -> float:
    """Return the extent in rows over the extent in bins of an area."""
    return float(outline.any(axis=1).sum() / max(outline.any(axis=0).sum(), 1))


def _is_spread(outline: NDArray[np.bool_]) -> bool:
    """Whether an area is long and thin in any direction, or consists of arms."""
    contours, _ = cv2.findContours(
        outline.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    border = max(contours, key=len)
    hull = cv2.contourArea(cv2.convexHull(border)) + len(border) / 2
    if outline.sum() < _LEAST_SOLIDITY * hull:
        return True
    (tall, tilt), (_, wide) = np.cov(np.argwhere(outline).T)
    mean, apart = (tall + wide) / 2, np.hypot((tall - wide) / 2, tilt)
    return bool(mean + apart > MOST_ASPECT**2 * (mean - apart))


def _draw_aspect(rng: np.random.Generator) -> float:
    if rng.random() < 0.5:
        return float(np.exp(rng.uniform(np.log(LEAST_ASPECT), np.log(MOST_ASPECT))))
    return float(np.exp(0.25 * rng.standard_normal()))


def _tidy(profile: FloatArray, share: np.float32) -> FloatArray:
    """Lower what lies above the outline apart from the peak's part, and fill what it encloses."""
    main = main_part(profile >= share)
    profile = np.where(main, np.maximum(profile, np.float32(1.01) * share), profile)
    return np.where(main, profile, np.minimum(profile, np.float32(0.8) * share))


class _Shape:
    """Bent coordinates, the course of an outline over the angle, and how it fades."""

    def __init__(self, rng: np.random.Generator) -> None:
        size = (_SIDE, _SIDE)
        bend = rng.uniform(0.05, 0.32)
        scale = rng.uniform(16, 34)
        self.x = _AXIS[:, None] + np.float32(bend) * smooth_noise(rng, size, (scale, scale))
        self.y = _AXIS[None, :] + np.float32(bend) * smooth_noise(rng, size, (scale, scale))
        self.rng = rng
        self.side = float(rng.uniform(0, 2 * np.pi))
        self.lean = float(rng.uniform(0, 0.45))
        self.power = float(rng.uniform(1.0, 2.2))
        self.sharp = float(rng.uniform(3, 7)) if rng.random() < 0.25 else self.power

    def distance(
        self, radius: float, ripple: float, place: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[FloatArray, FloatArray]:
        """Return the distance from ``place`` in units of an irregular outline, and the angle."""
        rng, x, y = self.rng, self.x - np.float32(place[0]), self.y - np.float32(place[1])
        turn, long = rng.uniform(0, np.pi), float(np.exp(0.2 * rng.standard_normal()))
        along = (x * np.cos(turn) + y * np.sin(turn)) / np.float32(long)
        across = (y * np.cos(turn) - x * np.sin(turn)) * np.float32(long)
        angle = np.arctan2(across, along)
        outline = np.ones_like(angle)
        for order in range(2, 10):
            height = ripple * abs(rng.standard_normal()) / (order - 1) ** rng.uniform(0.7, 1.3)
            outline += np.float32(height) * np.cos(order * angle + np.float32(rng.uniform(0, 7)))
        away = np.hypot(along, across) / (np.float32(radius) * np.maximum(outline, 0.3))
        return away.astype(np.float32), angle

    def fade(self, distance: FloatArray, angle: FloatArray) -> FloatArray:
        """Return 1 at the centre and `OUTLINE_SHARE` at distance 1, faster on one side."""
        facing = 0.5 + 0.5 * np.cos(angle - np.float32(self.side))
        power = self.power + (self.sharp - self.power) * facing**2
        leaning = distance * (1 + np.float32(self.lean) * (facing - 0.5))
        return np.exp(np.log(np.float32(OUTLINE_SHARE)) * leaning**power).astype(np.float32)

    def profile(self, family: str) -> FloatArray:
        """Return excess over its peak, (88, 88)."""
        rng = self.rng
        if family == "compact":
            profile = self.fade(*self.distance(0.8, rng.uniform(0, 0.14)))
        elif family == "lobed":
            profile = self.fade(*self.distance(0.75, rng.uniform(0.16, 0.42)))
        elif family == "double":
            profile = self._cores()
        else:
            profile = self._ring()
        mottle = smooth_noise(rng, (_SIDE, _SIDE), (rng.uniform(6, 14), rng.uniform(6, 14)))
        profile = np.maximum(profile * (1 + np.float32(rng.uniform(0, 0.2)) * mottle), 0)
        profile *= _BORDER
        return np.asarray(profile / profile.max(), dtype=np.float32)

    def _cores(self) -> FloatArray:
        """Two to four cores, each begun at the edge of one that is there."""
        rng = self.rng
        count = int(rng.choice([2, 2, 2, 3, 4]))
        radius = 0.62 / count**0.3
        places = [(0.0, 0.0)]
        while len(places) < count:
            near = places[int(rng.integers(len(places)))]
            turn, away = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.1, 1.65)
            places.append((near[0] + away * np.cos(turn), near[1] + away * np.sin(turn)))
        middle = np.mean(places, axis=0)
        profile = np.zeros((_SIDE, _SIDE), dtype=np.float32)
        for number, place in enumerate(places):
            height = 1.0 if number == 0 else rng.uniform(0.6, 0.95)
            core = self.fade(
                *self.distance(
                    radius * rng.uniform(0.75, 1.1),
                    0.12,
                    (place[0] - middle[0], place[1] - middle[1]),
                )
            )
            profile = np.maximum(profile, np.float32(height) * core)
        return profile

    def _ring(self) -> FloatArray:
        """A core, and a ring around it that may be open on one side."""
        rng = self.rng
        distance, angle = self.distance(0.55, 0.1)
        place, height = rng.uniform(1.1, 1.5), rng.uniform(0.45, 0.72)
        ring = np.exp(-(((distance - place) / rng.uniform(0.2, 0.33)) ** 2))
        gone = rng.uniform(0, 0.7) * (0.5 + 0.5 * np.cos(angle - rng.uniform(0, 2 * np.pi)))
        core = np.exp(-((distance / rng.uniform(0.7, 1.0)) ** 2) * np.float32(1.2))
        return np.maximum(core, height * ring * (1 - gone)).astype(np.float32)

"""Nucleus-shaped regions with known truth.

From sources: the centre is brightest and it fades outward; clearest in Z; outlines are irregular;
500 to 8,000 pixels (derived from the mean foreground of the group's test images).

Assumed here, without a source:

- a nucleus multiplies the PSD around it, so that its excess in dB is a fixed field; it adds
  ``ambient * (10 ** (excess_db / 10) - 1)`` with the ambient level smoothed over 31 pixels;
- the peak excess is log-normal, its median 10 dB at difficulty 0, 7 dB at 0.5 and 4 dB at 1,
  between 2 and 18 dB; X and Y have 20-60 % of the excess power of Z;
- the area inside the outline is log-normal around 1,800 pixels between 500 and 8,000 (before a
  pass end or a gap takes its part: never less than 500 remain); width over height in pixels is
  log-normal around 1 with a factor of 1.35, tilted at random;
- four shapes (`SHAPES`, the family "shape" that can be held out): *compact* (45 %), *lobed* with a
  strongly irregular outline (25 %), *double* with two cores (15 %), *ring*: a core and a fainter
  ring around it (15 %);
- one in ten is drawn towards a pass end, one in ten across a gap.

**Truth.** The mask is where the noise-free excess of the nucleus in Z is at least 30 % of its peak
in dB, and at least 1 dB: the largest 8-connected part, its holes filled.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import OUTLINE_DB, OUTLINE_SHARE
from odm.simulate.orbit.emission import Emission, FloatArray, clipped, smooth_noise

SHAPES: dict[str, float] = {"compact": 0.45, "lobed": 0.25, "double": 0.15, "ring": 0.15}
"""Shape families and how often they occur."""


def draw_contrast(rng: np.random.Generator, difficulty: float) -> float:
    """Peak excess of a nucleus or almost-nucleus, dB."""
    median = 10.0 - 6.0 * difficulty
    return float(np.clip(median * np.exp(0.45 * rng.standard_normal()), 2.0, 18.0))


def draw_area(rng: np.random.Generator) -> float:
    """Pixels inside the outline."""
    while True:
        area = 1800.0 * np.exp(0.65 * rng.standard_normal())
        if 560.0 <= area <= 7400.0:
            return float(area)


def nucleus(
    rng: np.random.Generator,
    family: str,
    place: tuple[int, int],
    contrast_db: float,
    rows: int,
) -> Emission | None:
    """Draw a nucleus with its brightest point at ``place`` (row, bin).

    ``rows`` is N of the spectrogram (N, 1024). None where no outline in one piece was found, or
    where it lies outside.
    """
    share = max(OUTLINE_SHARE, OUTLINE_DB / contrast_db)
    for _ in range(10):
        area = draw_area(rng)
        aspect = float(np.exp(0.3 * rng.standard_normal()))
        radius = float(np.sqrt(area / np.pi))
        half = int(3.2 * radius) + 8
        field = _Field(rng, np.arange(-half, half + 1, dtype=np.float32))
        profile = _fitted(field, family, (radius, aspect, area), share)
        if profile is not None:
            break
    else:
        return None
    excess = contrast_db * profile
    peak = np.unravel_index(int(np.argmax(excess)), excess.shape)
    strength = (float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.2, 0.6)), 1.0)
    corner = (place[0] - int(peak[0]), place[1] - int(peak[1]))
    return clipped("nucleus", corner, excess, rows, strength)


def _fitted(
    field: _Field, family: str, size: tuple[float, float, float], share: float
) -> FloatArray | None:
    """Stretch a profile until its outline, in one piece, has its area; None if it cannot."""
    radius, aspect, area = size
    stretch = 1.0
    for _ in range(5):
        profile = _PROFILES[family](field, radius * stretch, aspect)
        profile = profile * np.clip(1.0 - (field.edge_distance() - 0.85) / 0.15, 0.0, 1.0)
        covered = int(np.count_nonzero(profile >= share))
        if abs(covered / area - 1) < 0.1:
            return profile if is_whole(profile >= share, int(np.argmax(profile))) else None
        stretch = float(np.clip(stretch * np.sqrt(area / max(covered, 40)), 0.3, 2.2))
    return None


def is_whole(outline: NDArray[np.bool_], peak: int) -> bool:
    """Whether an outline is one area, but for crumbs, that holds ``peak`` (a flat index)."""
    main = main_part(outline)
    return bool(main.flat[peak]) and int(main.sum()) >= 0.92 * int(outline.sum())


class _Field:
    """Warped coordinates and outline of one nucleus: drawn once, evaluated at any stretch."""

    def __init__(self, rng: np.random.Generator, grid: FloatArray) -> None:
        size = (len(grid), len(grid))
        self.grid = grid
        scale = len(grid) / 7
        warp = 0.055 * len(grid)
        self.x = grid[:, None] + warp * 0.5 * smooth_noise(rng, size, (scale, scale))
        self.y = grid[None, :] + warp * 0.5 * smooth_noise(rng, size, (scale, scale))
        self.tilt = float(rng.uniform(0, np.pi))
        self.phase = rng.uniform(0, 2 * np.pi, 6)
        self.lobes = np.abs(rng.standard_normal(6)) / np.arange(2, 8) ** 1.2
        self.power = float(rng.uniform(1.1, 1.9))
        self.mottle = smooth_noise(rng, size, (scale * 0.6, scale * 0.6))
        self.fine = smooth_noise(rng, size, (3.0, 3.0))
        self.offset = float(rng.uniform(0.75, 1.05))
        self.second = float(rng.uniform(0.65, 0.95))
        self.ring = (float(rng.uniform(1.15, 1.5)), float(rng.uniform(0.5, 0.7)))

    def edge_distance(self) -> FloatArray:
        """Distance from the centre over half the size of the grid."""
        reach = np.abs(self.grid) / self.grid[-1]
        return np.maximum(reach[:, None], reach[None, :])

    def distance(
        self, radius: float, aspect: float, ripple: float, shift: float = 0.0
    ) -> FloatArray:
        """Distance from the centre in units of the outline, 1 on an irregular closed curve."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        x = self.x - shift * cos
        y = self.y - shift * sin
        along, across = (x * cos + y * sin) / aspect**0.5, (y * cos - x * sin) * aspect**0.5
        angle = np.arctan2(across, along)
        outline = np.ones_like(angle)
        for order, (phase, size) in enumerate(zip(self.phase, self.lobes, strict=True), start=2):
            outline += np.float32(ripple * size) * np.cos(order * angle + np.float32(phase))
        return np.hypot(along, across) / (radius * np.maximum(outline, 0.35))

    def finish(self, profile: FloatArray) -> FloatArray:
        """Mottle the inside, as real emissions never fade evenly."""
        mottled = np.maximum(profile * (1 + 0.13 * self.mottle + 0.06 * self.fine), 0.0)
        return mottled / mottled.max()

    def fade(self, distance: FloatArray) -> FloatArray:
        """1 at the centre, `OUTLINE_SHARE` at distance 1."""
        return np.exp(np.log(np.float32(OUTLINE_SHARE)) * distance ** np.float32(self.power))


def _compact(field: _Field, radius: float, aspect: float) -> FloatArray:
    return field.finish(field.fade(field.distance(radius, aspect, 0.16)))


def _lobed(field: _Field, radius: float, aspect: float) -> FloatArray:
    return field.finish(field.fade(field.distance(radius, aspect, 0.42)))


def _double(field: _Field, radius: float, aspect: float) -> FloatArray:
    apart = field.offset * radius * 0.62
    first = field.fade(field.distance(radius * 0.72, aspect, 0.18, -apart))
    second = field.fade(field.distance(radius * 0.72, aspect, 0.18, apart))
    return field.finish(np.maximum(first, field.second * second))


def _ring(field: _Field, radius: float, aspect: float) -> FloatArray:
    distance = field.distance(radius * 0.62, aspect, 0.14)
    place, height = field.ring
    ring = height * np.exp(-(((distance - place) / 0.27) ** 2))
    core = np.exp(-((distance / 0.75) ** 2) * np.float32(1.2))
    return field.finish(np.maximum(core, ring))


_PROFILES = {"compact": _compact, "lobed": _lobed, "double": _double, "ring": _ring}


def main_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected part of a mask, its holes filled."""
    if not mask.any():
        return np.zeros(mask.shape, dtype=bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    main = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    contours, _ = cv2.findContours(main.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, dtype=np.uint8)
    cv2.drawContours(filled, contours, -1, color=1, thickness=cv2.FILLED)
    return filled.astype(bool)

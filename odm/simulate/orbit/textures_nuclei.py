"""Nuclei as bounded bumps of random fields, of merged kernels, or of what diffuses from a seed.

A nucleus is drawn on a small square as a profile from 0 to 1, then stretched to the height and
width that give its outline the wanted area. Three constructions (`CONSTRUCTIONS`):

- *field*: a Gaussian random field on the condition that it has a given value at its centre, times
  a soft envelope;
- *kernels*: two to seven stretched Gaussian kernels, each begun inside the one before;
- *diffusion*: a seed that spreads through a medium whose conductivity is a random field.

From the group's paper: most frequencies around 6 kHz, latitudes between 40 and 70 degrees, 500 to
8,000 pixels, the core brightest, fading outward, irregular outlines.

Assumed here, without a source: the peak is log-normal around a median of 12 dB at difficulty 0,
9 dB at 0.5 and 6 dB at 1, one in five anywhere between 3 and 30 dB; a third has any frequency up to
15.5 kHz; one in seven any latitude; X and Y have 10-90 % of the excess power of Z.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, MOST_AREA, OUTLINE_DB, OUTLINE_SHARE
from odm.simulate.orbit.emission import Emission, FloatArray, clipped
from odm.simulate.orbit.textures_fields import Weave, coarse_field, log_uniform

MOST_ELONGATED = 2.5
"""Length over width beyond which a bump is no nucleus."""
_SIZE = 72
_GRID = np.linspace(-1, 1, _SIZE, dtype=np.float32)
_T, _F = np.meshgrid(_GRID, _GRID, indexing="ij")
_WINDOW = np.clip((1 - np.hypot(_T, _F)) / 0.3, 0, 1)


def draw_peak_db(rng: np.random.Generator, difficulty: float) -> float:
    """Draw the peak excess of a nucleus, dB."""
    if rng.random() < 0.2:
        return log_uniform(rng, 3.1, 30)
    return float(np.clip((12 - 6 * difficulty) * np.exp(0.4 * rng.standard_normal()), 4, 20))


def draw_nucleus(
    rng: np.random.Generator, peak_db: float, centre: tuple[int, int], rows: int
) -> tuple[Emission, str] | None:
    """Draw a nucleus.

    Args:
        rng: the generator.
        peak_db: its peak excess, dB, above 1.
        centre: row and bin of its brightest point, which may lie outside.
        rows: M of the half-orbit (M, 1024).

    Returns:
        The nucleus, cut off at the ends of the pass, and its construction; None if too little of
        it, or no single area, is left.
    """
    construction = str(rng.choice(tuple(CONSTRUCTIONS)))
    profile = CONSTRUCTIONS[construction](rng)
    share = max(OUTLINE_SHARE, OUTLINE_DB / peak_db)
    profile = _tidy(profile ** np.float32(log_uniform(rng, 0.75, 1.7)), share)
    area = log_uniform(rng, 600, 4500) if rng.random() < 0.7 else log_uniform(rng, 600, 7400)
    aspect = float(np.exp(0.25 * rng.standard_normal()))
    side = _SIZE * np.sqrt(area / max(int((profile >= share).sum()), 40))
    tall, wide = max(int(side * aspect), 9), max(int(side / aspect), 9)
    stretched = cv2.resize(profile, (wide, tall), interpolation=cv2.INTER_CUBIC)
    mottle = coarse_field(rng, (tall, wide), Weave(rng.uniform(2, 8), 4.0))
    stretched = np.maximum(stretched * (1 + np.float32(rng.uniform(0, 0.14)) * mottle), 0)
    excess = np.float32(peak_db) * _tidy(stretched / stretched.max(), share)
    if elongation(excess >= np.float32(share * peak_db)) > MOST_ELONGATED:
        return None
    row, bin_ = np.unravel_index(int(np.argmax(excess)), excess.shape)
    strength = (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)), 1.0)
    corner = (centre[0] - int(row), centre[1] - int(bin_))
    nucleus = clipped("nucleus", corner, excess.astype(np.float32), rows, strength)
    if nucleus is None or nucleus.contrast_db <= OUTLINE_DB:
        return None
    outline = nucleus.outline()
    alone = cv2.connectedComponents(outline.astype(np.uint8), connectivity=8)[0] == 2
    if not alone or not LEAST_AREA <= int(outline.sum()) <= MOST_AREA:
        return None
    return nucleus, construction


def elongation(area: NDArray[np.bool_]) -> float:
    """Return length over width of an area, by its second moments."""
    (tall, tilt), (_, wide) = np.cov(np.argwhere(area).T)
    mean, apart = (tall + wide) / 2, np.hypot((tall - wide) / 2, tilt)
    return float(np.sqrt((mean + apart) / max(mean - apart, 1e-9)))


def _tidy(profile: FloatArray, share: float) -> FloatArray:
    """Keep below the outline what lies above it apart from the peak, and fill what it encloses."""
    outline = (profile >= share).astype(np.uint8)
    _, labels = cv2.connectedComponents(outline, connectivity=8)
    main: NDArray[np.bool_] = labels == labels.flat[int(np.argmax(profile))]
    _, outside = cv2.connectedComponents((~main).astype(np.uint8), connectivity=4)
    border = np.concatenate([outside[0], outside[-1], outside[:, 0], outside[:, -1]])
    holes = ~main & ~np.isin(outside, np.unique(border))
    profile = np.where(main | holes, profile, np.minimum(profile, np.float32(0.9 * share)))
    return np.where(holes, np.maximum(profile, np.float32(1.02 * share)), profile)


def _from_field(rng: np.random.Generator) -> FloatArray:
    scale = rng.uniform(5, 9)
    weave = Weave(scale, rng.uniform(4.5, 7), log_uniform(rng, 1, 2), rng.uniform(0, np.pi))
    noise = coarse_field(rng, (_SIZE, _SIZE), weave)
    turn = np.cos(weave.angle), np.sin(weave.angle)
    along, across = _T * turn[0] + _F * turn[1], _F * turn[0] - _T * turn[1]
    square = along**2 / weave.stretch + across**2 * weave.stretch
    near = np.exp(-square * np.float32((_SIZE / 2 / scale) ** 2 / 6))
    middle = _SIZE // 2
    height = rng.uniform(3.0, 5.5)
    bump = noise + near * np.float32(height - noise[middle, middle])
    bump = np.maximum(bump + np.float32(0.08 * height), 0)
    return _unit(bump * np.exp(-((_T**2 + _F**2) * np.float32(rng.uniform(1.8, 3.6)))))


def _from_kernels(rng: np.random.Generator) -> FloatArray:
    total = np.zeros_like(_T)
    place, height = (0.0, 0.0), 1.0
    for _ in range(int(rng.integers(2, 8))):
        long, turn = rng.uniform(0.14, 0.3), rng.uniform(0, np.pi)
        wide = long * rng.uniform(0.45, 1)
        t, f = _T - np.float32(place[0]), _F - np.float32(place[1])
        along, across = t * np.cos(turn) + f * np.sin(turn), f * np.cos(turn) - t * np.sin(turn)
        kernel = np.exp(-((along / long) ** 2 + (across / wide) ** 2) / 2)
        total += (np.float32(height) * kernel) ** 2
        step = rng.uniform(0, 2 * np.pi)
        away = rng.uniform(0.5, 1.1) * wide
        place = (
            0.75 * place[0] + away * float(np.cos(step)),
            0.75 * place[1] + away * float(np.sin(step)),
        )
        height = rng.uniform(0.35, 0.85)
    return _unit(np.sqrt(total).astype(np.float32))


def _from_diffusion(rng: np.random.Generator) -> FloatArray:
    medium = coarse_field(rng, (_SIZE, _SIZE), Weave(rng.uniform(3, 9), rng.uniform(3, 6)))
    conductivity = 0.24 / (1 + np.exp(np.float32(-rng.uniform(1, 2.2)) * medium))
    along, across = np.float32(rng.uniform(0.5, 1)), np.float32(1)
    heat = np.exp(-(_T**2 + _F**2) / np.float32(2 * rng.uniform(0.04, 0.1) ** 2))
    down, right = 0.5 * (conductivity[1:] + conductivity[:-1]), conductivity[:, 1:]
    for _ in range(int(rng.integers(120, 420))):
        flow = along * down * (heat[1:] - heat[:-1])
        heat[:-1] += flow
        heat[1:] -= flow
        flow = across * right * (heat[:, 1:] - heat[:, :-1])
        heat[:, :-1] += flow
        heat[:, 1:] -= flow
    return _unit(heat)


def _unit(profile: FloatArray) -> FloatArray:
    """Fade a profile to 0 at the border, and scale it to 1 at its peak."""
    faded = profile * _WINDOW
    return np.asarray(faded / faded.max(), dtype=np.float32)


CONSTRUCTIONS: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "field": _from_field,
    "kernels": _from_kernels,
    "diffusion": _from_diffusion,
}
"""How the profile of a nucleus is made, (72, 72) from 0 to 1."""

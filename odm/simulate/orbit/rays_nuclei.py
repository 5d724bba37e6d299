"""Nuclei as clouds of wave packets, each spread by diffusion and Doppler shift.

Thousands of packets leave a source; where they arrive in time and frequency is drawn, and the power
is the density of what arrives. Three sources (`SOURCES`):

- *bursts*: dozens of bursts scatter around a core and, fewer, in its wings;
- *ducts*: several field-aligned ducts, each with its own frequency, seen through a beam;
- *cavity*: packets wander about in a cavity and leak out on the way.

From the group's paper: 500 to 8,000 pixels, a core of higher energy that fades outward, irregular
outlines.

Assumed here, without a source: shapes, and X and Y with 10-100 % of the excess power of Z.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, MOST_AREA, OUTLINE_DB, OUTLINE_SHARE
from odm.simulate.orbit.emission import Emission, FloatArray, clipped
from odm.simulate.orbit.rays_plasma import Floats, log_draw

_MOST_ELONGATED = 3.0


def from_bursts(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw where packets arrive (p, 2) and their energies (p,): bursts in a core and its wings."""
    count = int(log_draw(rng, 8, 80))
    wing = rng.random(count) < rng.uniform(0.2, 0.5)
    centres = rng.normal(0, 0.7, (count, 2))
    centres[wing] = np.clip(1.1 * rng.standard_t(4, (int(wing.sum()), 2)), -3, 3)
    each = 4000 // count
    packets = np.repeat(centres, each, axis=0)
    packets += np.repeat(rng.uniform(0.2, 0.6, (count, 1)), each, axis=0) * rng.standard_normal(
        packets.shape
    )
    energy = np.repeat(rng.gamma(1.5, size=count) * np.where(wing, 0.4, 1), each)
    return packets, energy


def from_ducts(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw packets of ducts side by side, wider in time where the beam is: see `from_bursts`."""
    count = int(rng.integers(2, 9))
    places = rng.normal(0, 0.9, count)
    tones = rng.normal(0, 0.6) * places + rng.normal(0, 0.45, count)
    owner = rng.choice(count, 4000, p=rng.dirichlet(np.full(count, 2.0)))
    tone = tones[owner] + rng.uniform(0.4, 0.9, count)[owner] * rng.standard_normal(4000)
    beam = rng.uniform(0.3, 0.7, count)[owner] * np.exp(rng.uniform(-0.25, 0.25) * tone)
    return np.stack([places[owner] + beam * rng.laplace(0, 0.8, 4000), tone], 1), np.ones(4000)


def from_cavity(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw packets along random walks, losing energy on the way: see `from_bursts`."""
    walks, steps = int(rng.integers(15, 60)), 90
    stride = rng.uniform(0.14, 0.24) * rng.standard_normal((walks, steps, 2))
    paths = 0.35 * rng.standard_normal((walks, 1, 2)) + np.cumsum(stride, axis=1)
    left = np.exp(-np.arange(steps) / rng.uniform(15, 60)) * rng.gamma(2, size=(walks, 1))
    return paths.reshape(-1, 2), left.ravel()


SOURCES: dict[str, Callable[[np.random.Generator], tuple[Floats, Floats]]] = {
    "bursts": from_bursts,
    "ducts": from_ducts,
    "cavity": from_cavity,
}
"""Sources of packets."""


def outline_share(peak_db: float) -> float:
    """Return the share of the peak in dB at which the outline lies."""
    return max(OUTLINE_SHARE, OUTLINE_DB / peak_db)


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
        The nucleus, cut off at the ends of the pass, and its source; None if it is too long, in
        several parts, or too small or large.
    """
    source = str(rng.choice(tuple(SOURCES)))
    packets, energy = SOURCES[source](rng)
    packets[:, 0] += rng.normal(0, 0.25) * packets[:, 1]  # dispersion
    aspect = float(np.exp(rng.normal(0, 0.25)))
    wanted = log_draw(rng, 560, 4500) if rng.random() < 0.75 else log_draw(rng, 560, 7600)
    blur, scale = rng.uniform(0.28, 0.5), np.sqrt(wanted) / 3.5
    for _ in range(4):
        excess = _arrived(packets * (aspect, 1 / aspect), energy, float(scale), blur, peak_db)
        outline = excess >= outline_share(peak_db) * peak_db
        area = int(outline.sum())
        if abs(np.log(area / wanted)) < 0.1 and is_whole(outline):
            break
        blur *= 1.0 if is_whole(outline) else 1.3
        scale = float(np.clip(scale * np.sqrt(wanted / area), 3, 80))
    row, bin_ = np.unravel_index(int(np.argmax(excess)), excess.shape)
    strength = (float(rng.uniform(0.1, 1)), float(rng.uniform(0.1, 1)), 1.0)
    corner = (centre[0] - int(row), centre[1] - int(bin_))
    nucleus = clipped("nucleus", corner, excess, rows, strength)
    if nucleus is None or nucleus.contrast_db <= OUTLINE_DB:
        return None
    seen = nucleus.outline()
    if not LEAST_AREA <= int(seen.sum()) <= MOST_AREA or not is_whole(seen):
        return None
    return None if _elongation(seen) > _MOST_ELONGATED else (nucleus, source)


def _arrived(
    packets: Floats, energy: Floats, scale: float, blur: float, peak_db: float
) -> FloatArray:
    """Return the excess in dB (n, k) of packets spread over ``blur``, all times ``scale``."""
    half = int(min(4.2 * scale, 170))
    places = np.rint(packets * scale).astype(int) + half
    inside = ((places >= 0) & (places <= 2 * half)).all(axis=1)
    size = 2 * half + 1
    flat = places[inside, 0] * size + places[inside, 1]
    grid = np.bincount(flat, energy[inside], size * size).reshape(size, size).astype(np.float32)
    core = cv2.GaussianBlur(grid, (0, 0), max(blur * scale, 1.5), borderType=cv2.BORDER_CONSTANT)
    wide = cv2.GaussianBlur(core, (0, 0), 1.8 * blur * scale, borderType=cv2.BORDER_CONSTANT)
    density = 0.7 * core + 0.3 * wide
    away = np.abs(np.linspace(-1, 1, size, dtype=np.float32))
    taper = np.clip((1 - away) / 0.25, 0, 1)
    density *= taper[:, None] * taper
    density *= np.float32((10 ** (peak_db / 10) - 1) / density.max())
    return np.asarray(10 * np.log10(1 + density), dtype=np.float32)


def is_whole(outline: NDArray[np.bool_]) -> bool:
    """Whether an outline is one area without holes."""
    if not outline.any():
        return False
    parts, _ = cv2.connectedComponents(outline.astype(np.uint8), connectivity=8)
    outside = np.pad(~outline, 1, constant_values=True).astype(np.uint8)
    return bool(parts == 2 and cv2.connectedComponents(outside, connectivity=4)[0] == 2)


def _elongation(area: NDArray[np.bool_]) -> float:
    """Return length over width, by the smallest rectangle around it."""
    contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    sides = cv2.minAreaRect(max(contours, key=len))[1]
    return float(max(sides) / max(min(sides), 1))

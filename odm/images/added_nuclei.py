"""Nuclei that the policy ``randomised`` adds: cut out of images, or drawn anew.

Those that are drawn come from a maker of its own: level sets of a random field that rise inward
with the distance from their border. How they look is assumed here, without a source; what counts
as one is that of `odm.images.sky`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.canvas import Image
from odm.images.masks import IGNORED
from odm.images.nucleus import OUTLINE_DB, OUTLINE_SHARE, WEAKEST_DB
from odm.images.primitives import smooth_field
from odm.images.relative import expand
from odm.images.sky import (
    HIDING,
    LARGEST,
    ROUND,
    SMALLEST,
    STRONGEST_DB,
    Floats,
    Sky,
    Window,
    in_decibels,
)

_RINGS = 0.3
"""Share of the drawn nuclei that are a core with a ring around it."""

Donor = tuple[Image, Image]
"""An image with its mask, from which nuclei are cut."""


def add_nucleus(sky: Sky, rng: np.random.Generator, donor: Donor) -> None:
    """Add a nucleus where none is; what does not show enough of itself is ignored."""
    profile = cut_out(rng, donor) if rng.random() < 0.6 else None
    if profile is None:
        profile = drawn_profile(rng)
    if profile is None:
        return
    peak = float(np.exp(rng.uniform(np.log(2.0), np.log(STRONGEST_DB))))
    excess = profile * np.float32(peak)
    least = max(OUTLINE_SHARE * peak, OUTLINE_DB)
    outline = _around_the_peak(excess, least)
    # Fragments outside the outline are faint, and it has no holes, so that picture and mask agree.
    excess = np.where(
        outline,
        np.maximum(excess, np.float32(1.01 * least)),
        np.minimum(excess, np.float32(0.9 * least)),
    )
    area = int(outline.sum())
    if not 0.8 * SMALLEST <= area <= LARGEST:
        return
    place = _free_place(sky, rng, outline)
    if place is None:
        return
    window, inner = place
    part = outline[inner]
    relative = sky.add(rng, window, excess[inner])[part]
    remaining = int(part.sum())
    shown = float(in_decibels(1 + relative.max()))
    counted = (
        min(peak, shown) >= WEAKEST_DB
        and remaining >= max(SMALLEST, area / 2)
        and np.count_nonzero(relative < 1 / HIDING) <= remaining / 2
    )
    sky.mask[window][part] = 1 if counted else IGNORED


def _around_the_peak(excess: Floats, least: float) -> NDArray[np.bool_]:
    """The area above a level that holds the peak, and what it encloses: a core in a ring is one."""
    below = np.pad((excess < least).astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(below, connectivity=4)
    filled = (labels[1:-1, 1:-1] != labels[0, 0]).astype(np.uint8)
    _, labels = cv2.connectedComponents(filled, connectivity=8)
    own = labels[np.unravel_index(int(excess.argmax()), excess.shape)]
    return np.asarray((labels == own) & (filled > 0))


def _free_place(
    sky: Sky, rng: np.random.Generator, outline: NDArray[np.bool_]
) -> tuple[Window, Window] | None:
    """Find a place where no nucleus is and nothing is ignored, also at an end of the pass.

    Returns:
        Window of the sky, and that of ``outline`` which lies in it.
    """
    height, width = outline.shape
    rows, columns = sky.shape
    for _ in range(6):
        top = int(rng.integers(-height // 3, rows - height // 2))
        left = int(rng.integers(-width // 2, max(1, columns - width // 2)))
        window = (
            slice(max(0, top), min(rows, top + height)),
            slice(max(0, left), min(columns, left + width)),
        )
        inner = (
            slice(window[0].start - top, window[0].stop - top),
            slice(window[1].start - left, window[1].stop - left),
        )
        part = outline[inner]
        around = cv2.dilate(part.astype(np.uint8), ROUND) > 0
        if part.any() and not sky.mask[window][around].any():
            return window, inner
    return None


def cut_out(rng: np.random.Generator, donor: Donor) -> Floats | None:
    """Cut the profile of a nucleus, 1 at its peak, out of an image, and transform it.

    Returns:
        (h, w), or None where the image has no nucleus that is large and strong enough.
    """
    image, mask = donor
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (mask == 1).astype(np.uint8), connectivity=8
    )
    if count == 1:
        return None
    number = int(rng.integers(1, count))
    left, top, width, height, area = (int(value) for value in stats[number])
    if area < SMALLEST:
        return None
    reach = 4 + max(width, height) // 2
    rows = slice(max(0, top - reach), min(mask.shape[0], top + height + reach))
    columns = slice(max(0, left - reach), min(mask.shape[1], left + width + reach))
    decibels = np.nan_to_num(expand(image[rows, columns, 0]))
    own = (labels[rows, columns] == number).astype(np.uint8)
    near = cv2.dilate(own, np.ones((7, 7), np.uint8))
    outside = (1 - near).astype(np.float32)
    size = 2 * reach + 1
    weight = cv2.blur(outside, (size, size)) + np.float32(1e-3)
    level = cv2.blur(decibels * outside, (size, size)) / weight
    soft = cv2.GaussianBlur(cv2.dilate(own, ROUND).astype(np.float32), (0, 0), 1.5)
    above = np.maximum(decibels - level, 0)
    # Speckle of a weak nucleus would grow with it.
    weak = float(np.percentile(above[own > 0], 90)) < 8
    excess = cv2.GaussianBlur(above, (0, 0), 1.3 if weak else 0.8) * soft
    return _turned(rng, np.asarray(excess, dtype=np.float32), area)


def _turned(rng: np.random.Generator, excess: Floats, area: float) -> Floats | None:
    """Flip, turn and stretch a profile so that its area stays that of a nucleus."""
    peak = float(excess.max())
    if peak < WEAKEST_DB:
        return None
    target = float(np.exp(rng.uniform(np.log(SMALLEST * 1.1), np.log(LARGEST * 0.8))))
    scale = np.clip(np.sqrt(target / area), 0.6, 1.6)
    aspect = np.exp(0.2 * rng.standard_normal())
    height, width = excess.shape
    angle = rng.uniform(-25, 25)
    tall, wide = scale * aspect, scale / aspect
    side_y, side_x = int(height * tall * 1.2) + 4, int(width * wide * 1.2) + 4
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix = np.diag([wide, tall]) @ matrix
    matrix[:, 2] += (side_x / 2 - wide * width / 2, side_y / 2 - tall * height / 2)
    turned = cv2.warpAffine(excess, matrix, (side_x, side_y), flags=cv2.INTER_LINEAR)
    turned = turned[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]
    return np.ascontiguousarray(turned, dtype=np.float32) / np.float32(max(turned.max(), 1e-6))


def _core_in_ring(rng: np.random.Generator) -> Floats:
    """Draw the profile of a core with a fainter ring around it, uneven along its course."""
    radius = np.sqrt(
        float(np.exp(rng.uniform(np.log(2 * SMALLEST), np.log(LARGEST * 0.7)))) / np.pi
    )
    tall = float(np.exp(0.3 * rng.standard_normal()))
    reach = 1.6
    rows, columns = int(2 * reach * radius * tall) + 6, int(2 * reach * radius / tall) + 6
    y = np.linspace(-reach, reach, rows, dtype=np.float32)[:, None]
    x = np.linspace(-reach, reach, columns, dtype=np.float32)[None]
    bend = smooth_field(rng, (rows, columns), radius * tall, radius / tall)
    away = np.hypot(y, x) * (1 + np.float32(rng.uniform(0.02, 0.15)) * bend)
    place, width = rng.uniform(0.72, 0.9), rng.uniform(0.1, 0.2)
    uneven = smooth_field(rng, (rows, columns), radius * tall, radius / tall)
    height = np.clip(rng.uniform(0.45, 0.8) * (1 + np.float32(0.2) * uneven), 0.35, 0.9)
    ring = height * np.exp(-(((away - place) / width) ** 2))
    core = np.exp(-((away / rng.uniform(0.3, 0.55)) ** 2))
    profile = np.asarray(np.maximum(core, ring), np.float32)
    profile = np.asarray(cv2.GaussianBlur(profile, (0, 0), rng.uniform(0.4, 0.8)), np.float32)
    profile *= np.clip(np.minimum(reach - np.abs(y), reach - np.abs(x)) / 0.3, 0, 1)
    return profile / np.float32(profile.max())


def drawn_profile(rng: np.random.Generator) -> Floats | None:
    """Draw the profile of a nucleus, 1 at its peak: a level set of a random field that rises
    inward with the distance from its border and fades outward, or a core with a ring around it."""
    if rng.random() < _RINGS:
        return _core_in_ring(rng)
    target = float(np.exp(rng.uniform(np.log(SMALLEST * 1.1), np.log(LARGEST * 0.7))))
    radius = np.sqrt(target / np.pi)
    tall = float(np.exp(0.35 * rng.standard_normal()))
    rows, columns = int(3.6 * radius * tall) + 8, int(3.6 * radius / tall) + 8
    field = smooth_field(rng, (rows, columns), radius * tall * 0.8, radius / tall * 0.8)
    y = np.linspace(-1.8, 1.8, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1.8, 1.8, columns, dtype=np.float32)[None]
    field = np.float32(rng.uniform(0.15, 0.5)) * field - (y**2 + x**2)
    level = np.partition(field.ravel(), -int(target) - 1)[-int(target) - 1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (field > level).astype(np.uint8), connectivity=4
    )
    if count == 1:
        return None
    own = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    inside = cv2.distanceTransform(np.pad(own, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outside = cv2.distanceTransform(1 - own, cv2.DIST_L2, 5)
    power = np.float32(rng.uniform(0.6, 1.5))
    fade = np.exp(-outside / np.float32(rng.uniform(0.15, 0.5) * radius + 0.5))
    rise = 0.3 + 0.7 * (inside / max(float(inside.max()), 1.0)) ** power
    profile = np.where(own > 0, rise, 0.3 * fade).astype(np.float32)
    profile = np.asarray(cv2.GaussianBlur(profile, (0, 0), max(0.7, 0.08 * radius)), np.float32)
    profile *= 1 + np.float32(rng.uniform(0, 0.12)) * smooth_field(rng, profile.shape, 3, 3)
    edge = np.minimum(1, np.minimum(1.8 - np.abs(y), 1.8 - np.abs(x)) / 0.3)
    profile = np.maximum(profile * edge, 0)
    return profile / np.float32(profile.max())

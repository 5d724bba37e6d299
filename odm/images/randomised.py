"""The policy ``randomised``: a relative image as another receiver under another sky would show it.

Everything is computed in power above the background, at the resolution of a relative image
(`odm.images.relative`), and the background is taken away once more at the end, as it is from a
measurement. What changes: time may run backwards; time and frequency are stretched; the pass is cut
(never rolled: its ends are true ends); smooth fields, bands and steps lie over it; structures that
are no nuclei are added (`odm.images.primitives`), and nuclei (`odm.images.added_nuclei`), at 3 to
30 dB; what receivers do comes last (`odm.images.receiver`). All amplitudes are chosen by judgement;
that breadth is what carries over to other skies was measured, their values were not.

Masks hold 0, 1 and `IGNORED`: what an added nucleus does not show of itself, what something else
hides of one that was there, and what was added and could be a nucleus, becomes `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.added_nuclei import Donor, add_nucleus
from odm.images.canvas import Image
from odm.images.masks import IGNORED
from odm.images.primitives import PRIMITIVES, draw_primitive
from odm.images.receiver import (
    DISTURBANCES,
    bands,
    ignore_remains,
    smear,
    smooth,
)
from odm.images.relative import compress, expand, polished
from odm.images.sky import LARGEST, SMALLEST, Floats, Sky, looks_of

Happens = Callable[[float], bool]
_MOST_PRIMITIVES = 12


def randomise(
    image: Image,
    mask: Image,
    rng: np.random.Generator,
    *,
    donor: Donor | Callable[[], Donor | None] | None = None,
    strength: float = 1.0,
    without: tuple[str, ...] = (),
) -> tuple[Image, Image]:
    """Vary a relative image and its mask.

    Args:
        image: (H, W, 2) uint8, 0 where invalid.
        mask: (H, W) uint8 of 0, 1 and `IGNORED`.
        rng: decides everything.
        donor: another image of that kind, with nuclei, or what loads one when it is needed; nuclei
            are cut out of ``image`` itself too, and of nothing else where there is no donor.
        strength: factor of all probabilities; 0 changes nothing.
        without: names of `PRIMITIVES` that are not drawn.

    Returns:
        New arrays of the same shapes and types.
    """
    columns = np.flatnonzero((image[..., 0] > 0).any(axis=0))
    if not columns.size:
        return image.copy(), mask.copy()
    part = slice(0, int(columns[-1]) + 1)
    sky = Sky(expand(image[:, part, 0]), expand(image[:, part, 1]), mask[:, part].copy())
    width = image.shape[1]

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * strength)

    def another() -> Donor:
        # Either one's nuclei may lie on the other's sky.
        given = donor if rng.random() < 0.75 else None
        return (given() if callable(given) else given) or (image, mask)

    if happens(0.5):
        backwards = np.s_[:, ::-1]
        sky = Sky(sky.decibels[backwards], sky.spread[backwards], sky.mask[backwards])
    as_it_was = sky.decibels
    if happens(0.4):
        sky = _stretched(sky, rng, width)
    if happens(0.35):
        sky = _cut(sky, rng)
    if happens(0.9):  # a tenth stays nearly as it is
        sky.decibels = sky.decibels.copy()
        _vary(sky, rng, another, happens, without)
    if sky.decibels is not as_it_was:
        sky.decibels = polished(sky.decibels)
    return _finished(sky, image.shape)


def _finished(sky: Sky, shape: tuple[int, ...]) -> tuple[Image, Image]:
    """Put a sky at the left of an empty canvas."""
    result = np.zeros(shape, np.uint8)
    mask = np.zeros(shape[:2], np.uint8)
    columns = sky.shape[1]
    result[:, :columns, 0], result[:, :columns, 1] = compress(sky.decibels), compress(sky.spread)
    invalid = (result[..., 0] == 0) | (result[..., 1] == 0)
    result[invalid] = 0
    mask[:, :columns] = sky.mask
    mask[invalid] = 0
    return result, mask


def _vary(
    sky: Sky,
    rng: np.random.Generator,
    donor: Callable[[], Donor],
    happens: Happens,
    without: tuple[str, ...],
) -> None:
    """Add to a sky, and disturb it as a receiver does; each with its own probability."""
    sky.looks = looks_of(sky.decibels)
    # Most images are disturbed in a few ways, some in nearly all.
    vigour = float(rng.choice((0.5, 1.0, 1.6), p=(0.35, 0.45, 0.2)))
    names = tuple(name for name in PRIMITIVES if name not in without)
    number = int(rng.poisson(3 * rng.uniform(0, 2))) if happens(0.9) and names else 0
    number = min(number, _MOST_PRIMITIVES)
    late = int(rng.integers(0, number + 1))
    if happens(0.25 * vigour):
        one, other = rng.uniform(0.1, 1.5, 2) * (rng.random(2) < 0.75)
        sky.blur = (float(one), float(other))
    if happens(0.6 * vigour):
        smooth(sky, rng)
    if happens(0.35 * vigour):
        bands(sky, rng)
    for _ in range(number - late):
        sky.put(rng, *draw_primitive(rng, sky.shape, names))
    if happens(0.6):
        cut_from = donor()
        for _ in range(int(rng.integers(1, 4))):
            add_nucleus(sky, rng, cut_from)
    for _ in range(late):
        sky.put(rng, *draw_primitive(rng, sky.shape, names))
    if max(sky.blur) > 0:
        smear(sky, rng)
    for probability, disturb in DISTURBANCES:
        if happens(probability * vigour):
            disturb(sky, rng)


def _stretched(sky: Sky, rng: np.random.Generator, width: int) -> Sky:
    """Stretch in time and frequency by 0.8 to 1.25; 0 Hz stays where it is."""
    rows, columns = sky.shape
    tall, wide = np.exp(rng.uniform(np.log(0.8), np.log(1.25), 2))
    new = min(width, max(16, round(columns * wide)))
    # Pixel centres; above the highest frequency the picture is mirrored.
    line = rows - 1 - (rows - 1 - np.arange(rows) + 0.5) / tall + 0.5
    column = (np.arange(new) + 0.5) / wide - 0.5
    map_y = np.repeat(line.astype(np.float32)[:, None], new, axis=1)
    map_x = np.repeat(column.astype(np.float32)[None], rows, axis=0)

    def moved(values: NDArray[Any], method: int) -> NDArray[Any]:
        return cv2.remap(values, map_x, map_y, method, borderMode=cv2.BORDER_REFLECT)

    def levels(values: Floats) -> Floats:
        return np.asarray(moved(values, cv2.INTER_LINEAR), dtype=np.float32)

    mask = np.asarray(moved(sky.mask, cv2.INTER_NEAREST), dtype=np.uint8)
    _ignore_sizes(mask)
    return Sky(levels(sky.decibels), levels(sky.spread), mask)


def _ignore_sizes(mask: Image) -> None:
    """Ignore what has become too small or too large for a nucleus; changed in place."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (mask == 1).astype(np.uint8), connectivity=8
    )
    area = stats[:, cv2.CC_STAT_AREA]
    wrong = (area < SMALLEST) | (area > LARGEST)
    wrong[0] = False
    if count > 1 and wrong.any():
        mask[wrong[labels]] = IGNORED


def _cut(sky: Sky, rng: np.random.Generator) -> Sky:
    """Cut the pass to a part of it; a nucleus of which too little is left is ignored."""
    columns = sky.shape[1]
    length = int(rng.integers(min(60, columns), columns + 1))
    start = int(rng.integers(0, columns - length + 1))
    part = slice(start, start + length)
    mask = sky.mask[:, part].copy()
    ignore_remains(sky.mask, np.ascontiguousarray(mask), part, mask)
    return Sky(sky.decibels[:, part].copy(), sky.spread[:, part].copy(), mask)

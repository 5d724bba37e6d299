"""The policy ``randomised``: a relative image as another receiver under another sky would show it.

Everything is computed in power above the background, at the resolution of a relative image
(`odm.images.relative`), and the background is taken away once more at the end, as it is from a
measurement. What changes: time may run backwards; time and frequency are stretched; the pass is cut
(never rolled: its ends are true ends); smooth fields, bands and steps lie over it; structures that
are no nuclei are added (`odm.images.primitives`), and nuclei, cut out of images or drawn anew, at 3
to 30 dB; speckle, blur, saturation, impulses and gaps come last. All amplitudes are chosen by
judgement; that breadth is what carries over to other skies was measured, their values were not.

Masks hold 0, 1 and `IGNORED`: what an added nucleus does not show of itself, or what something else
hides of one that was there, becomes `IGNORED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.canvas import Image
from odm.images.masks import IGNORED
from odm.images.primitives import PRIMITIVES, Floats, Primitive, draw_primitive, smooth_field
from odm.images.relative import BLOCK, compress, expand, polished

Donor = tuple[Image, Image]
"""An image with its mask, from which nuclei are cut."""

SMALLEST, LARGEST = 500 / BLOCK**2, 8000 / BLOCK**2
"""Pixels inside the outline of a nucleus."""
WEAKEST_DB, STRONGEST_DB = 3.0, 30.0
OUTLINE_SHARE, OUTLINE_DB = 0.3, 1.0
_HIDDEN_DB = 10.0
"""What is so much stronger than a nucleus hides it."""
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_AMBIENT = 9
"""Side of the square over which the level around an addition is averaged, pixels."""


@dataclass
class _Sky:
    """A pass while it is varied: (H, n) each, n columns of measurement.

    ``decibels`` above the background, NaN where invalid; ``spread`` in dB; ``mask``.
    """

    decibels: Floats
    spread: Floats
    mask: Image

    @property
    def shape(self) -> tuple[int, int]:
        return self.decibels.shape[0], self.decibels.shape[1]

    def ambient(self, window: tuple[slice, slice]) -> Floats:
        """The smoothed level of a window, dB; what is invalid counts as background."""
        level = cv2.blur(np.nan_to_num(self.decibels[window]), (_AMBIENT, _AMBIENT))
        return np.asarray(level, dtype=np.float32)

    def add(self, window: tuple[slice, slice], excess_db: Floats, fill: float) -> None:
        """Add power: ``excess_db`` above the ambient level in a share ``fill`` of each block."""
        factor = _power(excess_db) - 1
        # A power in each pixel's own units, so that strong speckle stays what it is.
        level = _power(self.ambient(window) - self.decibels[window])
        relative = factor * level
        self.decibels[window] += _decibels(1 + np.float32(fill) * relative)
        if fill < 1:
            self.spread[window] += spread_of(relative, fill)


def spread_of(relative: Floats, fill: float) -> Floats:
    """Return how much the spread of a block grows, dB: 10 log10 of arithmetic over geometric mean.

    Args:
        relative: power that is added, over the power that is there.
        fill: share of the block to which it is added; the rest is even.
    """
    arithmetic = _decibels(1 + np.float32(fill) * relative)
    return arithmetic - np.float32(fill) * _decibels(1 + relative)


def _power(decibels: Floats) -> Floats:
    return np.exp(np.float32(np.log(10) / 10) * decibels)


def _decibels(power: Floats) -> Floats:
    return np.float32(10 / np.log(10)) * np.log(power)


def randomise(
    image: Image,
    mask: Image,
    rng: np.random.Generator,
    *,
    donor: Donor | None = None,
    strength: float = 1.0,
    without: tuple[str, ...] = (),
) -> tuple[Image, Image]:
    """Vary a relative image and its mask.

    Args:
        image: (H, W, 2) uint8, 0 where invalid.
        mask: (H, W) uint8 of 0, 1 and `IGNORED`.
        rng: decides everything.
        donor: another image of that kind, with nuclei; None for ``image`` itself.
        strength: factor of all probabilities; 0 changes nothing.
        without: names of `PRIMITIVES` that are not drawn.

    Returns:
        New arrays of the same shapes and types.
    """
    columns = np.flatnonzero((image[..., 0] > 0).any(axis=0))
    if not columns.size:
        return image.copy(), mask.copy()
    part = slice(0, int(columns[-1]) + 1)
    sky = _Sky(expand(image[:, part, 0]), expand(image[:, part, 1]), mask[:, part].copy())
    width = image.shape[1]

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * strength)

    if happens(0.5):
        backwards = np.s_[:, ::-1]
        sky = _Sky(sky.decibels[backwards], sky.spread[backwards], sky.mask[backwards])
    if happens(0.4):
        sky = _stretched(sky, rng, width)
    if happens(0.35):
        sky = _cut(sky, rng)
    if happens(0.9):  # a tenth stays nearly as it is
        _vary(sky, rng, donor or (image, mask), happens, without)
    result = np.zeros_like(image)
    new_mask = np.zeros_like(mask)
    columns_now = sky.shape[1]
    sky.decibels = polished(sky.decibels)
    result[:, :columns_now] = np.stack([compress(sky.decibels), compress(sky.spread)], axis=-1)
    result[(result == 0).any(axis=-1)] = 0
    new_mask[:, :columns_now] = sky.mask
    new_mask[result[..., 0] == 0] = 0
    return result, new_mask


def _vary(
    sky: _Sky,
    rng: np.random.Generator,
    donor: Donor,
    happens: Callable[[float], bool],
    without: tuple[str, ...],
) -> None:
    """Add to a sky, and disturb it as a receiver does; each with its own probability."""
    names = tuple(name for name in PRIMITIVES if name not in without)
    number = int(rng.poisson(3 * rng.uniform(0, 2))) if happens(0.85) and names else 0
    late = int(rng.integers(0, number + 1))
    if happens(0.7):
        _smooth(sky, rng)
    if happens(0.4):
        _bands(sky, rng)
    for _ in range(number - late):
        _put(sky, draw_primitive(rng, sky.shape, names))
    if happens(0.6):
        for _ in range(int(rng.integers(1, 4))):
            _add_nucleus(sky, rng, donor)
    for _ in range(late):
        _put(sky, draw_primitive(rng, sky.shape, names))
    for probability, disturb in _DISTURBANCES:
        if happens(probability):
            disturb(sky, rng)


# -- geometry --------------------------------------------------------------------------------------


def _stretched(sky: _Sky, rng: np.random.Generator, width: int) -> _Sky:
    """Stretch in time and frequency by 0.8 to 1.25; 0 Hz stays where it is."""
    rows, columns = sky.shape
    tall, wide = np.exp(rng.uniform(np.log(0.8), np.log(1.25), 2))
    new = min(width, max(16, round(columns * wide)))
    # Pixel centres; above the highest frequency the picture is mirrored.
    line = rows - 1 - (rows - 1 - np.arange(rows) + 0.5) / tall + 0.5
    column = (np.arange(new) + 0.5) * (columns / (columns * wide)) - 0.5
    map_y = np.repeat(line.astype(np.float32)[:, None], new, axis=1)
    map_x = np.repeat(column.astype(np.float32)[None], rows, axis=0)

    def moved(values: NDArray[Any], method: int) -> NDArray[Any]:
        return cv2.remap(values, map_x, map_y, method, borderMode=cv2.BORDER_REFLECT)

    linear, nearest = cv2.INTER_LINEAR, cv2.INTER_NEAREST
    return _Sky(
        np.asarray(moved(sky.decibels, linear), dtype=np.float32),
        np.asarray(moved(sky.spread, linear), dtype=np.float32),
        np.asarray(moved(sky.mask, nearest), dtype=np.uint8),
    )


def _cut(sky: _Sky, rng: np.random.Generator) -> _Sky:
    """Cut the pass to a part of it; a nucleus of which too little is left is ignored."""
    columns = sky.shape[1]
    length = int(rng.integers(min(60, columns), columns + 1))
    start = int(rng.integers(0, columns - length + 1))
    part = slice(start, start + length)
    mask = sky.mask[:, part].copy()
    _ignore_remains(sky.mask, np.ascontiguousarray(mask), part, mask)
    return _Sky(sky.decibels[:, part].copy(), sky.spread[:, part].copy(), mask)


def _ignore_remains(whole: Image, remaining: Image, part: slice, mask: Image) -> None:
    """Mark in ``mask`` the nuclei of which less than half, or too little, remains.

    Args:
        whole: mask before.
        remaining: mask after, of the columns ``part``; what is lost in it is 0.
        part: columns of ``whole`` that ``mask`` shows.
        mask: (H, n), changed in place.
    """
    count, labels = cv2.connectedComponents((whole == 1).astype(np.uint8), connectivity=8)
    if count == 1:
        return
    before = np.bincount(labels.ravel(), minlength=count)
    seen = labels[:, part]
    after = np.bincount(seen[remaining == 1], minlength=count)
    lost = (after < before) & ((after < before / 2) | (after < SMALLEST))
    lost[0] = False
    mask[lost[seen] & (mask == 1)] = IGNORED


# -- what is added ---------------------------------------------------------------------------------


def _put(sky: _Sky, primitive: Primitive) -> None:
    """Add a primitive; nuclei that it hides are ignored."""
    window, excess = primitive.window, primitive.excess_db
    if float(excess.min()) < 0:
        sky.decibels[window] += excess * np.float32(primitive.fill)
        return
    mask = sky.mask[window]
    if (mask == 1).any():
        above = sky.decibels[window] - sky.ambient(window)
        hiding = excess > np.maximum(above, 0) + np.float32(_HIDDEN_DB)
        count, labels = cv2.connectedComponents((mask == 1).astype(np.uint8), connectivity=8)
        area = np.bincount(labels.ravel(), minlength=count)
        hidden = np.bincount(labels[hiding], minlength=count)
        lost = hidden > area / 2
        lost[0] = False
        mask[lost[labels]] = IGNORED
    sky.add(window, excess, primitive.fill)


def _add_nucleus(sky: _Sky, rng: np.random.Generator, donor: Donor) -> None:
    """Add a nucleus where none is; what does not show enough of itself is ignored."""
    profile = _cut_out(rng, donor) if rng.random() < 0.6 else None
    if profile is None:
        profile = _drawn_profile(rng)
    if profile is None:
        return
    peak = float(np.exp(rng.uniform(np.log(2.0), np.log(STRONGEST_DB))))
    excess = profile * np.float32(peak)
    outline = excess >= max(OUTLINE_SHARE * peak, OUTLINE_DB)
    area = int(outline.sum())
    if not 0.8 * SMALLEST <= area <= LARGEST:
        return
    height, width = excess.shape
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
        around = cv2.dilate(part.astype(np.uint8), _NEIGHBOURS) > 0
        if part.any() and not sky.mask[window][around].any():
            break
    else:
        return
    remaining = int(part.sum())
    counted = peak >= WEAKEST_DB and remaining >= SMALLEST and remaining >= area / 2
    # Something much stronger that is there already hides it.
    counted = counted and float(np.nanmax(sky.ambient(window)[part])) < 25
    sky.add(window, excess[inner], 1.0)
    sky.mask[window][part] = 1 if counted else IGNORED


def _cut_out(rng: np.random.Generator, donor: Donor) -> Floats | None:
    """Cut the profile of a nucleus, 1 at its peak, out of an image, and transform it."""
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
    grown = cv2.dilate(own, _NEIGHBOURS).astype(np.float32)
    soft = cv2.GaussianBlur(grown, (0, 0), 1.5)
    excess = cv2.GaussianBlur(np.maximum(decibels - level, 0), (0, 0), 0.7) * soft
    return _turned(rng, excess, area)


def _turned(rng: np.random.Generator, excess: Floats, area: float) -> Floats | None:
    """Flip, turn and stretch a profile so that its area stays that of a nucleus."""
    peak = float(excess.max())
    if peak < 1.5:
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


def _drawn_profile(rng: np.random.Generator) -> Floats | None:
    """Draw the profile of a nucleus, 1 at its peak: a level set of a random field that rises
    inward with the distance from its border and fades outward."""
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


# -- the receiver ----------------------------------------------------------------------------------


def _smooth(sky: _Sky, rng: np.random.Generator) -> None:
    """Add a smooth random field. Blobs of the size of a nucleus stay weaker than one."""
    scales = np.exp(rng.uniform(np.log(8), np.log(100), 2))
    strongest = 0.8 if scales.max() < 30 else 2.0 if scales.min() < 25 else 4.0
    deviation = np.float32(rng.uniform(0.2, strongest))
    sky.decibels += deviation * smooth_field(rng, sky.shape, *scales)


def _bands(sky: _Sky, rng: np.random.Generator) -> None:
    """Raise or lower bands of frequency and stretches of time, with soft sides."""
    for axis in rng.integers(0, 2, int(rng.integers(1, 3))):
        size = sky.shape[axis]
        place = np.arange(size, dtype=np.float32) - np.float32(rng.uniform(0, size))
        width = np.float32(np.exp(rng.uniform(np.log(3), np.log(60))))
        level = np.float32(rng.uniform(-6, 10)) * np.exp(-((place / width) ** 2))
        # A band of the whole length would be background; so it changes along its length.
        other = sky.shape[1 - axis]
        along = np.clip(smooth_field(rng, (1, other), 1, rng.uniform(60, 200))[0], 0, 2)
        field = level[:, None] * along[None]
        sky.decibels += field if axis == 0 else field.T


def _steps(sky: _Sky, rng: np.random.Generator) -> None:
    """Change the level at a moment by up to 10 dB, for all frequencies or some."""
    rows, columns = sky.shape
    x = np.arange(columns, dtype=np.float32)
    for _ in range(int(rng.integers(1, 3))):
        soft = np.float32(rng.choice((0.1, 1.0, 8.0)))
        rise = 0.5 * (1 + np.tanh((x - np.float32(rng.uniform(0, columns))) / soft))
        level = np.full((rows, 1), rng.uniform(-10, 10), dtype=np.float32)
        if rng.random() < 0.5:  # another spectrum after the step
            level = level * np.clip(smooth_field(rng, (rows, 1), rng.uniform(10, 80), 1), -1.5, 1.5)
        sky.decibels += level * rise[None]


def _lines(sky: _Sky, rng: np.random.Generator) -> None:
    """Lines at nearly constant frequency, of any width, that come and go."""
    rows, columns = sky.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    for _ in range(int(rng.integers(1, 6))):
        width = np.float32(np.exp(rng.uniform(np.log(0.3), np.log(6))))
        drift = rng.uniform(-0.03, 0.03) * (rng.random() < 0.3) * np.arange(columns)
        place = (rng.uniform(0, rows) + drift).astype(np.float32)[None]
        on = smooth_field(rng, (1, columns), 1, rng.uniform(2, 60)) > rng.uniform(-1.5, 1)
        level = np.float32(np.exp(rng.uniform(np.log(2), np.log(25))))
        sky.decibels += level * np.exp(-(((y - place) / width) ** 2)) * on


def _impulses(sky: _Sky, rng: np.random.Generator) -> None:
    """Single rows of the file with power at all, or a range of, frequencies."""
    rows, columns = sky.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    for _ in range(int(rng.poisson(6)) + 1):
        column = int(rng.integers(columns))
        window = (slice(0, rows), slice(column, column + 1))
        top = np.float32(rng.uniform(-40, rows * 0.7))
        fade = np.exp(-np.maximum(y - top, 0) / np.float32(rng.uniform(20, 300)))
        excess = np.float32(rng.uniform(3, 20)) * np.where(y > top, fade, 0)
        sky.add(window, excess.astype(np.float32), float(rng.choice((0.25, 0.5, 1.0))))


def _blur(sky: _Sky, rng: np.random.Generator) -> None:
    """Smear in time, in frequency, or both."""
    sigma = rng.uniform(0.1, 1.5, 2) * (rng.random(2) < 0.75)
    power = _power(np.nan_to_num(sky.decibels))
    sides = {"sigmaX": max(0.1, sigma[0]), "sigmaY": max(0.1, sigma[1])}
    smeared = np.asarray(cv2.GaussianBlur(power, (0, 0), **sides), dtype=np.float32)
    sky.decibels = np.where(np.isnan(sky.decibels), np.nan, _decibels(smeared)).astype(np.float32)


def _speckle(sky: _Sky, rng: np.random.Generator) -> None:
    """Fresh noise as of 1 to 50 averaged spectra, and a block of 16 values."""
    looks = np.exp(rng.uniform(0, np.log(50)))
    deviation = np.float32(10 / np.log(10) / np.sqrt(BLOCK**2 * looks))
    sky.decibels += deviation * rng.standard_normal(sky.shape, dtype=np.float32)
    sky.spread += np.float32(0.7) * deviation * rng.standard_normal(sky.shape, dtype=np.float32)


def _saturate(sky: _Sky, rng: np.random.Generator) -> None:
    """Clip what is above a ceiling, which depends on frequency, for all of the pass or a part."""
    rows, columns = sky.shape
    start, stop = np.sort(rng.integers(0, columns + 1, 2))
    part = slice(0, columns) if rng.random() < 0.4 else slice(int(start), int(stop))
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    ceiling = np.float32(rng.uniform(5, 22)) + np.float32(rng.uniform(-8, 8)) * y
    if rng.random() < 0.3:
        ceiling = np.where(y > rng.uniform(-1, 1), ceiling, np.float32(99))
    ceiling = np.maximum(ceiling, 4).astype(np.float32)
    above = sky.decibels[:, part] > ceiling
    sky.decibels[:, part] = np.where(above, ceiling, sky.decibels[:, part])
    sky.spread[:, part] -= np.where(above, np.float32(1.0), np.float32(0))


def _gaps(sky: _Sky, rng: np.random.Generator) -> None:
    """Lose columns; a nucleus of which too little is left is ignored."""
    columns = sky.shape[1]
    before = sky.mask.copy()
    remaining = sky.mask.copy()
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(columns))
        length = 1 if rng.random() < 0.6 else int(rng.integers(2, 25))
        sky.decibels[:, start : start + length] = np.nan
        remaining[:, start : start + length] = 0
    _ignore_remains(before, remaining, slice(0, columns), sky.mask)


_DISTURBANCES: tuple[tuple[float, Callable[[_Sky, np.random.Generator], None]], ...] = (
    (0.3, _steps),
    (0.3, _lines),
    (0.25, _blur),
    (0.5, _speckle),
    (0.25, _impulses),
    (0.2, _saturate),
    (0.3, _gaps),
)
"""What a receiver does, in its order, each with its probability."""

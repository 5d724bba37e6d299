"""Variations of an image with boxes: what photographs are varied by, one function each.

An image is (H, W) uint8, 0 where invalid, which it stays. Boxes are (N, 5) float32: class, left,
top, right, bottom in pixels from edge to edge. None of the functions changes what it is given.

**They are not what an ionogram needs by nature**: a flip reverses frequency, mosaic and zoom move
echoes to other ranges and frequencies, mixup shows two skies at once, and colour changes the SNR.
Whether they help is measured by `benchmarks/detector_ablation.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from odm.images.canvas import Image

BoxArray = NDArray[np.float32]
Labelled = tuple[Image, BoxArray]

KEEP = 0.2
"""Share of a box that has to be left in an image that shows a part of it."""
SIDE = 2.0
"""Least side of a box, pixels."""


@dataclass(frozen=True, slots=True)
class BoxPolicy:
    """Probability of each variation."""

    flip: float = 0.0
    mosaic: float = 0.0
    mixup: float = 0.0
    colour: float = 0.0
    zoom: float = 0.0

    def __call__(
        self, sample: Labelled, seed: int, another: Callable[[np.random.Generator], Labelled]
    ) -> Labelled:
        """Vary an image.

        Args:
            sample: image and boxes.
            seed: decides everything that is random.
            another: draws another image, for mosaic and mixup.
        """
        rng = np.random.default_rng([seed, 2])
        # Drawn at once: what one variation draws moves nothing of the others.
        flips, tiles, mixes, colours, zooms = rng.random(5) < astuple(self)
        if tiles:
            sample = mosaic([sample, *(another(rng) for _ in range(3))], rng)
        elif zooms:
            sample = zoom(sample, rng)
        if mixes:
            sample = mixup(sample, another(rng))
        if flips:
            sample = flip(sample)
        if colours:
            sample = (colour(sample[0], rng), sample[1])
        return sample


def flip(sample: Labelled) -> Labelled:
    """Left and right exchanged."""
    image, boxes = sample
    width = image.shape[1]
    turned = boxes.copy()
    turned[:, 1], turned[:, 3] = width - boxes[:, 3], width - boxes[:, 1]
    return np.ascontiguousarray(image[:, ::-1]), turned


def colour(image: Image, rng: np.random.Generator) -> Image:
    """Another contrast (0.7 to 1.4), brightness (up to 25 levels) and gamma (0.8 to 1.25)."""
    gain, gamma = np.exp(rng.uniform(-0.34, 0.34)), np.exp(rng.uniform(-0.22, 0.22))
    levels = (np.arange(256) / 255) ** gamma * 255 * gain + rng.uniform(-25, 25)
    table = np.clip(levels, 1, 255).astype(np.uint8)
    table[0] = 0
    return table[image]


def mixup(sample: Labelled, other: Labelled) -> Labelled:
    """The mean of two images with the boxes of both; invalid where the first is."""
    (image, boxes), (shown, more) = sample, fitted(other, sample[0].shape)
    valid = (image > 0) & (shown > 0)
    both = (image.astype(np.uint16) + shown + 1) // 2
    mixed = np.where(valid, both, image).astype(np.uint8)
    return mixed, np.concatenate([boxes, more])


def zoom(sample: Labelled, rng: np.random.Generator) -> Labelled:
    """Scaled by 0.7 to 1.5, each side a little differently, at a random place of the canvas."""
    image, boxes = sample
    factor = rng.uniform(0.7, 1.5)
    factors = factor * np.exp(rng.uniform(-0.15, 0.15, 2))
    size = tuple(max(1, round(side * f)) for side, f in zip(image.shape, factors, strict=True))
    scaled = fitted(sample, (size[0], size[1]))
    corner = [int(rng.integers(min(0, s - c), max(0, s - c) + 1))
              for s, c in zip(image.shape, size, strict=True)]  # fmt: skip
    canvas = np.zeros_like(image)
    return canvas, _paste(canvas, scaled, corner[0], corner[1], (0, 0, *image.shape))


def mosaic(samples: list[Labelled], rng: np.random.Generator) -> Labelled:
    """Parts of four images around a random corner, each scaled by 0.5 to 1.2."""
    height, width = samples[0][0].shape
    y, x = (round(side * rng.uniform(0.3, 0.7)) for side in (height, width))
    canvas = np.zeros((height, width), np.uint8)
    boxes = []
    for number, sample in enumerate(samples):
        factor = rng.uniform(0.5, 1.2)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        below, right = divmod(number, 2)
        # The tile's own corner lies at the common one.
        top, left = (y if below else y - size[0]), (x if right else x - size[1])
        window = (y if below else 0, x if right else 0, height if below else y,
                  width if right else x)  # fmt: skip
        boxes.append(_paste(canvas, fitted(sample, size), top, left, window))
    return canvas, np.concatenate(boxes)


def fitted(sample: Labelled, size: tuple[int, ...]) -> Labelled:
    """An image and its boxes at another size, (H, W)."""
    import cv2

    image, boxes = sample
    if image.shape == size:
        return sample
    shrinks = size[0] * size[1] < image.size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (size[1], size[0]), interpolation=method)
    y, x = (new / old for new, old in zip(size, image.shape, strict=True))
    return np.asarray(scaled, np.uint8), boxes * np.array([1, x, y, x, y], np.float32)


def _paste(
    canvas: Image, sample: Labelled, top: int, left: int, window: tuple[int, int, int, int]
) -> BoxArray:
    """Draw an image at a place of the canvas, inside a window only; the boxes that it leaves.

    Args:
        canvas: is drawn on.
        sample: image and boxes.
        top, left: where its corner comes to lie, outside of the canvas too.
        window: top, left, bottom, right.
    """
    image, boxes = sample
    y0, x0 = max(window[0], top), max(window[1], left)
    y1, x1 = min(window[2], top + image.shape[0]), min(window[3], left + image.shape[1])
    if y1 <= y0 or x1 <= x0:
        return np.zeros((0, 5), np.float32)
    canvas[y0:y1, x0:x1] = image[y0 - top : y1 - top, x0 - left : x1 - left]
    moved = boxes + np.array([0, left, top, left, top], np.float32)
    return clipped(moved, (y0, x0, y1, x1))


def clipped(boxes: BoxArray, window: tuple[int, int, int, int]) -> BoxArray:
    """What a window (top, left, bottom, right) shows of boxes; little of a box is nothing."""
    low = np.array([window[1], window[0]], np.float32)
    high = np.array([window[3], window[2]], np.float32)
    cut = boxes.copy()
    cut[:, 1:3] = np.clip(boxes[:, 1:3], low, high)
    cut[:, 3:5] = np.clip(boxes[:, 3:5], low, high)
    sides = cut[:, 3:5] - cut[:, 1:3]
    whole = (boxes[:, 3:5] - boxes[:, 1:3]).prod(axis=1)
    kept: BoxArray = cut[(sides.min(axis=1, initial=np.inf) >= SIDE)
                         & (sides.prod(axis=1) >= KEEP * whole)]  # fmt: skip
    return kept

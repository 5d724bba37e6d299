"""Coarser shapes of drawn areas: the published masks may be outlines, ellipses or boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.uint8]
MaskKind = Literal["contour", "ellipse", "box"]

IGNORED = 255
"""Value of a mask in memory where nobody can say what is there: neither object nor background."""
OBJECT_GREY, IGNORED_GREY = 255, 128
"""Grey levels of an object and of what is ignored in the picture of a mask."""


def is_drawn(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a mask holds an object: what is ignored is none."""
    drawn: NDArray[np.bool_] = (mask != 0) & (mask != IGNORED)
    return drawn


def number_areas(mask: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Number the areas of a mask (H, W) from 1, and count them; pixels that touch at a corner
    belong to one area."""
    numbers, count = ndimage.label(mask, structure=np.ones((3, 3)))
    return numbers, count


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG."""
    return bytes(cv2.imencode(".png", pixels)[1])


def mask_png(mask: NDArray[Any]) -> bytes:
    """Return a mask (H, W) of 0, 1 and `IGNORED` as PNG of 0, `OBJECT_GREY` and `IGNORED_GREY`."""
    pixels = np.where(is_drawn(mask), OBJECT_GREY, np.where(mask == IGNORED, IGNORED_GREY, 0))
    return png_bytes(pixels.astype(np.uint8))


def contour_to_box(mask: NDArray[Any]) -> Mask:
    """Fill the bounding box of every 8-connected area.

    Args:
        mask: (H, W), anything but 0 and `IGNORED` is foreground.

    Returns:
        (H, W) uint8 of 0 and 1, and `IGNORED` where that was and no box is.
    """
    labels, _ = number_areas(is_drawn(mask))
    boxes = _ignored_only(mask)
    for box in ndimage.find_objects(labels):
        boxes[box] = 1
    return boxes


def contour_to_ellipse(mask: NDArray[Any]) -> Mask:
    """Replace every 8-connected area by the ellipse with its centre and second moments.

    An ellipse keeps its shape, up to the pixel grid; an area cut by the edge of the image stays
    inside the image.

    Args:
        mask: (H, W), anything but 0 and `IGNORED` is foreground.

    Returns:
        (H, W) uint8 of 0 and 1, and `IGNORED` where that was and no ellipse is.
    """
    labels, _ = number_areas(is_drawn(mask))
    ellipses = np.zeros(mask.shape, np.uint8)
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        y, x = np.nonzero(labels[rows, columns] == label)
        centre_y, centre_x = y.mean() + rows.start, x.mean() + columns.start
        # A pixel is a square of variance 1/12, which keeps a single row from vanishing.
        covariance = np.cov(np.stack([y, x]), bias=True) + np.eye(2) / 12
        # A filled ellipse with half-axes a, b has the variances a²/4, b²/4 along them.
        inverse = np.linalg.inv(4 * covariance)
        # No ellipse reaches beyond its half-axes along y and x.
        reach_y, reach_x = 2 * np.sqrt(np.diag(covariance))
        top, bottom = _span(centre_y, reach_y, mask.shape[0])
        left, right = _span(centre_x, reach_x, mask.shape[1])
        dy = np.arange(top, bottom)[:, None] - centre_y
        dx = np.arange(left, right)[None, :] - centre_x
        form = inverse[0, 0] * dy**2 + 2 * inverse[0, 1] * dy * dx + inverse[1, 1] * dx**2
        ellipses[top:bottom, left:right] |= (form <= 1).astype(np.uint8)
    return np.where(ellipses > 0, ellipses, _ignored_only(mask))


def _span(centre: float, reach: float, size: int) -> tuple[int, int]:
    return max(0, int(np.floor(centre - reach))), min(size, int(np.ceil(centre + reach)) + 1)


def _unchanged(mask: NDArray[Any]) -> Mask:
    return np.where(is_drawn(mask), np.uint8(1), _ignored_only(mask))


def _ignored_only(mask: NDArray[Any]) -> Mask:
    return (mask == IGNORED).astype(np.uint8) * np.uint8(IGNORED)


SHAPES: dict[str, Callable[[NDArray[Any]], Mask]] = {
    "contour": _unchanged,
    "ellipse": contour_to_ellipse,
    "box": contour_to_box,
}
"""Kind of mask -> how it is made from drawn areas."""

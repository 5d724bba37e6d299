"""Draw shapes given in image coordinates into masks: one rule for every annotation format."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from odm.core.errors import AnnotationError
from odm.core.text import unknown_name
from odm.images.masks import IGNORED, IGNORED_GREY, OBJECT_GREY, is_drawn, number_areas

Mask = NDArray[np.uint8]
Point = tuple[float, float]
Edges = tuple[float, float, float, float]
"""Left, top, right, bottom in an image."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom edges in pixels."""

_SNAP = 0.01
"""Pixels within which an edge is the border that a program could not write (YOLO rounds to 1e-6 of
the width, 0.001 pixels here)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The image that an annotation file belongs to.

    Attributes:
        stem: its file name without extension, which is the half-orbit's name without extension.
        height, width: pixels; rows are frequency, columns time.
        classes: the classes that may be drawn; a class's index in a mask is its place here plus 1.
        exact_edges: take edges literally, for files that LabelImg and LabelMe did not write.
    """

    stem: str
    height: int
    width: int
    classes: tuple[str, ...]
    exact_edges: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One drawn object.

    Attributes:
        label: its class.
        box: left, top, right, bottom edges in pixels; right and bottom are exclusive.
    """

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that one annotation file says about its image.

    Attributes:
        mask: (height, width) uint8, the class index, 0 where nothing was drawn.
        objects: the objects in the order of the file.
    """

    mask: Mask
    objects: tuple[AnnotatedObject, ...]


class Canvas:
    """Collects the objects of one file and draws them."""

    def __init__(self, path: Path, picture: Picture) -> None:
        self.path, self.picture = path, picture
        self.mask: Mask = np.zeros((picture.height, picture.width), np.uint8)
        self._boxes: dict[object, tuple[str, Box]] = {}

    def drawing(self) -> Drawing:
        return Drawing(self.mask, tuple(AnnotatedObject(*drawn) for drawn in self._boxes.values()))

    def subject(self, number: int, label: str) -> str:
        """Return what messages call an object of a class.

        Raises:
            AnnotationError: no such class may be drawn.
        """
        subject = f"object {number} ({label})" if label else f"object {number}"
        if label not in self.picture.classes:
            reason = unknown_name("class", label or "(none)", self.picture.classes)
            raise AnnotationError(self.path, subject, reason)
        return subject

    def from_labelimg(self, left: float, top: float, right: float, bottom: float) -> Edges:
        if not self.picture.exact_edges:
            left = 0.0 if abs(left - 1) < _SNAP else left
            top = 0.0 if abs(top - 1) < _SNAP else top
        return left, top, right, bottom

    def from_labelme(self, x: float, y: float) -> Point:
        if not self.picture.exact_edges:
            x = x + 1 if abs(x - (self.picture.width - 1)) < _SNAP else x
            y = y + 1 if abs(y - (self.picture.height - 1)) < _SNAP else y
        return x, y

    def add_box(self, subject: str, label: str, edges: Edges, group: object = None) -> None:
        # Pixel i is in where left <= i + 0.5 < right.
        x0, y0, x1, y1 = (math.ceil(edge - 0.5) for edge in edges)
        if x1 <= x0 or y1 <= y0:
            left, top, right, bottom = edges
            reason = f"has no area ({right - left:g} by {bottom - top:g} pixels)"
            raise AnnotationError(self.path, subject, reason)
        self._check_inside(subject, x0, y0, x1, y1)
        self.mask[y0:y1, x0:x1] = self.picture.classes.index(label) + 1
        self._remember(label, (x0, y0, x1, y1), group)

    def add_polygon(
        self, subject: str, label: str, points: list[Point], group: object = None
    ) -> None:
        from skimage.draw import polygon

        if len(points) < 3:
            reason = f"is a polygon of {count(len(points), 'point')}; an area needs 3"
            raise AnnotationError(self.path, subject, reason)
        x, y = np.array(points).T
        edges = (math.ceil(float(edge) - 0.5) for edge in (x.min(), y.min(), x.max(), y.max()))
        self._check_inside(subject, *edges)
        # The drawing routine has pixel centres at integers.
        self._fill(subject, label, polygon(y - 0.5, x - 0.5, shape=self.mask.shape), group)

    def add_circle(
        self, subject: str, label: str, centre: Point, radius: float, group: object = None
    ) -> None:
        x, y = centre  # beyond the border a circle is cut: people draw regions that end there
        if not (0 <= x <= self.picture.width and 0 <= y <= self.picture.height):
            reason = f"has its centre ({x:g}, {y:g}) outside the image ({self._size()})"
            raise AnnotationError(self.path, subject, reason)
        rows, columns = np.ogrid[: self.picture.height, : self.picture.width]
        inside = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2
        self._fill(subject, label, np.nonzero(inside), group)

    def _fill(self, subject: str, label: str, pixels: tuple[Any, ...], group: object) -> None:
        rows, columns = pixels
        if not len(rows):
            raise AnnotationError(self.path, subject, "has no area: it covers no pixel's centre")
        self.mask[rows, columns] = self.picture.classes.index(label) + 1
        self._remember(label, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), group)

    def _remember(self, label: str, box: Box, group: object) -> None:
        name = (label, str(group)) if group is not None else len(self._boxes)
        _, seen = self._boxes.get(name, (label, box))
        low, high = np.minimum(seen, box), np.maximum(seen, box)
        left, top, right, bottom = map(int, (*low[:2], *high[2:]))
        self._boxes[name] = (label, (left, top, right, bottom))

    def _check_inside(self, subject: str, x0: int, y0: int, x1: int, y1: int) -> None:
        if x0 < 0 or y0 < 0 or x1 > self.picture.width or y1 > self.picture.height:
            reason = f"reaches outside the image: {x0}..{x1} by {y0}..{y1} in {self._size()}"
            raise AnnotationError(self.path, subject, reason)

    def _size(self) -> str:
        return f"{self.picture.width} by {self.picture.height} pixels"


def load_mask(path: str | Path) -> Mask:
    """Load a mask picture as (H, W) uint8 of 0, 1 and, where it is grey 128, `IGNORED`.

    Raises:
        AnnotationError: no such file, not a picture, or more than one foreground value.
    """
    import cv2

    try:
        data = Path(path).read_bytes()
    except OSError:
        raise AnnotationError(path, "", "no such mask file") from None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error:  # a header that asks for more pixels than there can be
        pixels = None
    if pixels is None:
        raise AnnotationError(path, "", "not a readable picture")
    if pixels.ndim == 3 and pixels.shape[2] == 4 and np.ptp(pixels[..., 3]) > 0:
        pixels = np.where(pixels[..., 3] > 0, 255, 0).astype(np.uint8)  # drawn on nothing
    if pixels.ndim == 3:
        # A palette picture arrives here as colours, a painted one with an opaque alpha channel.
        colour = pixels[..., :3].astype(np.uint32)
        values: NDArray[Any] = colour[..., 0] | colour[..., 1] << 8 | colour[..., 2] << 16
    else:
        values = pixels
    # In a picture of colours any one of them is the class.
    ignored = values == IGNORED_GREY if pixels.ndim == 2 else np.zeros(values.shape, bool)
    foreground = np.unique(values[(values != 0) & ~ignored])
    if foreground.size > 1:
        reason = f"has {foreground.size} values beside 0; a mask has one, such as {OBJECT_GREY}"
        raise AnnotationError(path, "", reason)
    if pixels.ndim == 2 and foreground.size and int(foreground[0]) not in (1, OBJECT_GREY):
        reason = (
            f"unknown class {int(foreground[0])}: a mask has 0 and {OBJECT_GREY} (or 1), and "
            f"{IGNORED_GREY} for what is ignored"
        )
        raise AnnotationError(path, "", reason)
    mask = (values != 0).astype(np.uint8)
    mask[ignored] = IGNORED
    return mask


def component_boxes(mask: Mask) -> list[Box]:
    """Pixel edges of the 8-connected areas of a mask; what is ignored belongs to none."""
    return [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(number_areas(is_drawn(mask))[0])
    ]


def count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")

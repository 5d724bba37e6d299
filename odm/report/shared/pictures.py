"""Small pictures for the page: JPEG without axes, and where outlines lie in them.

The page draws axes and outlines over them, so that they stay sharp and can be told in any theme.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.core.errors import OdmError
from odm.core.files import join, write_bytes
from odm.core.progress import progress
from odm.report.shared.rows import PageRows, ReviewQueue

Opened = TypeVar("Opened")
Box = tuple[float, float, float, float]
"""Left, right, lower and upper border of a picture in physical units."""

MAX_EMBEDDED = 500
"""Pictures inside the page; more lie in a folder beside it."""
FOLDER = "pictures"
_THOUSANDTHS = 1000


@dataclass(frozen=True)
class Crop:
    """A picture, and what is drawn over it.

    Attributes:
        jpeg: bytes of the picture.
        box: its outer borders.
        latitude: geographic latitude at its left and right border, in degrees; None where a place
            in the picture is no place on Earth.
        shapes: outlines as x, y, x, y, ... in thousandths of the width and height, from the top
            left corner.
        rows: the row of the page of each shape; none where there is only one thing to show.
        lines: leading edges in the units of shapes, one per shape, perhaps empty.
        axes: scale and label of the axes, where they are not those of half-orbits.
    """

    jpeg: bytes
    box: Box
    latitude: tuple[float, float] | None
    shapes: list[list[int]]
    rows: list[int] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    axes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Pictures:
    """The pictures of a page, drawn from the files of an archive.

    Attributes:
        folder: folder of the page.
        archive: folder or URI of the archive.
        rows: findings of the page, and the inputs that they are from.
        queue: inputs to review, which are drawn first.
        limit: largest number of findings to draw, the surest ones; None for all.
        word: name of the inputs in the plural.
        of_findings: facts of the picture of a finding, by row of the page.
        of_inputs: facts of the picture of a whole input, by number of the input.
        problems: sentences on inputs that could not be drawn.
    """

    folder: str
    archive: str
    rows: PageRows
    queue: ReviewQueue
    limit: int | None
    word: str
    of_findings: dict[int, dict[str, Any]] = field(default_factory=dict)
    of_inputs: dict[int, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def opened(
        self, numbers: Collection[int], open_input: Callable[[str], Opened]
    ) -> Iterator[tuple[int, Opened]]:
        """Open inputs one after another, show progress and note those that cannot be opened.

        Args:
            numbers: the inputs.
            open_input: function from a path to the opened input.

        Yields:
            The number of an input, and what was opened.
        """
        with progress("drawing", len(numbers), self.word) as advance:
            for number in numbers:
                try:
                    content = open_input(join(self.archive, self.rows.sources[number]))
                except OdmError as error:
                    self.problems.append(str(error))
                    continue
                finally:
                    advance(1)
                yield number, content

    def facts(self, crop: Crop, number: int, rank: int = 0) -> dict[str, Any]:
        """Return what the page needs to show a picture, with the picture or its file's name.

        Args:
            crop: the picture.
            number: names the file, since a name from an archive could be anything.
            rank: number of pictures that come first: from `MAX_EMBEDDED` on it lies beside the
                page.
        """
        if rank < MAX_EMBEDDED:
            source = "data:image/jpeg;base64," + base64.b64encode(crop.jpeg).decode()
        else:
            source = f"{FOLDER}/{number:06d}.jpg"
            write_bytes(join(self.folder, source), crop.jpeg)
        latitude = crop.latitude and [
            round(value, 2) if value == value else None for value in crop.latitude
        ]
        facts = {
            "x": [round(value, 3) for value in crop.box[:2]],
            "y": [round(value, 2) for value in crop.box[2:]],
            "lat": latitude,
            "shapes": crop.shapes,
            "src": source,
        }
        more = {"rows": crop.rows, "lines": crop.lines, "axes": crop.axes}
        return facts | {name: value for name, value in more.items() if value}


def thousandths(x: ArrayLike, y: ArrayLike, box: Box) -> NDArray[np.int32]:
    """Return points as (N, 2) thousandths of a picture, from its top left corner.

    Args:
        x, y: (N,) positions in the units of ``box``.
        box: borders of the picture.
    """
    across = (np.asarray(x, dtype=float) - box[0]) / (box[1] - box[0]) * _THOUSANDTHS
    down = (box[3] - np.asarray(y, dtype=float)) / (box[3] - box[2]) * _THOUSANDTHS
    return np.rint(np.stack([across, down], axis=1)).astype(np.int32)


@dataclass(frozen=True)
class PictureStyle:
    """How values become a picture.

    Attributes:
        colour_map: OpenCV's number of a colour map.
        missing: colour where there is no value, blue first.
        quality: quality of the JPEG, from 0 to 100.
    """

    colour_map: int
    missing: tuple[int, int, int]
    quality: int

    def jpeg(
        self, level: NDArray[Any], known: NDArray[np.bool_], largest: tuple[int, int]
    ) -> bytes:
        """Return values as JPEG, made smaller where there are too many.

        Args:
            level: (W, H) values from 0 (the first colour) to 1; the last row is on top.
            known: (W, H), bool: whether there is a value.
            largest: largest width and height in pixels.
        """
        grey = np.rot90(np.clip(level, 0, 1) * 255).astype(np.uint8)
        picture = cv2.applyColorMap(grey, self.colour_map)
        picture[~np.rot90(known)] = self.missing
        width, height = level.shape
        size = min(width, largest[0]), min(height, largest[1])
        if size != (width, height):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1])

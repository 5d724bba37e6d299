"""Read what people drew: Pascal-VOC XML, YOLO text, LabelMe JSON and mask pictures.

Coordinates are continuous: an image of width W spans 0..W from its left to its right edge, and
pixel i covers [i, i + 1). A pixel belongs to a shape when its centre does, so a box with the edges
10 and 30 covers columns 10 to 29, in every format.

Two programs cannot write one border of an image, and their files are read accordingly unless
``exact_edges`` is set:

- LabelImg writes a left or top edge at 0 as 1, in VOC and in YOLO files alike: 1 is read as 0.
- LabelMe, in most versions, keeps points at or below W - 1 (H - 1): such a point is read as W (H).

Either way a shape that truly ended there gains one pixel; VOC that this package wrote says so, and
is taken literally.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from odm.core.errors import AnnotationError
from odm.datasets.labels.drawing import (
    AnnotatedObject,
    Canvas,
    Drawing,
    Picture,
    Point,
    component_boxes,
    count,
    load_mask,
)
from odm.images.masks import is_drawn

Reader = Callable[[Path, Picture], Drawing]
EXACT_SOURCE = "odm"
"""The ``<database>`` of VOC whose edges are literal; LabelImg writes Unknown."""


def read_voc(path: Path, picture: Picture) -> Drawing:
    """Read a Pascal-VOC XML file as LabelImg writes it, or this package.

    Raises:
        AnnotationError: malformed XML, another image or image size, or an object that cannot be.
    """
    return draw_voc(path, read_xml(path), picture)


def read_xml(path: Path) -> Element:
    """Read an XML file.

    Raises:
        AnnotationError: it is malformed.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise AnnotationError(path, "", f"not a readable XML file ({_line(error)})") from None
    return root


def draw_voc(path: Path, root: Element, picture: Picture) -> Drawing:
    """Draw what a Pascal-VOC file says, as `read_voc` does."""
    if root.tag != "annotation":
        raise AnnotationError(path, "", f"not a Pascal-VOC file: its root is <{root.tag}>")
    _check_name(path, root.findtext("filename"), picture)
    width, height = root.findtext("size/width"), root.findtext("size/height")
    if width is not None and height is not None:
        size = (_number(path, "size", "height", height), _number(path, "size", "width", width))
        _check_size(path, size, picture)
    if root.findtext("source/database") == EXACT_SOURCE:
        picture = replace(picture, exact_edges=True)
    canvas = Canvas(path, picture)
    for number, element in enumerate(root.iter("object"), start=1):
        label = (element.findtext("name") or "").strip()
        subject = canvas.subject(number, label)
        edges = []
        for name in ("xmin", "ymin", "xmax", "ymax"):
            text = element.findtext(f"bndbox/{name}")
            if text is None:
                raise AnnotationError(path, subject, f"has no <{name}> in a <bndbox>")
            edges.append(_number(path, subject, name, text))
        canvas.add_box(subject, label, canvas.from_labelimg(*edges))
    return canvas.drawing()


def read_yolo(path: Path, picture: Picture) -> Drawing:
    """Read a YOLO text file: a line ``class x y width height`` per box, as shares of the image.

    The class is an index into ``classes.txt`` beside the file; without one, into the classes of
    the export. An empty file says that nothing is in the image.

    Raises:
        AnnotationError: a line that is no box, or an object that cannot be.
    """
    names: Sequence[str] = picture.classes
    listed = path.with_name("classes.txt")
    if listed.is_file():
        names = [line.strip() for line in _text(listed).splitlines() if line.strip()]
    canvas = Canvas(path, picture)
    lines = [line.split() for line in _text(path).splitlines() if line.strip()]
    for number, fields in enumerate(lines, start=1):
        subject = f"object {number}"
        if len(fields) != 5:
            reason = f"has {len(fields)} values, not the 5 of a box (class x y width height)"
            raise AnnotationError(path, subject, reason)
        if not fields[0].isdecimal() or int(fields[0]) >= len(names):
            reason = f"unknown class {fields[0]}: the classes are numbered 0 to {len(names) - 1}"
            raise AnnotationError(path, subject, reason)
        label = names[int(fields[0])]
        subject = canvas.subject(number, label)
        x, y, width, height = (
            _number(path, subject, name, text)
            for name, text in zip(("x", "y", "width", "height"), fields[1:], strict=True)
        )
        left, right = (x - width / 2) * picture.width, (x + width / 2) * picture.width
        top, bottom = (y - height / 2) * picture.height, (y + height / 2) * picture.height
        canvas.add_box(subject, label, canvas.from_labelimg(left, top, right, bottom))
    return canvas.drawing()


def read_labelme(path: Path, picture: Picture) -> Drawing:
    """Read a LabelMe JSON file: polygons, rectangles and circles.

    A polygon that crosses itself is filled by the even-odd rule. Shapes of one ``group_id`` are the
    parts of one object.

    Raises:
        AnnotationError: malformed JSON, another image or image size, another kind of shape, or an
            object that cannot be.
    """
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise AnnotationError(path, "", f"not a readable JSON file ({_line(error)})") from None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise AnnotationError(path, "", "not a LabelMe file: it has no list of shapes")
    _check_name(path, content.get("imagePath"), picture)
    size = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in size:
        _check_size(path, size, picture)
    canvas = Canvas(path, picture)
    for number, shape in enumerate(content["shapes"], start=1):
        if not isinstance(shape, dict):
            raise AnnotationError(path, f"object {number}", "is not a LabelMe shape")
        label = str(shape.get("label", "")).strip()
        subject = canvas.subject(number, label)
        kind = shape.get("shape_type") or "polygon"
        points = [canvas.from_labelme(*point) for point in _points(path, subject, shape)]
        group = shape.get("group_id")
        if kind == "polygon":
            canvas.add_polygon(subject, label, points, group)
            continue
        if kind not in ("rectangle", "circle"):
            reason = f"is a {kind}; polygons, rectangles and circles have an area"
            raise AnnotationError(path, subject, reason)
        if len(points) != 2:
            reason = f"is a {kind} of {count(len(points), 'point')}; it needs 2"
            raise AnnotationError(path, subject, reason)
        if kind == "circle":
            canvas.add_circle(subject, label, points[0], math.dist(*points), group)
            continue
        (x0, y0), (x1, y1) = points
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        canvas.add_box(subject, label, box, group)
    return canvas.drawing()


def read_mask(path: Path, picture: Picture) -> Drawing:
    """Read a mask picture: 0 for background; 1, 255 or one colour for the class; 128 for what is
    ignored.

    Every 8-connected area becomes an object.

    Raises:
        AnnotationError: not a picture, of another size, or with more than one foreground value
            (a smoothed outline, or several classes).
    """
    mask = load_mask(path)
    _check_size(path, mask.shape, picture)
    if is_drawn(mask).mean() > 0.5:
        raise AnnotationError(path, "", "covers more than half of the image: is it inverted?")
    objects = [AnnotatedObject(picture.classes[0], box) for box in component_boxes(mask)]
    return Drawing(mask, tuple(objects))


FORMATS: dict[str, tuple[str, Reader]] = {
    "voc": (".xml", read_voc),
    "yolo": (".txt", read_yolo),
    "labelme": (".json", read_labelme),
    "mask": (".png", read_mask),
}
"""Name of a format -> file extension and reader."""


def _check_name(path: Path, named: object, picture: Picture) -> None:
    """The image that the file names must be the one it lies beside: files get mixed up."""
    # Windows paths are split by this at both slashes.
    stem = PureWindowsPath(str(named or "")).stem
    if stem and stem != picture.stem:
        raise AnnotationError(path, "", f"its name says {picture.stem}, its content {stem}")


def _check_size(path: Path, size: tuple[Any, ...], picture: Picture) -> None:
    if tuple(size) != (picture.height, picture.width):
        reason = (
            f"was drawn on an image of {size[1]:g} by {size[0]:g} pixels; "
            f"the exported one has {picture.width} by {picture.height}"
            if all(isinstance(n, int | float) for n in size)
            else f"its image size {size[1]} by {size[0]} is no number"
        )
        raise AnnotationError(path, "", reason)


def _points(path: Path, subject: str, shape: dict[str, Any]) -> list[Point]:
    points = shape.get("points")
    if not isinstance(points, list):
        raise AnnotationError(path, subject, "has no points")
    out = []
    for number, point in enumerate(points, start=1):
        if not isinstance(point, list | tuple) or len(point) != 2:
            raise AnnotationError(path, subject, f"point {number} is not a pair of numbers")
        x, y = (_number(path, subject, f"point {number}", value) for value in point)
        out.append((x, y))
    return out


def _number(path: Path, subject: str, name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise AnnotationError(path, subject, f"{name} is {value!r}, not a number")
    return number


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise AnnotationError(path, "", "is not a text file (UTF-8)") from None


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

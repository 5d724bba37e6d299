"""Boxes of a COCO JSON file: images, categories, and annotations with a ``bbox``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from odm.core.errors import AnnotationError

Shares = tuple[str, float, float, float, float]
"""Class; left, top, right, bottom as shares of the image's width and height."""


def is_coco(path: Path) -> bool:
    """Whether a JSON file has what a COCO file has."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content)


def read_coco(path: Path) -> dict[str, tuple[Shares, ...]]:
    """The boxes of every image, by the stem of its name; images without a box included.

    Boxes of crowds (``iscrowd``) are passed over.

    Raises:
        AnnotationError: malformed JSON, an annotation of no image or category, a box that is none,
            or two images of one name.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError):
        raise AnnotationError(path, "", "not a readable JSON file") from None
    if not is_coco(path):
        raise AnnotationError(path, "", "not a COCO file: it needs images, annotations, categories")
    names = {row.get("id"): str(row.get("name", "")).strip() for row in _rows(content, path)[2]}
    images, boxes = _images(path, _rows(content, path)[0])
    for number, row in enumerate(_rows(content, path)[1], start=1):
        subject = f"annotation {number}"
        if row.get("iscrowd"):
            continue
        if row.get("image_id") not in images:
            raise AnnotationError(path, subject, f"is of no image ({row.get('image_id')!r})")
        if row.get("category_id") not in names:
            raise AnnotationError(path, subject, f"is of no category ({row.get('category_id')!r})")
        stem, width, height = images[row["image_id"]]
        x, y, w, h = _bbox(path, subject, row.get("bbox"))
        edges = (x / width, y / height, (x + w) / width, (y + h) / height)
        boxes[stem].append((names[row["category_id"]], *edges))
    return {stem: tuple(image_boxes) for stem, image_boxes in boxes.items()}


def _rows(content: Mapping[str, Any], path: Path) -> list[list[dict[str, Any]]]:
    tables = [content[name] for name in ("images", "annotations", "categories")]
    if not all(
        isinstance(rows, list) and all(isinstance(r, dict) for r in rows) for rows in tables
    ):
        raise AnnotationError(path, "", "images, annotations and categories have to be lists")
    return tables


def _images(
    path: Path, rows: list[dict[str, Any]]
) -> tuple[dict[Any, tuple[str, float, float]], dict[str, list[Shares]]]:
    images: dict[Any, tuple[str, float, float]] = {}
    boxes: dict[str, list[Shares]] = {}
    for number, row in enumerate(rows, start=1):
        subject = f"image {number}"
        stem = PureWindowsPath(str(row.get("file_name", ""))).stem
        if not stem:
            raise AnnotationError(path, subject, "has no file_name")
        if stem in boxes:
            raise AnnotationError(path, subject, f"{stem} is there twice")
        width, height = (_number(path, subject, row, name) for name in ("width", "height"))
        if min(width, height) <= 0:
            raise AnnotationError(path, subject, f"has no area ({width:g} by {height:g})")
        images[row.get("id")] = (stem, width, height)
        boxes[stem] = []
    return images, boxes


def _bbox(path: Path, subject: str, value: object) -> tuple[float, float, float, float]:
    if not isinstance(value, list) or len(value) != 4:
        raise AnnotationError(path, subject, "has no bbox of 4 numbers (x, y, width, height)")
    try:
        x, y, width, height = (float(number) for number in value)
    except (TypeError, ValueError):
        raise AnnotationError(path, subject, f"bbox {value} holds what is no number") from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise AnnotationError(path, subject, f"has no area ({width:g} by {height:g} pixels)")
    return x, y, width, height


def _number(path: Path, subject: str, row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (KeyError, TypeError, ValueError):
        raise AnnotationError(path, subject, f"has no {name} in pixels") from None

"""Drawings of three half-orbits as people save them, and what they are imported as."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from odm.core.errors import AnnotationError
from odm.datasets.labels.importing import import_annotations
from odm.datasets.labels.regions import (
    RegionLabels,
    annotations_digest,
    load_region_labels,
)
from tests.lookalike import renamed

HEIGHT, WIDTH = 64, 40
STEM = renamed(17538).removesuffix(".h5")
EMPTY = renamed(17539).removesuffix(".h5")
LAST = renamed(17540).removesuffix(".h5")

BOX = np.zeros((HEIGHT, WIDTH), np.uint8)
BOX[20:50, 10:30] = 1


def voc(
    *boxes: tuple[object, ...],
    size: tuple[int, int] = (WIDTH, HEIGHT),
    name: str = "nucleus",
    filename: str = f"{STEM}.png",
) -> str:
    """A file as LabelImg writes it."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1 in boxes
    )
    return (
        f"<annotation><folder>images</folder><filename>{filename}</filename>"
        f"<path>C:\\data\\{filename}</path><source><database>Unknown</database></source>"
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>1</depth></size>"
        f"<segmented>0</segmented>{objects}</annotation>"
    )


def yolo(*boxes: tuple[int, int, int, int], index: int = 0) -> str:
    """A file as LabelImg writes it: centre and size as shares, six decimals."""
    return "".join(
        f"{index} {(x0 + x1) / 2 / WIDTH:.6f} {(y0 + y1) / 2 / HEIGHT:.6f} "
        f"{(x1 - x0) / WIDTH:.6f} {(y1 - y0) / HEIGHT:.6f}\n"
        for x0, y0, x1, y1 in boxes
    )


def labelme(*shapes: dict[str, object], **changes: object) -> str:
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [{"label": "nucleus", "group_id": None, "flags": {}} | s for s in shapes],
        "imagePath": f"..\\images\\{STEM}.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    return json.dumps(content | changes)


def polygon(*points: tuple[float, float], **more: object) -> dict[str, object]:
    return {"points": [list(point) for point in points], "shape_type": "polygon"} | more


def digest(labels: RegionLabels) -> str:
    """What an import writes down, made again from what it wrote."""
    masks = {stem: image.digest() for stem, image in labels.images.items()}
    return annotations_digest(masks, labels.classes)


def imported(export: Path, files: dict[str, str | bytes], **options: object) -> RegionLabels:
    drawn, out = export.parent / "drawn", export.parent / "out"
    drawn.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (drawn / name).write_bytes(data)
    import_annotations(export, drawn, out, **options)  # type: ignore[arg-type]
    return load_region_labels(out)


def refused(export: Path, files: dict[str, str | bytes], **options: object) -> AnnotationError:
    with pytest.raises(AnnotationError) as caught:
        imported(export, files, **options)
    assert not (export.parent / "out").exists()
    assert not list(export.parent.glob(".out*"))
    return caught.value

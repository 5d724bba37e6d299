"""What cannot be used is an error that names file and object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from odm.images.masks import png_bytes
from tests.datasets.drawn import (
    BOX,
    EMPTY,
    LAST,
    STEM,
    WIDTH,
    labelme,
    polygon,
    refused,
    voc,
)

OTHER = "CSES_01_EFD_3_L02_A1_000011_20180801_000000_20180801_003000_000"

BAD: dict[str, tuple[str, str | bytes, str, str]] = {
    "no width": (f"{STEM}.xml", voc((3, 3, 5, 5), (7, 20, 7, 50)), "object 2 (nucleus)", "no area"),
    "reversed": (f"{STEM}.xml", voc((30, 20, 10, 50)), "object 1 (nucleus)", "has no area"),
    "outside": (
        f"{STEM}.xml",
        voc((10, 20, WIDTH + 1, 50)),
        "object 1 (nucleus)",
        "outside the image: 10..41 by 20..50 in 40 by 64 pixels",
    ),
    "negative": (f"{STEM}.xml", voc((-3, 20, 10, 50)), "object 1 (nucleus)", "outside the image"),
    "class": (
        f"{STEM}.xml",
        voc((10, 20, 30, 50), name="nucleos"),
        "object 1 (nucleos)",
        "unknown class 'nucleos'; did you mean nucleus?",
    ),
    "no class": (
        f"{STEM}.xml",
        voc((10, 20, 30, 50), name=""),
        "object 1",
        "unknown class '(none)'",
    ),
    "no picture": (f"{OTHER}.xml", voc((1, 2, 3, 4)), "", f"the export has no picture {OTHER}.png"),
    "another picture": (
        f"{STEM}.xml",
        voc((1, 2, 3, 4), filename=f"{EMPTY}.png"),
        "",
        f"its name says {STEM}, its content {EMPTY}",
    ),
    "voc size": (
        f"{STEM}.xml",
        voc((1, 2, 3, 4), size=(1024, 768)),
        "",
        "an image of 1024 by 768 pixels; the exported one has 40 by 64",
    ),
    "not xml": (f"{STEM}.xml", "<annotation><object>", "", "not a readable XML file"),
    "no bytes": (f"{STEM}.xml", "", "", "not a readable XML file"),
    "xml bomb": (
        f"{STEM}.xml",
        '<!DOCTYPE a [<!ENTITY b "b">]><annotation>&b;</annotation>',
        "",
        "not a readable XML file",
    ),
    "another xml": (f"{STEM}.xml", "<html/>", "", "its root is <html>"),
    "no box": (
        f"{STEM}.xml",
        "<annotation><object><name>nucleus</name></object></annotation>",
        "object 1 (nucleus)",
        "has no <xmin>",
    ),
    "no number": (
        f"{STEM}.xml",
        voc((10, "left", 30, 50)),
        "object 1 (nucleus)",
        "ymin is 'left', not a number",
    ),
    "nan": (f"{STEM}.xml", voc((10, "nan", 30, 50)), "object 1 (nucleus)", "not a number"),
    "yolo fields": (f"{STEM}.txt", "0 0.5 0.5 0.1\n", "object 1", "has 4 values, not the 5"),
    "yolo pixels": (f"{STEM}.txt", "0 20 35 20 30\n", "object 1 (nucleus)", "outside the image"),
    "yolo class": (f"{STEM}.txt", "x 0.5 0.5 0.1 0.1\n", "object 1", "unknown class x"),
    "yolo no area": (f"{STEM}.txt", "0 0.5 0.5 0 0.1\n", "object 1 (nucleus)", "has no area"),
    "not json": (f"{STEM}.json", "{", "", "not a readable JSON file"),
    "another json": (f"{STEM}.json", "[]", "", "not a LabelMe file"),
    "labelme size": (
        f"{STEM}.json",
        labelme(imageWidth=512),
        "",
        "an image of 512 by 64 pixels; the exported one has 40 by 64",
    ),
    "two points": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (3, 4))),
        "object 1 (nucleus)",
        "is a polygon of 2 points; an area needs 3",
    ),
    "flat polygon": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (5, 2), (9, 2))),
        "object 1 (nucleus)",
        "has no area",
    ),
    "polygon outside": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (50, 2), (9, 9))),
        "object 1 (nucleus)",
        "outside the image",
    ),
    "line": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (5, 2), shape_type="line")),
        "object 1 (nucleus)",
        "is a line; polygons, rectangles and circles have an area",
    ),
    "point": (
        f"{STEM}.json",
        labelme({"points": [[1, 2], [3]], "shape_type": "polygon"}),
        "object 1 (nucleus)",
        "point 2 is not a pair of numbers",
    ),
    "circle outside": (
        f"{STEM}.json",
        labelme({"points": [[50, 2], [50, 4]], "shape_type": "circle"}),
        "object 1 (nucleus)",
        "centre (50, 2) outside",
    ),
    "mask size": (
        f"{STEM}.png",
        png_bytes(np.zeros((32, 32), np.uint8)),
        "",
        "an image of 32 by 32 pixels; the exported one has 40 by 64",
    ),
    "mask class": (f"{STEM}.png", png_bytes(BOX * np.uint8(7)), "", "unknown class 7"),
    "smooth mask": (
        f"{STEM}.png",
        png_bytes(np.where(BOX, 255, np.arange(WIDTH)).astype(np.uint8)),
        "",
        "values beside 0",
    ),
    "no mask": (f"{STEM}.png", b"nothing", "", "not a readable picture"),
}


@pytest.mark.parametrize("case", list(BAD), ids=list(BAD))
def test_what_cannot_be_names_file_and_object(export: Path, case: str) -> None:
    name, content, subject, reason = BAD[case]
    error = refused(export, {name: content})
    assert Path(error.path).name == name
    assert error.subject == subject
    assert reason in error.reason
    assert str(error).startswith(error.path)


def test_all_files_are_read_before_the_first_error_is_reported(export: Path) -> None:
    files = {f"{stem}.xml": voc((3, 3, 3, 3), filename=f"{stem}.png") for stem in (STEM, EMPTY)}
    files[f"{LAST}.xml"] = voc((3, 3, 9, 9), filename=f"{LAST}.png")
    error = refused(export, files)
    assert Path(error.path).name == f"{STEM}.xml"
    assert error.reason.endswith("; 1 more file cannot be used either")
